"""Which way is up: turns any acquisition the way a radiologist reads it, and names the edges of a picture.

*Canonical axes* run, in array order ``(z, y, x)``, to the patient's head, back and left. Turning to the closest of them
only swaps and mirrors array axes: no voxel is interpolated, and an oblique volume stays oblique.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import numpy.typing as npt

from storage.volume import Volume

TOWARDS = ("L", "P", "H")
AWAY = ("R", "A", "F")
WORLD_OF_CANONICAL = (2, 1, 0)
"""The LPS axis that each canonical array axis follows: head is z, back is y, left is x."""


def letters(vector_lps: npt.ArrayLike, *, least_component: float = 0.2) -> str:
    """Letters of the direction in which a vector points, most significant first.

    Parameters
    ----------
    vector_lps
        Direction in patient coordinates, shape ``(3,)``, of any length above 0.
    least_component
        Parts of the unit vector below this are not named: 0.2 is a tilt of 11.5°, so that a slightly turned patient
        still reads ``"R"``.

    Returns
    -------
    str
        One to three of R/L, A/P, H/F, e.g. ``"L"`` or ``"RA"``.

    Raises
    ------
    ValueError
        The vector has no direction.

    References
    ----------
    DICOM PS3.3, C.7.6.1.1.1 (Patient Orientation of a biped).
    """
    vector = np.asarray(vector_lps, dtype=float)
    length = float(np.linalg.norm(vector))
    if vector.shape != (3,) or not np.isfinite(length) or length == 0:
        raise ValueError(f"expected a direction (x, y, z) of length above 0; got {vector_lps!r}")
    unit = vector / length
    # Rounding keeps two equal components in the order x, y, z whatever the last bit of the file says.
    ranked = sorted(range(3), key=lambda axis: (-round(abs(float(unit[axis])), 6), axis))
    named = [axis for axis in ranked if abs(unit[axis]) >= least_component]
    return "".join(TOWARDS[axis] if unit[axis] > 0 else AWAY[axis] for axis in named)


def closest_canonical(volume: Volume) -> Volume:
    """The same voxels at the same places, with array axes that run as nearly as possible to head, back and left.

    Parameters
    ----------
    volume
        Any direction, oblique and left-handed ones too.

    Returns
    -------
    Volume
        A view of the same array: ``world = to_world_mm(index)`` gives each voxel the position that it had.
    """
    axes = np.asarray(volume.direction, dtype=float)

    def agreement(order: tuple[int, ...]) -> float:
        return sum(abs(float(axes[world, axis])) for world, axis in zip(WORLD_OF_CANONICAL, order, strict=True))

    order = max(permutations(range(3)), key=lambda candidate: round(agreement(candidate), 9))
    mirrored = [bool(axes[world, axis] < 0) for world, axis in zip(WORLD_OF_CANONICAL, order, strict=True)]
    corner = [0, 0, 0]
    for axis, mirror in zip(order, mirrored, strict=True):
        corner[axis] = volume.shape[axis] - 1 if mirror else 0
    columns = [-axes[:, axis] if mirror else axes[:, axis] for axis, mirror in zip(order, mirrored, strict=True)]
    steps = tuple(slice(None, None, -1) if mirror else slice(None) for mirror in mirrored)
    direction = np.stack(columns, axis=1).tolist()
    x, y, z = volume.to_world_mm(corner).tolist()
    return replace(
        volume,
        array=volume.array.transpose(order)[steps],
        spacing_mm=(volume.spacing_mm[order[0]], volume.spacing_mm[order[1]], volume.spacing_mm[order[2]]),
        origin_mm=(x, y, z),
        direction=(tuple(direction[0]), tuple(direction[1]), tuple(direction[2])),
    )
