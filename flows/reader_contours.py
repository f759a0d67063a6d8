"""Contours of several readers as pylidc exports them, beside the series that they were drawn on.

The file ``pylidc_annotations.json`` is a list with an entry for each reader: contours at a height ``z`` in mm, each a
line of ``ij`` (column, row) pixels, which either encloses the lesion (``inclusion``) or a hole of it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from storage.volume import Volume
from tasks.imaging.morphology import BoolArray

FILE = "pylidc_annotations.json"


def contours_beside(folder: Path, top: Path) -> Path | None:
    """The file in a folder or in one above it, up to `top`; ``None`` if there is none."""
    for place in (folder, *folder.parents):
        if (place / FILE).is_file():
            return place / FILE
        if place == top:
            return None
    return None


def read_contours(path: Path, volume: Volume) -> BoolArray:
    """What at least half of the readers contoured, on the series' grid.

    Parameters
    ----------
    path
        The export.
    volume
        The series, axial slices as they were scanned: only its geometry counts.

    Returns
    -------
    numpy.ndarray
        Boolean ``(z, y, x)``; what lies at heights without a slice is left out.
    """
    readers = json.loads(path.read_text(encoding="utf-8"))
    votes = np.zeros(volume.shape, dtype=np.int16)
    for reader in readers:
        votes += _drawn(reader["contours"], volume)
    return votes >= max(1, (len(readers) + 1) // 2)


def _drawn(contours: list[dict[str, object]], volume: Volume) -> BoolArray:
    from skimage.draw import polygon

    mask = np.zeros(volume.shape, dtype=bool)
    for contour in sorted(contours, key=lambda c: not c["inclusion"]):  # holes last
        columns, rows = np.asarray(contour["ij"], dtype=float).T
        z = float(np.asarray(contour["z"], dtype=float))
        k = round(float(volume.to_index((*volume.origin_mm[:2], z))[0]))
        if 0 <= k < volume.shape[0]:
            y, x = polygon(rows, columns, volume.shape[1:])
            mask[k, y, x] = bool(contour["inclusion"])
    return mask
