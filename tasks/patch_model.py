"""A fitted model that looks at patches, whatever it is: a network, or a detector that learned by itself.

Training leaves an artifact, detect makes one of these of it, and this says how much the patch around each candidate
looks like a lesion. Whoever trains one asks it in the same way about patients that it never saw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from storage.volume import Triple, Volume
from tasks.discover import MODELS, part
from tasks.imaging.candidate_set import CandidateSet
from tasks.imaging.patches import Centres, PatchShape, outside_of

if TYPE_CHECKING:
    from collections.abc import Sequence

FloatArray = npt.NDArray[np.float64]

AT_A_TIME = 256
"""Candidates whose patches are in memory together."""


class PatchModel(Protocol):
    """What every fitted model of patches can do."""

    @property
    def shape(self) -> PatchShape:
        """Of the patches that it learned from, and asks for."""
        ...

    @property
    def spacing_mm(self) -> Triple:
        """Of these patches along (z, y, x): images have to have it."""
        ...

    @property
    def shows_candidate(self) -> bool:
        """Whether it also asks for the candidate in each patch."""
        ...

    def scores(self, patches: npt.NDArray[Any], *, threads: int = 1, device: str = "cpu") -> FloatArray:
        """How much each patch looks as if a lesion lay in its middle, 0 to 1, ``(n,)``; not calibrated.

        ``patches``: ``(n, …)``, or ``(n, 2, …)`` with the candidate, 0 or 1, behind each patch.
        """
        ...


@dataclass(frozen=True, eq=False)
class PatchDetector:
    """A model that is no network; ``model`` names its file of ``tasks/models``, and ``fitted`` is what that makes."""

    model: str
    fitted: Any
    shape: PatchShape
    spacing_mm: Triple
    shows_candidate: bool = False

    def scores(self, patches: npt.NDArray[Any], *, threads: int = 1, device: str = "cpu") -> FloatArray:  # noqa: ARG002 - on one core
        """How much each patch ``(n, …)`` looks like a lesion, ``(n,)``."""
        return np.asarray(part(MODELS, self.model).score_patches(self.fitted, patches), dtype=np.float64)


def candidate_scores(
    model: PatchModel, image: Volume, candidates: CandidateSet, *, threads: int = 1, device: str = "cpu"
) -> FloatArray:
    """How much each candidate of an image looks like a lesion, by the patch around its centroid, ``(n,)``.

    Raises
    ------
    ValueError
        When the image's spacing is not that of the patches that the model learned from.
    """
    if not np.allclose(image.spacing_mm, model.spacing_mm, rtol=1e-3):
        raise ValueError(f"expected an image with {model.spacing_mm} mm along (z, y, x); got {image.spacing_mm}")
    rows = range(len(candidates))
    centres = candidate_centres(candidates, image.array.shape)
    scores = [
        model.scores(
            np.stack([_shown(model, image, candidates, row, centres[row]) for row in rows[start : start + AT_A_TIME]]),
            threads=threads,
            device=device,
        )
        for start in rows[::AT_A_TIME]
    ]
    return np.concatenate(scores) if scores else np.zeros(0)


def _shown(
    model: PatchModel, image: Volume, candidates: CandidateSet, row: int, centre: Centres
) -> npt.NDArray[np.float32]:
    patch = model.shape.cut(image.array, centre, outside=outside_of(image.unit)).astype(np.float32, copy=False)
    if not model.shows_candidate:
        return patch
    mask = cut_candidate(candidates, row, centre, model.shape, image.array.shape)
    return np.stack([patch, mask.astype(np.float32)])


def cut_candidate(
    candidates: CandidateSet, row: int, centre: npt.ArrayLike, patch: PatchShape, shape: Sequence[int]
) -> npt.NDArray[np.uint8]:
    """1 where a patch of an image of this shape holds a voxel of the candidate, else 0."""
    z, y, x = shape
    return patch.cut(candidates.full_mask(row, (z, y, x)), centre, outside=0).astype(np.uint8)


def candidate_centres(candidates: CandidateSet, shape: Sequence[int]) -> Centres:
    """Voxels ``(n, 3)`` nearest to the candidates' centroids, within the image."""
    places = candidates.table[["centroid_z", "centroid_y", "centroid_x"]].to_numpy(dtype=float)
    return np.asarray(np.clip(np.rint(places).astype(np.int64), 0, np.asarray(shape) - 1))
