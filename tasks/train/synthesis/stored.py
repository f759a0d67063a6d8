"""Synthetic pictures in the store: written as real ones are, with all their marks, and read by a training alone.

They lie there as a bucket of pictures (`tasks.imaging.picture_files`) of the size of the study's own, and are marked as
`tasks.imaging.synthetic_mark` says: in every pixel, as an attribute of the array, in ``provenance.parquet``. Their
patient is ``synthetic``. ``made.json`` says what the generator has seen: of which split it is, which fold it left out
(null: none), and which cases of its training pictures it was not shown.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.keys import digest
from tasks.imaging.synthetic_mark import TEXT, Origin, bears_mark, marked, provenance
from tasks.leakage import LeakageError
from tasks.train.synthetic import Synthetic

PATIENT = "synthetic"
ABOUT = "made.json"
TABLE = "provenance.parquet"

Images = npt.NDArray[np.uint8]


def write_synthetic(folder: Path, pictures: Images, *, model: str, seed: int, label: str) -> None:
    """Write marked pictures ``(n, y, x, 3)`` as a bucket of pictures, with their table of provenance."""
    import zarr

    from tasks.imaging.picture_files import StoredPicture, write_pictures

    origins = [Origin(model, seed, number, label) for number in range(len(pictures))]
    named = sorted((digest([model, seed, one.number]), one) for one in origins)
    write_pictures(
        folder, (StoredPicture(name, f"S-{name[:12]}", PATIENT, pictures[one.number]) for name, one in named)
    )
    mark: dict[str, Any] = {"synthetic": True, "model": model, "seed": seed, "label": label}
    zarr.open_array(folder / "pictures.zarr", mode="r+").update_attributes({TEXT: mark})
    table = provenance(one for _, one in named)
    table.insert(0, "digest", [name for name, _ in named])
    table.to_parquet(folder / TABLE)


def write_about(folder: Path, *, split: str, fold: int | None, unseen: Sequence[str]) -> None:
    """Write what the generator has seen."""
    (folder / ABOUT).write_text(json.dumps({"split": split, "fold": fold, "unseen": sorted(unseen)}, indent=1))


def read_synthetic(
    folder: Path, *, split: str, fold: int | None, cases: Sequence[str], classes: Sequence[str]
) -> Synthetic:
    """The synthetic pictures ``(m, y, x, 3)`` of a fold, for a training on the real pictures of these cases.

    Parameters
    ----------
    split, fold
        Key of the split, and the fold that the classifier will be tested on; ``None``: the refit.

    Raises
    ------
    LeakageError
        When they are of another fold: their generator has seen what the classifier will be tested on.
    ValueError
        When one of them does not bear the mark.
    """
    import pandas as pd

    from tasks.imaging.picture_files import read_pictures

    about = json.loads((folder / ABOUT).read_text())
    if (about["split"], about["fold"]) != (split, fold):
        raise LeakageError(
            f"nothing is trained: synthetic pictures made without fold {about['fold']} are not for fold {fold}"
        )
    found = list(read_pictures(folder))
    if unmarked := [one.case for one in found if not bears_mark(one.pixels)]:
        raise ValueError(f"{len(unmarked)} of {len(found)} synthetic pictures bear no mark: {unmarked[0]}")
    label_of = pd.read_parquet(folder / TABLE).set_index("digest")["label"]
    unseen = set(about["unseen"])
    return Synthetic(
        inputs=np.stack([one.pixels for one in found]),
        labels=np.array([list(classes).index(label_of[one.digest]) for one in found], dtype=np.int64),
        unseen=np.array([case in unseen for case in cases], dtype=bool),
    )


def as_pictures(images: Images, shape: tuple[int, int]) -> Images:
    """Images ``(n, 1 or 3, y, x)`` as pictures ``(n, *shape, 3)``; where they are enlarged, they are marked again."""
    import torch
    from torch.nn.functional import interpolate

    if images.shape[2:] != shape:
        resized = interpolate(torch.from_numpy(images), size=shape, mode="bilinear", antialias=True)
        images = marked(resized.numpy())
    return np.stack([colours(image) for image in images])


def colours(image: Images) -> Images:
    """One picture ``(1 or 3, y, x)`` as RGB ``(y, x, 3)``."""
    return np.ascontiguousarray(np.moveaxis(np.broadcast_to(image, (3, *image.shape[1:])), 0, -1))
