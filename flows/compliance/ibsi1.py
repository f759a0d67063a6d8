"""IBSI 1: features of the digital phantom, and of the CT phantom as configurations A to E prepare it.

References
----------
Zwanenburg et al. 2020, doi:10.1148/radiol.2020191145; the manual, arXiv:1612.07003, tables 5.1 and 5.2
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from flows.compliance.phantoms import Phantom, from_dicom, from_nifti
from flows.compliance.verdict import Reference, Row, judged, read_references
from storage.errors import CaseError
from storage.volume import FloatArray, Triple
from tasks.extract.describe import Describer
from tasks.extract.grid import Grid
from tasks.extract.region import Region
from tasks.extract.settings import Settings
from tasks.imaging.morphology import BoolArray, mask_box

DIGITAL = "digital phantom"
TABLES = {DIGITAL: "ibsi_1_dig_phantom.csv"} | {name: f"ibsi_1_chest_config_{name.lower()}.csv" for name in "ABCDE"}
FAMILIES = (
    "shape",
    "autocorrelation",
    "local_intensity",
    "first_order",
    "intensity_histogram",
    "intensity_volume",
    "glcm",
    "glrlm",
    "glszm",
    "gldzm",
    "ngtdm",
    "ngldm",
)
SLICES, VOLUME = ("2D", "2_5D"), ("3D",)
"""How textures are brought together; with directions, these are averaged or merged."""

IN_PLANE = {"spacing_mm": (2.0, 2.0), "round_intensities": True}
LINEAR = {"spacing_mm": 2.0, "round_intensities": True}
CUBIC = {**LINEAR, "image": "cubic"}
SIZE_25 = {"method": "fixed_bin_size", "width": 25.0}
BINS_32 = {"method": "fixed_bin_number", "bins": 32}
WHOLE = {"method": "none"}
A_AND_B: dict[str, Any] = {
    "resegmentation": {"lowest": -500, "highest": 400},
    "intensity_volume": {"discretization": WHOLE},
}
PREPARED: dict[str, dict[str, Any]] = {
    DIGITAL: {"discretization": WHOLE, "intensity_volume": {"discretization": WHOLE}},
    "A": {**A_AND_B, "discretization": SIZE_25},
    "B": {**A_AND_B, "interpolation": IN_PLANE, "discretization": BINS_32},
    "C": {
        "interpolation": LINEAR,
        "resegmentation": {"lowest": -1000, "highest": 400},
        "discretization": SIZE_25,
        "intensity_volume": {"discretization": {"method": "fixed_bin_size", "width": 2.5}},
    },
    "D": {
        "interpolation": LINEAR,
        "resegmentation": {"outliers_sd": 3},
        "discretization": BINS_32,
        "intensity_volume": {"discretization": WHOLE},
    },
    "E": {
        "interpolation": CUBIC,
        "resegmentation": {"lowest": -1000, "highest": 400, "outliers_sd": 3},
        "discretization": BINS_32,
        "intensity_volume": {"discretization": {"method": "fixed_bin_number", "bins": 1000}},
    },
}


def configuration(name: str) -> Settings:
    """The settings of a configuration, with every aggregation that the standard has values of there."""
    among = {DIGITAL: SLICES + VOLUME, "A": SLICES, "B": SLICES}.get(name, VOLUME)
    with_directions = [f"{one}_{merged}" for one in among for merged in ("avg", "comb")]
    blocks = {family: {"aggregations": with_directions} for family in ("glcm", "glrlm")}
    blocks |= {family: {"aggregations": list(among)} for family in ("glszm", "gldzm", "ngtdm", "ngldm")}
    return Settings.model_validate({"families": FAMILIES, "shape": {"enclosing": True}, **blocks, **PREPARED[name]})


def compare(folder: Path) -> list[Row]:
    """Our values beside all references, by configuration and source.

    Raises
    ------
    CaseError
        When the folder does not hold the phantoms and tables of the standard.
    """
    return [row for phantom, name, known in _cases(folder) for row in _compared(phantom, name, known)]


def _cases(folder: Path) -> Iterator[tuple[Phantom, str, list[Reference]]]:
    tables = _tables(folder / "reference_ibsi1")
    digital, chest = (folder / f"ibsi_1_{name}" for name in ("digital_phantom", "ct_radiomics_phantom"))
    if absent := [place.name for place in (digital, chest) if not place.is_dir()]:
        raise CaseError(f"no phantom of the IBSI here: '{folder}' lacks the folder {', '.join(absent)}")
    yield from_nifti(digital / "nifti", "arbitrary"), DIGITAL, tables.pop(DIGITAL)
    for phantom in (from_dicom(chest / "dicom"), from_nifti(chest / "nifti", "HU")):
        yield from ((phantom, name, known) for name, known in tables.items())


def _tables(folder: Path) -> dict[str, list[Reference]]:
    if absent := [table for table in TABLES.values() if not (folder / table).is_file()]:
        raise CaseError(f"no references of IBSI 1 here: '{folder}' lacks {', '.join(absent)}")
    return {
        name: read_references(folder / table, value="reference value", tolerance="tolerance", tag="tag")
        for name, table in TABLES.items()
    }


def _compared(phantom: Phantom, name: str, references: list[Reference]) -> list[Row]:
    ours = values(phantom, configuration(name))
    return judged(references, ours, configuration=name, source=phantom.source)


def values(phantom: Phantom, settings: Settings) -> dict[str, float]:
    """All features of a phantom, and what the standard asks of its preparation, by the standard's tags."""
    box = mask_box(phantom.mask)
    describer = Describer(phantom.image, settings)
    region, outer = describer.region(box, phantom.mask[box])
    found = describer.describe(region, outer)
    features = {info.tag: found[name] for name, info in describer.columns.items() if info.tag}
    return features | _preparation(phantom, describer.grid, region)


def _preparation(phantom: Phantom, grid: Grid, region: Region) -> dict[str, float]:
    """Image and region as they came, interpolated and re-segmented."""
    box = mask_box(phantom.mask)
    first, counted = phantom.image.array[box], phantom.mask[box]
    return {
        **_image(phantom.image.array, phantom.image.spacing_mm, "init_img"),
        **_image(grid.whole, grid.spacing_mm, "interp_img"),
        **_region(first, counted, counted, phantom.image.shape, "init_roi"),
        **_region(region.image, region.mask, region.mask, grid.shape, "interp_roi"),
        **_region(region.image, region.mask, region.counted, grid.shape, "reseg_roi"),
    }


def _image(array: FloatArray, spacing_mm: Triple, when: str) -> dict[str, float]:
    return {
        **_along_axes("img_dim", array.shape, when),
        **_along_axes("vox_dim", spacing_mm, when),
        **_intensities("", array, when),
    }


def _region(
    image: FloatArray, mask: BoolArray, counted: BoolArray, shape: tuple[int, int, int], when: str
) -> dict[str, float]:
    return {
        **_along_axes("int_mask_dim", shape, when),
        **_along_axes("int_mask_bb_dim", _sides(counted), when),
        **_along_axes("morph_mask_bb_dim", _sides(mask), when),
        f"int_mask_vox_count_{when}": float(counted.sum()),
        f"morph_mask_vox_count_{when}": float(mask.sum()),
        **_intensities("int_mask_", image[counted], when),
    }


def _intensities(what: str, values: FloatArray, when: str) -> dict[str, float]:
    return {
        f"{what}mean_int_{when}": float(values.mean(dtype=np.float64)),
        f"{what}min_int_{when}": float(values.min()),
        f"{what}max_int_{when}": float(values.max()),
    }


def _sides(mask: BoolArray) -> tuple[float, ...]:
    return tuple(side.stop - side.start for side in mask_box(mask))


def _along_axes(what: str, numbers: tuple[float, ...], when: str) -> dict[str, float]:
    return {f"{what}_{axis}_{when}": float(number) for axis, number in zip("zyx", numbers, strict=True)}
