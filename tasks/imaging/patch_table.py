"""What is known of each patch: where it lies in the patient, and, where annotations may be read, what is in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from storage.volume import Volume
from tasks.imaging.patch_files import COLUMNS
from tasks.imaging.patches import Centres, PatchShape, outside_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Group:
    """Centres ``(n, 3)`` of one kind (see ``COLUMNS``), and the scores ``(n,)`` of hard negatives.

    ``candidates``: the candidate of each, ``(n,)`` rows of their table; empty where they lie on none.
    """

    kind: str
    centres: Centres
    scores: npt.NDArray[np.floating[Any]] | None = None
    candidates: npt.NDArray[np.integer[Any]] = field(default_factory=lambda: np.zeros(0, np.int64))


def cut_all(
    volume: Volume, centres: npt.NDArray[np.integer[Any]], patch: PatchShape
) -> Iterator[npt.NDArray[np.float32]]:
    """The patches of an image one after the other, background beyond its border."""
    for centre in centres:
        yield patch.cut(volume.array, centre, outside=outside_of(volume.unit)).astype(np.float32, copy=False)


def patch_table(
    groups: Sequence[Group],
    volume: Volume,
    patch: PatchShape,
    *,
    digest: str,
    patient: str,
    lesions: npt.NDArray[np.integer[Any]] | None,
) -> pd.DataFrame:
    """One row per patch, in the order of the groups: the columns of `tasks.imaging.patch_files`.

    Parameters
    ----------
    volume
        The image that the patches are cut from.
    digest, patient
        Of the case.
    lesions
        ``(z, y, x)``: 0, or the number of the lesion; ``None`` where no annotation may be read: labels are -1.
    """
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    for group in groups:
        scores = np.full(len(group.centres), np.nan) if group.scores is None else group.scores
        for centre, score in zip(group.centres, scores, strict=True):
            inside = _contents(lesions, centre, patch)
            position = volume.to_world_mm(centre)
            rows.append((len(rows), digest, patient, group.kind, *inside, *centre, *position, score))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def centres_of(table: pd.DataFrame) -> Centres:
    """The centres ``(n, 3)`` of a table's patches."""
    return np.asarray(table[["centre_z", "centre_y", "centre_x"]].to_numpy(dtype=np.int64))


def _contents(
    lesions: npt.NDArray[np.integer[Any]] | None, centre: Centres, patch: PatchShape
) -> tuple[int, int, float]:
    """Label, lesion, and share of lesion."""
    if lesions is None:
        return -1, 0, np.nan
    counts = np.bincount(patch.cut(lesions, centre, outside=0).ravel())
    counts[0], size = 0, int(counts.sum())
    if not counts.any():
        return 0, 0, 0.0
    return 1, int(np.argmax(counts)), float(counts.sum() / size)
