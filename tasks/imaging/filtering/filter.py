"""What a filter is: settings with a name, and a response map of an image.

Filters are kept apart from the operations of normalize (:mod:`tasks.imaging.step`): those make an image that people can
read, in its unit; these answer a question of the standard, with its kernels, borders and pooling, in arbitrary units.
All act on voxels; those with lengths in mm reckon them into voxels.

References
----------
Whybra et al. 2024, doi:10.1148/radiol.231319; the manual, arXiv:2006.05470
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from storage.errors import CaseError
from storage.volume import FloatArray, Triple
from tasks.imaging.filtering.boundary import Boundary
from tasks.imaging.step import floating
from tasks.settings import StageSettings


class Filter(StageSettings, ABC):
    """One filter: a block ``[[extract.filters]]``. A subclass is called ``Settings`` and gives ``name`` as default.

    Attributes
    ----------
    slice_wise
        Whether each slice is filtered by itself, in two dimensions.
    boundary
        What lies outside of the image.
    """

    name: str = ""
    slice_wise: bool = False
    boundary: Boundary = "mirror"

    @property
    @abstractmethod
    def label(self) -> str:
        """First part of the names of the features on its response; other settings, another label: ``log_3mm``."""

    @property
    def least_voxels(self) -> int:
        """How many voxels an image has at least along each axis that is filtered."""
        return 2

    @abstractmethod
    def filtered(self, image: FloatArray, spacing_mm: Triple) -> FloatArray:
        """What a filter's own file tells: :meth:`respond` for a large enough image of float32 or float64."""

    def respond(self, image: FloatArray, spacing_mm: Triple) -> FloatArray:
        """The response map of a whole image.

        Parameters
        ----------
        image
            ``(z, y, x)``, finite.
        spacing_mm
            Voxel spacing ``(z, y, x)`` in mm.

        Returns
        -------
        numpy.ndarray
            float32 of the same shape, float64 of float64.

        Raises
        ------
        CaseError
            When the image is too small, or its voxels are not what the filter needs.
        """
        along = image.shape[1:] if self.slice_wise else image.shape
        if min(along) < self.least_voxels:
            advice = "" if self.slice_wise or min(image.shape[1:]) < self.least_voxels else ", or filter slice-wise"
            size = " × ".join(map(str, image.shape))
            raise CaseError(
                f"filter {self.label!r} needs {self.least_voxels} voxels along each axis; got {size}: "
                f"take a larger image{advice}"
            )
        return self.filtered(floating(image), spacing_mm)

    def labelled(self, *parts: object) -> str:
        """A label of the filter's name, some parts, and what all filters can choose where it is not the default."""
        words = [self.name, *(f"{part:g}" if isinstance(part, float) else str(part) for part in parts if part != "")]
        words += ["2d"] if self.slice_wise else []
        words += [self.boundary] if self.boundary != Filter.model_fields["boundary"].default else []
        return "_".join(words)
