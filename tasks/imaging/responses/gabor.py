"""Gabor filters (Q88H), after the IBSI manual on filters (arXiv:2006.05470): waves of one length and direction.

The kernel is complex and lies in a plane: ``exp(-(u² + γ² v²) / (2 σ²) + 2πi u/λ)``, with u along the wave and v
across. It is cut off where it has fallen to 4e-6. The response is its size (modulus), so that θ and θ + 180° are the
same.

References
----------
Daugman 1985, doi:10.1364/JOSAA.2.001160; Petkov 1995, doi:10.1007/BF00203430
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from storage.volume import FloatArray, Triple
from tasks.imaging.filtering.filter import Filter
from tasks.imaging.filtering.pooling import Pooling, pooled
from tasks.imaging.filtering.wave_bank import WaveBank
from tasks.threads import over_slabs

TRUNCATE = 5.0
"""Standard deviations of the envelope's longer axis that the kernel reaches."""


class Settings(Filter):
    """Slice by slice in the axial plane; otherwise the mean of the responses in the three planes of the grid.

    Attributes
    ----------
    sigma_mm
        Standard deviation of the envelope along the wave (41LN).
    lambda_mm
        Length of the wave (S4N6).
    gamma
        Standard deviation along over that across the wave (GDR5).
    theta_deg
        Direction of the wave (FQER) from the later axis of the plane towards the earlier: from x towards y, that is
        clockwise as slices are shown.
    theta_step_deg, pooling
        Unless pooling is ``"none"``, responses are pooled over a full turn in these steps, from ``theta_deg`` on.
    """

    name: Literal["gabor"] = "gabor"
    sigma_mm: float = Field(5.0, gt=0)
    lambda_mm: float = Field(2.0, gt=0)
    gamma: float = Field(1.5, gt=0)
    theta_deg: float = Field(0.0, ge=0, lt=360)
    theta_step_deg: float = Field(45.0, gt=0, le=180)
    pooling: Pooling = "mean"

    @field_validator("theta_step_deg")
    @classmethod
    def _whole_turn(cls, step: float) -> float:
        if abs(360 / step - round(360 / step)) > 1e-9:
            raise ValueError(f"expected a step that goes into 360° without rest; got {step:g}")
        return step

    @property
    def label(self) -> str:
        """``gabor_5mm_2mm_1.5_0deg_45deg_mean``."""
        turned = () if self.pooling == "none" else (f"{self.theta_step_deg:g}deg", self.pooling)
        lengths = (f"{self.sigma_mm:g}mm", f"{self.lambda_mm:g}mm", self.gamma)
        return self.labelled(*lengths, f"{self.theta_deg:g}deg", *turned)

    def filtered(self, image: FloatArray, spacing_mm: Triple) -> FloatArray:
        """Moduli. Lengths are in mm along each axis; the kernel's weights are not made to have a sum of 1."""
        normals = (0,) if self.slice_wise else (0, 1, 2)
        total = np.zeros_like(image)
        for normal in normals:
            spacing = [s for axis, s in enumerate(spacing_mm) if axis != normal]
            planes = np.moveaxis(total, normal, 0)
            planes += self._in_planes(np.moveaxis(image, normal, 0), spacing) / len(normals)
        return total

    def directions_deg(self) -> list[float]:
        """Directions of the wave that differ in their response."""
        if self.pooling == "none":
            return [self.theta_deg]
        turn = self.theta_deg + np.arange(round(360 / self.theta_step_deg)) * self.theta_step_deg
        return [float(theta) for theta in np.unique(np.round(turn, 9) % 180)]

    def kernel(self, theta_deg: float, spacing_mm: list[float]) -> npt.NDArray[np.complex128]:
        """In a plane whose axes have this spacing, the direction being from the second towards the first."""
        radius = TRUNCATE * self.sigma_mm * max(1, 1 / self.gamma)
        reach = [int(np.ceil(radius / s)) for s in spacing_mm]
        first, second = (np.arange(-n, n + 1) * s for n, s in zip(reach, spacing_mm, strict=True))
        turn = np.exp(-1j * np.deg2rad(theta_deg)) * (second[None, :] + 1j * first[:, None])
        envelope = np.exp(-(turn.real**2 + (self.gamma * turn.imag) ** 2) / (2 * self.sigma_mm**2))
        return np.asarray(envelope * np.exp(2j * np.pi * turn.real / self.lambda_mm))

    def _in_planes(self, planes: FloatArray, spacing_mm: list[float]) -> FloatArray:
        """The pooled response of each plane by itself."""
        kernels = [self.kernel(theta, spacing_mm) for theta in self.directions_deg()]
        bank = WaveBank(kernels, planes.shape[1:], planes.dtype, self.boundary)
        found = np.empty(planes.shape, dtype=planes.dtype)

        def fill(start: int, stop: int) -> None:
            for at in range(start, stop):
                moduli = bank.moduli(planes[at])
                found[at] = next(moduli) if self.pooling == "none" else pooled(moduli, self.pooling, len(kernels))

        over_slabs(fill, len(planes))
        return found
