"""Organs of real images: a lung nodule that four readers contoured, brains at two times, breasts with lesions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from flows.reader_contours import contours_beside, read_contours
from storage.volume import Volume
from tasks.imaging.airways import trachea
from tasks.imaging.organ import OrganMask, organs
from tasks.imaging.resample import from_itk
from tasks.imaging.step import View
from tasks.ingest.series import read_series
from tasks.sample.candidates import find_candidates
from tasks.sample.search_region import SearchRegion, search_region


@pytest.fixture(scope="module")
def lung_ct(real_data: Path) -> tuple[Volume, np.ndarray]:
    """The lung CT on every other slice, row and column, and the nodule."""
    folder = real_data / "lidc0314" / "dicom"
    volume = read_series(sorted(folder.glob("*.dcm"))).volume
    contours = contours_beside(folder, real_data)
    assert contours is not None
    nodule = read_contours(contours, volume)[::2, ::2, ::2]
    z, y, x = volume.spacing_mm
    coarse = np.ascontiguousarray(volume.array[::2, ::2, ::2])
    return Volume(coarse, (2 * z, 2 * y, 2 * x), volume.origin_mm, volume.direction, "HU"), nodule


@pytest.fixture(scope="module")
def region(lung_ct: tuple[Volume, np.ndarray]) -> SearchRegion:
    return search_region(lung_ct[0])


@pytest.fixture(scope="module")
def lungs(region: SearchRegion) -> OrganMask:
    return region.organ


def test_the_lungs_of_a_patient_are_accepted_in_two_fields(lungs: OrganMask) -> None:
    assert lungs.verdict == "accepted"
    assert 1.5 < lungs.figures["volume_l"] < 2.0
    assert 0.6 < lungs.figures["volume_l right lung"] / lungs.figures["volume_l left lung"] < 1.0  # a lobe collapsed


def test_the_contoured_nodule_lies_in_the_right_lung_and_is_a_candidate(
    lung_ct: tuple[Volume, np.ndarray], lungs: OrganMask
) -> None:
    image, nodule = lung_ct
    assert nodule.sum() > 400
    assert (lungs.labels[nodule] == 1).all()
    best = 0.0
    for box, mask in find_candidates(image, within=lungs.mask).masks():
        both = (mask & nodule[box]).sum()
        best = max(best, float(both / (mask.sum() + nodule.sum() - both)))
    assert best > 0.5


def test_the_trachea_of_a_patient_is_no_lung(lung_ct: tuple[Volume, np.ndarray], region: SearchRegion) -> None:
    image, _ = lung_ct
    seed = trachea(image.array, (image.array < -400) & region.body, spacing_mm=image.spacing_mm)
    assert seed[-1].any()  # the scan ends above the carina
    assert not region.organ.mask[seed].any()


def test_the_brain_of_a_patient_has_one_volume_in_two_contrasts(real_data: Path) -> None:
    litres = []
    for contrast in ("FLAIR", "T1W"):
        path = real_data / "ms" / "patient01" / f"study1_{contrast}.nii.gz"
        found = organs()["brain"]().find_in(from_itk(sitk.ReadImage(str(path), sitk.sitkFloat32)))
        assert found.verdict == "accepted"
        litres.append(found.figures["volume_l"])
    assert all(1.0 < volume < 1.5 for volume in litres)
    assert litres[0] == pytest.approx(litres[1], rel=0.12)


def test_the_tissue_of_breast_ultrasounds_holds_their_lesions(real_data: Path) -> None:
    shares = []
    for path in sorted((real_data / "busi").glob("*/mask/*.png"))[::4]:
        lesion = np.asarray(Image.open(path).convert("L")) > 0
        picture = path.parents[1] / "images" / path.name.replace("_mask", "")
        pixels = np.asarray(Image.open(picture).convert("L"))
        found = organs()["breast_ultrasound"]().find(pixels, View.of(pixels, (1.0, 1.0), unit="grey"))
        assert found.verdict == "accepted"
        shares.append(found.mask[lesion].mean() if lesion.any() else 1.0)
    assert len(shares) > 10
    assert min(shares) > 0.99


def test_most_of_the_tiny_chest_x_rays_at_hand_show_two_lungs(real_data: Path) -> None:
    """Pictures of 28 × 28 pixels, enlarged; children, cut tightly. None of a usual size is at hand."""
    with np.load(real_data / "pneumoniamnist" / "pneumoniamnist.npz") as arrays:
        pictures = arrays["test_images"][:24]
    verdicts = []
    for tiny in pictures:
        pixels = np.asarray(Image.fromarray(tiny).resize((224, 224), Image.Resampling.BICUBIC))
        found = organs()["lungs_xray"]().find(pixels, View.of(pixels, (1.0, 1.0), unit="grey"))
        verdicts.append(found.verdict)
        if found.verdict != "refused":
            assert pixels[found.mask].mean() < pixels[:, 100:124].mean()  # darker than the mediastinum
    assert verdicts.count("refused") <= 6
    assert verdicts.count("accepted") >= 3  # most fields reach the edge


def test_a_liver_in_three_slices_agrees_with_its_segmentation(real_data: Path) -> None:
    folder = real_data / "dicom_edge" / "dcmqi" / "data" / "segmentations"
    image = read_series(sorted((folder / "ct-3slice").glob("*.dcm"))).volume
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "liver_seg.nrrd"))) > 0
    found = organs()["liver"]().find_in(image)
    assert found.verdict == "doubtful"  # three slices are no whole liver
    dice = 2 * (found.mask & truth).sum() / (found.mask.sum() + truth.sum())
    assert dice > 0.85


def test_a_heart_and_a_thigh_are_no_liver(real_data: Path, lung_ct: tuple[Volume, np.ndarray]) -> None:
    assert organs()["liver"]().find_in(lung_ct[0]).verdict == "refused"
    thigh = sitk.ReadImage(str(real_data / "sts" / "nifti" / "STS_001" / "CT_image.nii.gz"), sitk.sitkFloat32)
    image = from_itk(thigh, unit="HU")
    assert organs()["liver"]().find_in(image).verdict == "refused"
    assert organs()["lungs"]().find_in(image).verdict == "refused"
