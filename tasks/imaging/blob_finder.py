"""Candidate regions around peaks in scale space: what the finders of blobs share.

A blob filter answers at every voxel and scale with the contrast of the bright ball that would answer so. A peak over
the neighbouring voxels and scales is a blob. Around it a region is grown: the connected voxels above half the way from
the surroundings to the middle of the blob, inside a ball (half-maximum; a vessel that leaves the ball is cut).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storage.volume import FloatArray, Triple
from tasks.imaging.candidate_set import Piece
from tasks.imaging.finder import Finder
from tasks.imaging.morphology import BoolArray, Box, grow_box, label_components, mask_box, placed_box

Transfer = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""A filter in the frequency domain: its factors at squared frequencies in (rad/mm)²."""


class BlobFinder(Finder):
    """Which blobs are candidates. ``None`` is filled by unit.

    Attributes
    ----------
    kind, radius_per_sigma
        Name of the pieces, and radius of the ball that answers most, as a multiple of sigma.
    sigmas_mm
        Scales in mm, ascending. Empty: no blobs.
    min_contrast
        Smallest contrast of an equivalent ball against its surroundings, in the image's unit; without a unit, in
        standard deviations of the intensities inside the searched region.
    clip
        Intensities are cut to this range first, so that bone and metal do not outshine; ``()`` for no clipping.
    max_blobs
        The strongest are kept.
    grow_factor
        Radius of the ball that holds the region, as a multiple of the blob's radius.
    """

    kind: ClassVar[str]
    radius_per_sigma: ClassVar[float]

    sigmas_mm: tuple[float, ...] | None = None
    min_contrast: float | None = Field(None, gt=0)
    clip: tuple[float, float] | tuple[()] | None = None
    max_blobs: int = Field(250, ge=1)
    grow_factor: float = Field(1.5, ge=1)

    @abstractmethod
    def responses(
        self, image: npt.NDArray[np.float32], *, sigmas_mm: tuple[float, ...], spacing_mm: Triple
    ) -> FloatArray:
        """Contrast of the ball that would answer so, for each scale: shape ``(scales, z, y, x)``, ``float32``."""

    def find(self, array: npt.NDArray[Any], within: BoolArray, *, spacing_mm: Triple, unit: str) -> list[Piece]:
        """Bright blobs and their regions, strongest first.

        Outside of ``within`` the image counts as the median of the inside, so that the edge of the searched region is
        no blob. A peak whose middle is not brighter than its surroundings inside ``within`` has no region and is left
        out.
        """
        chosen = self.by_unit(unit)
        if not chosen.sigmas_mm or not within.any():
            return []
        box = mask_box(within)
        inside = within[box]
        image = np.asarray(array[box], dtype=np.float32)
        if chosen.clip:
            image = np.clip(image, *chosen.clip)
        values = image[inside]
        image = np.where(inside, image, np.float32(np.median(values)))
        scale = 1.0 if unit in self.unit_defaults and unit != "arbitrary" else float(values.std()) or 1.0
        pieces = []
        for sigma, centre in chosen._peaks(image, inside, spacing_mm, (chosen.min_contrast or 0.0) * scale):
            radius_mm = sigma * self.radius_per_sigma
            region = grown(image, inside, centre, radius_mm, spacing_mm, factor=chosen.grow_factor)
            if region is not None:
                pieces.append(Piece(self.kind, sigma, placed_box(region[0], box), region[1]))
        return pieces

    def _peaks(
        self, image: npt.NDArray[np.float32], inside: BoolArray, spacing_mm: Triple, min_contrast: float
    ) -> list[tuple[float, tuple[int, int, int]]]:
        """Scale and voxel of the local maxima over 26 neighbours and the neighbouring scales, strongest first."""
        from scipy import ndimage

        sigmas = tuple(sorted(set(self.sigmas_mm or ())))
        contrast = self.responses(image, sigmas_mm=sigmas, spacing_mm=spacing_mm)
        highest = ndimage.maximum_filter(contrast, size=3, mode="nearest")
        found = np.argwhere((contrast == highest) & (contrast > min_contrast) & inside)
        order = np.argsort(-contrast[tuple(found.T)], kind="stable")[: self.max_blobs]
        return [(sigmas[i], (int(z), int(y), int(x))) for i, z, y, x in found[order]]


def filtered(
    image: npt.NDArray[np.float32], transfers: Sequence[Transfer], *, spacing_mm: Triple
) -> npt.NDArray[np.float32]:
    """The image through each of several isotropic filters: ``(filters, z, y, x)``.

    They are applied in the cosine domain: exact for anisotropic voxels; the cosine transform continues the image at its
    faces by reflection, without padding.
    """
    from scipy import fft

    spectrum = fft.dctn(image, workers=1)
    axes = (
        np.float32(np.pi / (n * s)) * np.arange(n, dtype=np.float32)
        for n, s in zip(image.shape, spacing_mm, strict=True)
    )
    z, y, x = (axis**2 for axis in axes)
    k2 = z[:, None, None] + y[:, None] + x
    responses = np.empty((len(transfers), *image.shape), dtype=np.float32)
    for i, transfer in enumerate(transfers):
        responses[i] = fft.idctn(spectrum * transfer(k2), workers=1)
    return responses


def grown(
    image: npt.NDArray[np.float32],
    inside: BoolArray,
    centre: tuple[int, int, int],
    radius_mm: float,
    spacing_mm: Triple,
    *,
    factor: float,
) -> tuple[Box, BoolArray] | None:
    """Box and mask of the region of a blob; ``None`` where it has no surroundings or is not brighter than they are.

    Parameters
    ----------
    inside
        Voxels that may belong to the region or its surroundings.
    centre, radius_mm
        Of the blob.
    factor
        The region stays in a ball of ``factor`` radii; the surroundings reach from there to twice as far.
    """
    z, y, x = (slice(c, c + 1) for c in centre)
    box = grow_box((z, y, x), 2 * factor * radius_mm, image.shape, spacing_mm)
    grids = [(np.arange(b.start, b.stop) - c) * s for b, c, s in zip(box, centre, spacing_mm, strict=True)]
    distance2 = grids[0][:, None, None] ** 2 + grids[1][:, None] ** 2 + grids[2] ** 2
    part, free = image[box], inside[box]
    core = (distance2 <= max((radius_mm / 2) ** 2, float(distance2.min()))) & free
    shell = (distance2 > (factor * radius_mm) ** 2) & (distance2 <= (2 * factor * radius_mm) ** 2) & free
    if not shell.any():
        return None
    middle, around = float(part[core].mean()), float(np.median(part[shell]))
    if middle <= around:
        return None
    labels, boxes = label_components((part > (middle + around) / 2) & (distance2 <= (factor * radius_mm) ** 2) & free)
    label = labels[np.unravel_index(int(np.argmax(np.where(core, part, -np.inf))), part.shape)]
    tight = boxes[label - 1]
    return placed_box(tight, box), labels[tight] == label
