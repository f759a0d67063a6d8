"""Candidates of real sarcoma PETs: one of them agrees with the contour, though drawn on another modality."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from storage.volume import Volume
from tasks.sample.candidates import find_candidates
from tasks.sample.search_region import search_region

PATIENTS = ("STS_001", "STS_002", "STS_003")


def read(folder: Path) -> tuple[Volume, np.ndarray]:
    image = sitk.ReadImage(str(folder / "PET_image.nii.gz"))
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "PET_mask.nii.gz"))) > 0
    z, y, x = (float(s) for s in image.GetSpacing()[::-1])
    return Volume(sitk.GetArrayFromImage(image), (z, y, x), unit="SUV"), mask


@pytest.mark.parametrize("patient", PATIENTS)
def test_a_few_candidates_hold_one_with_iou_of_one_half(real_data: Path, patient: str) -> None:
    image, truth = read(real_data / "sts" / "nifti" / patient)
    candidates = find_candidates(image)
    best = 0.0
    for box, mask in candidates.masks():
        both = (mask & truth[box]).sum()
        best = max(best, both / (mask.sum() + truth.sum() - both))
    assert best >= 0.5
    assert len(candidates) < 50


@pytest.mark.parametrize("patient", PATIENTS)
def test_the_tumour_lies_in_the_body(real_data: Path, patient: str) -> None:
    image, truth = read(real_data / "sts" / "nifti" / patient)
    body = search_region(image).body
    assert body[truth].mean() > 0.99
    assert 0.3 < body.mean() < 0.99
