"""``lesionflow features``: one region from files, in numbers that can be reckoned by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from typer.testing import CliRunner, Result

from flows.cli import app
from tasks.phantom.cohort import write_patient

SETTINGS = """
[extract]
families = ["shape", "first_order"]
stability_regions = 0
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A block of 2 × 4 × 5 voxels of 2 mm³ that holds 100 and 200 in equal parts, and a second label."""
    image = np.zeros((8, 10, 12), dtype=np.int16)
    image[2:4, 3:7, 4:9] = 100
    image[3, 3:7, 4:9] = 200
    mask = np.zeros(image.shape, dtype=np.uint8)
    mask[2:4, 3:7, 4:9] = 1
    mask[6, 1, 1] = 2
    for name, array in (("image", image), ("mask", mask), ("empty", mask * 0)):
        written = sitk.GetImageFromArray(array)
        written.SetSpacing((1.0, 1.0, 2.0))
        sitk.WriteImage(written, str(tmp_path / f"{name}.nii.gz"))
    (tmp_path / "settings.toml").write_text(SETTINGS)
    return tmp_path


def ask(folder: Path, *arguments: str | Path, image: str = "image.nii.gz", mask: str = "mask.nii.gz") -> Result:
    given = ["features", str(folder / image), str(folder / mask), "--settings", str(folder / "settings.toml")]
    return CliRunner().invoke(app, [*given, *map(str, arguments)])


def test_values_have_units_codes_and_the_settings_that_made_them(files: Path) -> None:
    said = json.loads(ask(files, "--json", "--unit", "HU", "--label", "1").stdout)
    assert (said["voxels"], said["voxels_counted"], said["unit"]) == (40, 40, "HU")
    assert said["features"]["first_order.mean"] == {
        "value": 150.0,
        "unit": "HU",
        "ibsi_code": "Q4LE",
        "reason": None,
    }
    assert said["features"]["shape.volume_voxels"]["value"] == pytest.approx(80.0)
    assert said["settings"]["families"] == ["shape", "first_order"]


def test_all_values_of_the_mask_count_without_a_label(files: Path) -> None:
    assert json.loads(ask(files, "--json").stdout)["voxels"] == 41


def test_people_get_a_table(files: Path) -> None:
    result = ask(files, "--label", "1")
    assert result.exit_code == 0
    assert "40 voxels, 40 of them counted" in result.stdout
    assert "0 without a value" in result.stdout


def test_an_empty_mask_gives_reasons_in_place_of_values(files: Path) -> None:
    result = ask(files, "--json", mask="empty.nii.gz")
    assert result.exit_code == 0
    features = json.loads(result.stdout)["features"]
    assert {one["value"] for one in features.values()} == {None}
    assert {one["reason"] for one in features.values()} == {"the mask is empty"}


def test_intensities_that_resegmentation_leaves_out_give_reasons(files: Path) -> None:
    (files / "settings.toml").write_text(SETTINGS + "[extract.resegmentation]\nlowest = 5000\n")
    features = json.loads(ask(files, "--json").stdout)["features"]
    assert features["first_order.mean"]["reason"] == "re-segmentation has left no intensity"
    assert features["shape.volume_voxels"]["value"] == pytest.approx(82.0)


def test_filters_get_columns_of_their_own_in_units_of_the_response(files: Path) -> None:
    (files / "settings.toml").write_text(SETTINGS + '[[extract.filters]]\nname = "mean"\nsize = 1\n')
    features = json.loads(ask(files, "--json", "--label", "1", "--unit", "HU").stdout)["features"]
    assert features["mean_1.first_order.mean"] == {
        "value": 150.0,
        "unit": "response",
        "ibsi_code": "Q4LE",
        "reason": None,
    }
    assert not any(name.startswith("mean_1.shape") for name in features)


def test_a_series_and_a_structure_set_are_read_as_they_lie_on_disk(files: Path) -> None:
    patient = write_patient(files / "inbox", 0, seed=3, size="test")
    contours = patient.rtstruct_file.rename(files / "contours.dcm").name
    series = "inbox"
    result = ask(files, "--json", image=series, mask=contours)
    assert result.exit_code == 0, result.stderr
    said = json.loads(result.stdout)
    assert said["unit"] == "HU"
    expected = sum(patient.volumes_ml)
    assert said["features"]["shape.volume_voxels"]["value"] / 1000 == pytest.approx(expected, rel=0.25)
    wrong = ask(files, "--roi", "liver", image=series, mask=contours)
    assert wrong.exit_code == 2
    assert "none is called liver" in wrong.stderr


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"image": "nowhere.nii.gz"}, "there is no image at"),
        ({"image": "settings.toml"}, "is no image that can be read"),
        ({"image": "nan.mha"}, "values that are not finite numbers"),
        ({"mask": "turned.nii.gz"}, "mm beside the image"),
        ({"arguments": ("--roi", "liver")}, "choose by label"),
        ({"mask": "other.nii.gz"}, "they are not on one grid"),
        ({"arguments": ("--label", "7")}, "no voxel of the mask has the value 7; it has 0, 1, 2"),
        ({"arguments": ("--unit", "gray")}, "choose from: HU, SUV, arbitrary"),
    ],
)
def test_what_cannot_be_used_is_named(files: Path, changes: dict, says: str) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((8, 10, 12), np.uint8)), str(files / "other.nii.gz"))
    image = sitk.ReadImage(str(files / "image.nii.gz"), sitk.sitkFloat32)
    sitk.WriteImage(image / sitk.Cast(image == 0, sitk.sitkFloat32), str(files / "nan.mha"))
    mask = sitk.ReadImage(str(files / "mask.nii.gz"))
    mask.SetDirection((1, 0, 0, 0, -1, 0, 0, 0, 1))
    sitk.WriteImage(mask, str(files / "turned.nii.gz"))
    names = {name: changes[name] for name in ("image", "mask") if name in changes}
    result = ask(files, *changes.get("arguments", ()), **names)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.replace("│", " ").split())


def test_a_typo_in_the_settings_is_refused_with_its_line(files: Path) -> None:
    (files / "settings.toml").write_text(SETTINGS + "\n[extract.discretisation]\nbins = 3\n")
    result = ask(files)
    assert result.exit_code == 2
    assert "did you mean 'discretization'?" in result.stderr
