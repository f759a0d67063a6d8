"""Patches: small parts of one size out of an image, for what learns from or looks at one place at a time.

Where patches lie is said by their *centres*: the voxel at index ``size // 2`` of the patch along each axis. A patch may
reach beyond the image; what it finds there is the background of the image's unit, and no lesion.

- `grid_centres`: everywhere, so that no voxel of the image is left out.
- `lesion_centres`: on annotated lesions, with jitter, so that a network cannot learn that lesions lie in the middle.
- `background_centres`: where no lesion is near.
- `hardest`: where something looks like a lesion and is none.

What is drawn depends on the arguments and the generator alone. A generator is made by `patch_rng` from the digest of
the image and the purpose: never from a pseudonym, a path, the time, or whichever worker does the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from storage.volume import Triple
from tasks.imaging.morphology import BoolArray
from tasks.imaging.placement import BACKGROUND
from tasks.settings import StageSettings

Form = Literal["2-D", "slices", "planes", "3-D"]
Size = tuple[int, int, int]
Centres = npt.NDArray[np.int64]
"""Voxels ``(n, 3)``: (z, y, x)."""


class PatchShape(StageSettings):
    """What a patch is made of.

    Attributes
    ----------
    form
        ``"2-D"``: one slice, ``(y, x)``. ``"slices"``: neighbouring slices, ``(z, y, x)``, seen as channels.
        ``"planes"``: the slice, and the two planes that cut it at a right angle in the centre, ``(3, a, b)``: axial
        ``(y, x)``, coronal ``(z, x)``, sagittal ``(z, y)`` of an image whose slices are axial. ``"3-D"``: a block,
        ``(z, y, x)``.
    size
        Voxels along ``(z, y, x)``; 2-D takes no notice of the first. ``planes`` need the same along all, and equal
        lengths in mm only where voxels are cubes.
    """

    form: Form = "3-D"
    size: Size = (32, 32, 32)

    @model_validator(mode="after")
    def _fits(self) -> PatchShape:
        if min(self.size) < 1:
            raise ValueError(f"expected at least 1 voxel along each axis; got {self.size}")
        if self.form == "planes" and len(set(self.size)) > 1:
            raise ValueError(f"planes need the same number of voxels along all axes; got {self.size}")
        return self

    @property
    def reach(self) -> Size:
        """Voxels along ``(z, y, x)`` that it reads."""
        return (1, *self.size[1:]) if self.form == "2-D" else self.size

    @property
    def array_shape(self) -> tuple[int, ...]:
        """Shape of its array."""
        if self.form == "planes":
            return (3, *self.size[1:])
        return self.size[1:] if self.form == "2-D" else self.size

    def cut(self, array: Any, centre: npt.ArrayLike, *, outside: float | None) -> npt.NDArray[Any]:
        """One patch.

        Parameters
        ----------
        array
            ``(z, y, x)``, of NumPy or Zarr: only what the patch needs is read.
        centre
            Voxel ``(z, y, x)`` within the array.
        outside
            Value beyond the array; ``None``: that of the nearest voxel.

        Returns
        -------
        numpy.ndarray
            Of ``array_shape``, the array's type, never a view of it.
        """
        block: npt.NDArray[Any] = _block(array, np.asarray(centre, dtype=np.int64), self.reach, outside)
        if self.form == "2-D":
            return np.asarray(block[0])
        if self.form == "planes":
            z, y, x = (n // 2 for n in self.size)
            return np.stack([block[z], block[:, y], block[:, :, x]])
        return block


class GridSettings(StageSettings):
    """Patches side by side.

    Attributes
    ----------
    stride
        Voxels from one centre to the next along ``(z, y, x)``; ``None``: the patch's size, so that none overlap.
    within_share
        Part of a patch, 0 to 1, that lies in the searched region, at least; 0 keeps all that touch it.
    """

    stride: Size | None = None
    within_share: float = Field(0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _moves(self) -> GridSettings:
        if self.stride is not None and min(self.stride) < 1:
            raise ValueError(f"expected a stride of at least 1 voxel along each axis; got {self.stride}")
        return self


def patch_rng(digest: str, seed: int, purpose: str) -> np.random.Generator:
    """The generator for one purpose and one image; others draw from others and do not disturb it.

    ``digest``: hex SHA-256 of the image's bytes.
    """
    words = [int(digest[i : i + 8], 16) for i in range(0, 32, 8)]
    return np.random.default_rng(np.random.SeedSequence([seed, *words, *purpose.encode()]))


def outside_of(unit: str) -> float | None:
    """What lies around an image in this unit; ``None``: its border's values."""
    return BACKGROUND.get(unit)


def grid_centres(shape: Size, patch: PatchShape, stride: Size | None = None) -> Centres:
    """Centres of patches that together cover an image, in scan order.

    The last patch along an axis ends where the image ends, so that it may overlap its neighbour by more than the stride
    asks for; an axis shorter than the patch has one patch, with the image in its middle. A stride longer than the patch
    leaves gaps.
    """
    axes = [
        _axis_centres(n, reach, step) for n, reach, step in zip(shape, patch.reach, stride or patch.reach, strict=True)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def grid_within(within: BoolArray, patch: PatchShape, settings: GridSettings) -> Centres:
    """Those of `grid_centres` whose patches lie in a region by as much as the settings ask for."""
    centres = grid_centres(within.shape, patch, settings.stride)
    least = max(1.0, settings.within_share * np.prod(patch.reach))
    return centres[voxels_in(within, centres, patch) >= least]


def lesion_centres(
    lesions: npt.NDArray[np.integer[Any]],
    patch: PatchShape,
    *,
    each: int,
    jitter_mm: float,
    spacing_mm: Triple,
    rng: np.random.Generator,
) -> tuple[Centres, npt.NDArray[np.int64]]:
    """Centres on lesions: of each lesion, in the order of their numbers, ``each`` voxels by chance, moved by chance.

    Parameters
    ----------
    lesions
        ``(z, y, x)``: 0, or the number of the lesion.
    jitter_mm
        A centre is moved from its voxel by at most so much along each axis, and never so far that the voxel is not in
        the patch.

    Returns
    -------
    tuple
        Centres ``(n, 3)`` within the image, and the number of the lesion that each was drawn for, ``(n,)``.
    """
    centres, numbers = [], []
    for number in np.unique(lesions[lesions > 0]):
        voxels = np.argwhere(lesions == number)
        chosen = voxels[rng.choice(len(voxels), each, replace=len(voxels) < each)]
        centres.append(jittered(chosen, patch, lesions.shape, jitter_mm, spacing_mm, rng))
        numbers.append(np.full(each, number))
    if not centres:
        return np.zeros((0, 3), np.int64), np.zeros(0, np.int64)
    return np.concatenate(centres), np.concatenate(numbers).astype(np.int64)


def jittered(
    voxels: Centres,
    patch: PatchShape,
    shape: Sequence[int],
    jitter_mm: float,
    spacing_mm: Triple,
    rng: np.random.Generator,
) -> Centres:
    """Centres ``(n, 3)`` within an image of a shape, each moved from its voxel as `lesion_centres` says."""
    reach = np.asarray(patch.reach)
    most = np.floor(jitter_mm / np.asarray(spacing_mm)).astype(np.int64)
    # A patch reaches from centre - size // 2 to centre + size - 1 - size // 2: its voxel must stay in there.
    least, most = -np.minimum(most, reach - 1 - reach // 2), np.minimum(most, reach // 2)
    shift = rng.integers(least, most + 1, voxels.shape)
    still = rng.integers(0, 3, len(voxels))
    if patch.form == "planes":  # the voxel stays in one of them
        shift[np.arange(len(voxels)), still] = 0
    return np.asarray(np.clip(voxels + shift, 0, np.asarray(shape) - 1))


def background_centres(
    within: BoolArray, lesions: npt.NDArray[np.integer[Any]], patch: PatchShape, *, count: int, rng: np.random.Generator
) -> Centres:
    """Voxels of a region by chance, whose patches hold no voxel of a lesion; fewer where there are not so many."""
    places = np.flatnonzero(within)
    order = rng.permutation(len(places))
    found: list[Centres] = []
    missing = count
    for some in np.array_split(order, max(1, -(-len(order) // max(4 * count, 1)))):
        if missing <= 0:
            break
        centres = np.stack(np.unravel_index(places[some], within.shape), axis=-1).astype(np.int64)
        free = centres[voxels_in(lesions > 0, centres, patch) == 0][:missing]
        found.append(free)
        missing -= len(free)
    return np.concatenate(found) if found else np.zeros((0, 3), np.int64)


def hardest(
    places: npt.ArrayLike, scores: npt.ArrayLike, lesion: npt.NDArray[np.bool_], *, count: int, apart: int = 1
) -> npt.NDArray[np.intp]:
    """Which candidates score highest and are no lesion: highest first, ties in the given order.

    Parameters
    ----------
    places
        Voxel coordinates of candidates ``(n, 3)``, perhaps fractional.
    scores
        ``(n,)``: how much each looks like a lesion.
    lesion
        ``(n,)``: whether it is one, or too near to one.
    apart
        Nested candidates have nearly the same place: of two nearer than this many voxels along every axis, the first is
        taken.
    """
    voxels = np.rint(np.asarray(places, dtype=float).reshape(-1, 3)).astype(np.int64)
    taken: list[int] = []
    for i in np.argsort(-np.asarray(scores, dtype=float), kind="stable"):
        if len(taken) == count:
            break
        if not lesion[i] and all(np.abs(voxels[i] - voxels[other]).max() >= apart for other in taken):
            taken.append(int(i))
    return np.asarray(taken, dtype=np.intp)


def voxels_in(mask: BoolArray, centres: Centres, patch: PatchShape) -> npt.NDArray[np.int64]:
    """How many voxels of a mask ``(z, y, x)`` lie in the block that the patch around each centre reads, ``(n,)``."""
    from tasks.imaging.integral_image import box_sums, integral_image

    starts = centres - np.asarray(patch.reach) // 2
    low, high = np.maximum(starts, 0), np.minimum(starts + patch.reach, mask.shape)
    return np.asarray(box_sums(integral_image(mask.astype(np.uint8)), low, high), dtype=np.int64)


def _block(array: Any, centre: Centres, reach: Size, outside: float | None) -> npt.NDArray[Any]:
    start = centre - np.asarray(reach) // 2
    stop = start + reach
    if (centre < 0).any() or (centre >= array.shape).any():
        raise ValueError(f"expected a centre within {tuple(array.shape)}; got {tuple(int(n) for n in centre)}")
    low, high = np.maximum(start, 0), np.minimum(stop, array.shape)
    inner = np.array(array[tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))])
    margins = list(zip(low - start, stop - high, strict=True))
    if outside is None:
        return np.pad(inner, margins, mode="edge")
    return np.pad(inner, margins, constant_values=outside)


def _axis_centres(length: int, reach: int, step: int) -> Centres:
    """Along one axis: starts at 0, then by steps, the last so that it ends at the end."""
    if length <= reach:
        return np.array([(length - reach) // 2 + reach // 2])
    starts = np.append(np.arange(0, length - reach, step), length - reach)
    return starts + reach // 2
