"""Phantoms and records that the report's tests share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from storage.finding import Finding, IntensityStatistics
from storage.volume import Volume
from tasks.report.drawn import Outcome
from tasks.report.targets import CasePanel


def make_finding(**changes: object) -> Finding:
    values: dict[str, object] = {
        "case": "C-1",
        "patient": "P-1",
        "number": 1,
        "image": "ct",
        "model": "a" * 64,
        "label": "lesion",
        "confidence": 0.875,
        "position_mm": (-12.5, 30.25, 1 / 3),
        "centroid_mm": (-12.0, 30.0, 0.0),
        "voxel": (10, 20, 30),
        "source_instance": "2.25.7",
        "long_axis_mm": 12.0,
        "short_axis_mm": 9.0,
        "volume_ml": 0.6,
        "intensity": IntensityStatistics(unit="HU", mean=40.0, sd=5.0, minimum=-10.0, median=41.0, maximum=90.0),
        "mask": "b" * 64,
    }
    return Finding.model_validate({**values, **changes})


@pytest.fixture
def finding() -> Callable[..., Finding]:
    return make_finding


@pytest.fixture
def panel() -> CasePanel:
    """A noisy CT with one finding that hits, one that does not, and a missed lesion."""
    noise = np.random.default_rng(7).normal(-800, 40, (30, 60, 60)).astype(np.float32)
    volume = Volume(noise, (4.0, 2.0, 2.0), (-60.0, -60.0, -60.0), unit="HU")
    findings = np.zeros(volume.shape, np.uint8)
    lesions = np.zeros(volume.shape, np.uint8)
    findings[8:11, 10:16, 10:16] = 1
    lesions[8:11, 11:17, 10:16] = 1
    findings[20:22, 40:44, 40:44] = 2
    lesions[14:17, 40:46, 15:20] = 2
    records = tuple(
        make_finding(number=n, confidence=c, position_mm=tuple(volume.to_world_mm(at).tolist()))
        for n, c, at in ((1, 0.9, (9, 13, 13)), (2, 0.6, (21, 42, 42)))
    )
    outcome = Outcome(lesions=2, missed=(2,), verdicts={1: "hit", 2: "false positive"})
    return CasePanel("C-1", "P-1", "ct", volume, findings, lesions, records, outcome)
