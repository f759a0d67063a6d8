"""From the files of one CT, PET or MR series to a volume in Hounsfield units, SUV or arbitrary units.

Slices are sorted by their position along the slice normal, never by name or Instance Number, and each is scaled by
its own Rescale Slope and Intercept: PET often has another slope on every slice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from storage.errors import CaseError
from storage.volume import Volume
from tasks.ingest.settings import MINIMUM_SLICES
from tasks.ingest.slices import Slice, element, number, read_slice, text
from tasks.ingest.stack import stack_slices
from tasks.ingest.suv import suv_scale

UNITS = {"CT": "HU", "PT": "SUV", "MR": "arbitrary"}

Fact = str | float | int | bool

_FACTS = {
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "kernel": "ConvolutionKernel",
    "reconstruction": "ReconstructionMethod",
    "body_part": "BodyPartExamined",
    "patient_position": "PatientPosition",
    "photometric": "PhotometricInterpretation",
}
_FACTS_IN_NUMBERS = {
    "slice_thickness_mm": "SliceThickness",
    "tube_voltage_kv": "KVP",
    "field_strength_t": "MagneticFieldStrength",
    "echo_time_ms": "EchoTime",
    "repetition_time_ms": "RepetitionTime",
}
_PROMISES = {"NumberOfSlices": "Number of Slices", "ImagesInAcquisition": "Images in Acquisition"}


@dataclass(frozen=True, eq=False)
class ReadSeries:
    """A series as a volume.

    Attributes
    ----------
    volume
        ``float32``, ``(z, y, x)``; z runs along the slice normal.
    instance_uids
        Original SOP Instance UID of each slice, in the order of axis z: the caller remaps them.
    modality
        ``"CT"``, ``"PT"`` or ``"MR"``.
    unit
        ``"HU"``, ``"SUV"`` or ``"arbitrary"``.
    facts
        What the header tells about scanner and reconstruction; nothing that identifies a patient.
    """

    volume: Volume
    instance_uids: tuple[str, ...]
    modality: str
    unit: str
    facts: Mapping[str, Fact]


def read_series(files: Sequence[Path], *, minimum_slices: int = MINIMUM_SLICES) -> ReadSeries:
    """Read the files of one series.

    Parameters
    ----------
    files
        One single-frame image each, in any order.
    minimum_slices
        Fewer are no volume.

    Raises
    ------
    CaseError
        The files do not form a complete, evenly spaced volume of one modality with a known unit. The message says why
        and is free of identifiers and paths.
    OSError
        A file cannot be opened.
    """
    slices = [read_slice(path) for path in files]
    if len(slices) < max(2, minimum_slices):
        raise CaseError(f"{len(slices)} slices; expected at least {max(2, minimum_slices)}")
    modality = _modality(slices)
    stack = stack_slices(slices)
    slices = [slices[index] for index in stack.order]
    headers = [slice_.header for slice_ in slices]
    _check_complete(headers)
    facts = _facts(headers[0], len(slices))
    factor = 1.0
    if modality == "PT":
        factor, facts["suv"] = suv_scale(headers)
        facts["suv_factor"] = factor
    volume = Volume(
        _scaled(slices, modality, factor), stack.spacing_mm, stack.origin_mm, stack.direction, UNITS[modality]
    )
    uids = tuple(text(header, "SOPInstanceUID") for header in headers)
    return ReadSeries(volume, uids, modality, UNITS[modality], facts)


def _modality(slices: Sequence[Slice]) -> str:
    """The modality that all slices share, after a check that they are one series."""
    if len({text(slice_.header, "SeriesInstanceUID") for slice_ in slices}) > 1:
        raise CaseError("files of several series; expected one")
    modalities = {text(slice_.header, "Modality") for slice_ in slices}
    if len(modalities) > 1 or not modalities <= set(UNITS):
        raise CaseError(f"modality must be one of {', '.join(UNITS)}, the same on all slices")
    return modalities.pop()


def _check_complete(headers: Sequence[Dataset]) -> None:
    """Compare the number of slices with what the header promises.

    Number of Slices counts places, whatever the number of time slices or bed positions (PS3.3 C.8.9.4.1.9), so it is
    not multiplied by them.
    """
    for keyword, name in _PROMISES.items():
        promised = max(number(header, keyword) or 0 for header in headers)
        if len(headers) < promised:
            raise CaseError(f"incomplete: {len(headers)} slices, the header promises {promised:.0f} ({name})")


def _scaled(slices: Sequence[Slice], modality: str, factor: float) -> npt.NDArray[np.float32]:
    """Rescale each slice by its own slope and intercept, computed in double precision."""
    kinds = {text(slice_.header, "RescaleType").upper() for slice_ in slices}
    if len(kinds) > 1:
        raise CaseError("slices of different Rescale Type; expected one")
    if modality == "CT" and not kinds <= {"", "HU"}:
        raise CaseError("CT values of another Rescale Type than Hounsfield units (HU)")
    array = np.empty((len(slices), *slices[0].stored.shape), dtype=np.float32)
    for target, slice_ in zip(array, slices, strict=True):
        slope, intercept = _rescale(slice_.header, modality)
        target[...] = (slice_.stored * np.float64(slope) + intercept) * factor
    return array


def _rescale(header: Dataset, modality: str) -> tuple[float, float]:
    """Slope and intercept of a slice. Only MR may lack them, and then its stored values are its values."""
    if element(header, "ModalityLUTSequence") is not None:
        raise CaseError("values behind a Modality LUT are not supported; expected Rescale Slope and Intercept")
    slope, intercept = number(header, "RescaleSlope"), number(header, "RescaleIntercept")
    if modality == "MR" and slope is None and intercept is None:
        return 1.0, 0.0
    if slope is None or intercept is None:
        raise CaseError("no Rescale Slope and Intercept: the unit of the values is not known")
    if slope == 0:
        raise CaseError("Rescale Slope is 0")
    return slope, intercept


def _facts(header: Dataset, slices: int) -> dict[str, Fact]:
    """What is worth keeping from the header."""
    facts: dict[str, Fact] = {"slices": slices}
    facts.update({name: value for name, keyword in _FACTS.items() if (value := text(header, keyword))})
    for name, keyword in _FACTS_IN_NUMBERS.items():
        try:
            measured = number(header, keyword)
        except CaseError:
            continue  # nice to know, and no reason to lose the case
        if measured is not None:
            facts[name] = measured
    facts["transfer_syntax"] = header.file_meta.TransferSyntaxUID.name
    facts["lossy"] = text(header, "LossyImageCompression") == "01"
    return facts
