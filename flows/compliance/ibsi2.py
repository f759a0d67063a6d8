"""IBSI 2: response maps of the filters (phase 1), and intensity statistics of responses on the CT phantom (phase 2).

Configurations A are slice-wise on the image as it is, configurations B in three dimensions on voxels of 1 mm. Filters
see the whole image; statistics are of the region between -1000 and 400 HU.

References
----------
Whybra et al. 2024, doi:10.1148/radiol.231319; the manual, arXiv:2006.05470
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from flows.compliance.phantoms import Phantom, from_nifti
from flows.compliance.response_maps import compare_maps
from flows.compliance.verdict import Row, judged, read_references
from storage.errors import CaseError
from tasks.extract.describe import Describer, columns
from tasks.extract.settings import Settings
from tasks.imaging.morphology import mask_box
from tasks.imaging.response import filters

GABOR = {"name": "gabor", "sigma_mm": 5, "lambda_mm": 2, "gamma": 1.5, "theta_step_deg": 22.5}
WAVELET = {"name": "separable_wavelet", "wavelet": "db3"}
FILTERS: dict[str, dict[str, Any] | None] = {
    "1.A": None,
    "1.B": None,
    "2.A": {"name": "mean", "size": 5},
    "2.B": {"name": "mean", "size": 5},
    "3.A": {"name": "log", "sigma_mm": 1.5},
    "3.B": {"name": "log", "sigma_mm": 1.5},
    "4.A": {"name": "laws", "kernel": "L5E5", "delta": 7},
    "4.B": {"name": "laws", "kernel": "L5E5E5", "delta": 7},
    "5.A": GABOR,
    "5.B": GABOR,
    "6.A": {**WAVELET, "band": "LH"},
    "6.B": {**WAVELET, "band": "LLH"},
    "7.A": {**WAVELET, "band": "HH", "level": 2},
    "7.B": {**WAVELET, "band": "HHH", "level": 2},
    "8.A": {"name": "simoncelli", "level": 1},
    "8.B": {"name": "simoncelli", "level": 1},
    "9.A": {"name": "simoncelli", "level": 2},
    "9.B": {"name": "simoncelli", "level": 2},
}
"""By configuration; ``None``: the statistics of the image itself. Rotations are pooled as the filters' defaults do."""

PREPARED: dict[str, dict[str, Any]] = {
    "A": {},
    "B": {"interpolation": {"spacing_mm": 1.0, "image": "cubic", "round_intensities": True}},
}


def compare(folder: Path) -> list[Row]:
    """Our response maps and statistics beside all references.

    Raises
    ------
    CaseError
        When the folder does not hold the phantoms, maps and values of the standard.
    """
    return [*compare_maps(folder), *compare_statistics(folder)]


def compare_statistics(folder: Path) -> list[Row]:
    """The statistics by configuration."""
    table = folder / "reference_ibsi2" / "reference_feature_values" / "reference_values.csv"
    chest = folder / "ibsi_1_ct_radiomics_phantom" / "nifti"
    if absent := [str(place.relative_to(folder)) for place in (table, chest) if not place.exists()]:
        raise CaseError(f"no references of IBSI 2 here: '{folder}' lacks {', '.join(absent)}")
    known = read_references(
        table, value="consensus_value", tolerance="tolerance", tag="feature_tag", configuration="filter_id"
    )
    phantom = from_nifti(chest, "HU")
    ours = {name: values for prepared in PREPARED for name, values in statistics(phantom, prepared).items()}
    return [
        row
        for configuration, references in groupby(known, key=lambda one: one.configuration)
        for row in judged(references, ours.get(configuration, {}), configuration=configuration, source=phantom.source)
    ]


def statistics(phantom: Phantom, prepared: str) -> dict[str, dict[str, float]]:
    """Of every configuration that is prepared in this way: our values by the standard's tags."""
    settings, beginnings = configurations(prepared)
    box = mask_box(phantom.mask)
    describer = Describer(phantom.image, settings)
    found = describer.describe(*describer.region(box, phantom.mask[box]))
    features = columns(settings.model_copy(update={"filters": ()}))
    return {
        configuration: {info.tag: found[begin + name] for name, info in features.items() if info.tag}
        for configuration, begin in beginnings.items()
    }


def configurations(prepared: str) -> tuple[Settings, dict[str, str]]:
    """The settings of all configurations that are prepared in this way, and how each begins its columns' names."""
    used = {
        name: block and filters()[block["name"]].model_validate({**block, "slice_wise": prepared == "A"})
        for name, block in FILTERS.items()
        if name.endswith(prepared)
    }
    settings = Settings.model_validate(
        {
            "families": ("first_order",),
            "resegmentation": {"lowest": -1000, "highest": 400},
            "filters": [one for one in used.values() if one],
            **PREPARED[prepared],
        }
    )
    return settings, {name: f"{one.label}." if one else "" for name, one in used.items()}
