"""A finding: what the night says about one place in one image. The same record in CSV, JSON and HTML."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class IntensityStatistics(BaseModel):
    """Intensities of the voxels of a finding, in the unit of the source image."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: str
    mean: float
    sd: float
    minimum: float
    median: float
    maximum: float


class Finding(BaseModel):
    """One lesion candidate that passed the operating point.

    Attributes
    ----------
    case, patient
        Pseudonyms.
    number
        1 for the most confident finding of the case, 2 for the next.
    image
        Name of the image in the study file, e.g. ``"pet"``.
    model
        Content key of the model that scored it.
    label
        Class, e.g. ``"lesion"``.
    confidence
        0–1; a calibrated probability only where the model carries a calibration.
    position_mm
        Peak, DICOM LPS ``(x, y, z)`` in mm.
    centroid_mm
        Centre of mass of the mask, DICOM LPS ``(x, y, z)`` in mm.
    voxel
        Peak in the source image as received (before any crop): ``(slice, row, column)``, slices counted along the slice
        normal from 0.
    source_instance, source_frame
        Remapped SOP Instance UID of that slice; frame number from 1, ``None`` for single-frame instances.
    long_axis_mm, short_axis_mm
        Largest diameter in the axial plane, and the largest perpendicular to it (RECIST 1.1,
        doi:10.1016/j.ejca.2008.10.026), in mm.
    volume_ml
        Volume of the mask, in ml.
    intensity
        Statistics of the source image in the mask.
    mask
        Key of the artifact that holds the mask; the mask is where its label image equals ``number``. ``None`` without a
        mask.
    flags
        Quality flags, e.g. ``"touches_border"``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: str
    patient: str
    number: int = Field(ge=1)
    image: str
    model: str
    label: str
    confidence: float = Field(ge=0, le=1)
    position_mm: tuple[float, float, float]
    centroid_mm: tuple[float, float, float]
    voxel: tuple[int, int, int]
    source_instance: str
    source_frame: int | None = None
    long_axis_mm: float
    short_axis_mm: float
    volume_ml: float
    intensity: IntensityStatistics
    mask: str | None = None
    flags: tuple[str, ...] = ()
