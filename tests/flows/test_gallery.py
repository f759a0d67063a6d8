"""``lesionflow gallery``: which images of a folder it takes, that it names nobody, and its exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from typer.testing import CliRunner

from flows.cli import app
from flows.examples import find_examples
from storage.volume import Volume
from tasks.imaging import catalog
from tasks.imaging.denoise import gaussian
from tasks.imaging.geometry import flip
from tasks.imaging.organ import organs
from tasks.imaging.step import Array, Step, View
from tasks.phantom.dicom import Study, write_ct_series
from tasks.report import organ_strips

NAME, PATIENT_ID = "WAXWORK^AGNES", "HOSPITAL-4711"


class Settings(Step):
    """Refuses everything."""

    name: Literal["refuses"] = "refuses"

    def apply(self, block: Array, view: View) -> Array:
        raise RuntimeError("it is broken")


Settings.__module__ = "tasks.imaging.denoise.refuses"


def ct_series(folder: Path, *, slices: int, seed: int = 0) -> None:
    """A CT of a ball, in a folder and files that carry the patient's name."""
    folder.mkdir(parents=True)
    z, y, x = np.mgrid[-1 : 1 : slices * 1j, -1:1:64j, -1:1:64j]
    hu = np.where(z**2 + y**2 + x**2 < 0.8, 40, -1000) + np.random.default_rng(seed).integers(-9, 10, z.shape)
    files = [folder / f"{NAME} {number}.dcm" for number in range(slices)]
    write_ct_series(Volume(hu.astype(np.int16), (3.0, 1.5, 1.5), unit="HU"), Study(f"{seed}", NAME, PATIENT_ID), files)


def picture(path: Path, *, colour: bool = False, side: int = 64) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels if colour else pixels[..., 0]).save(path)


def nifti(path: Path, shape: tuple[int, int, int] = (5, 48, 64)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(np.random.default_rng(1).integers(0, 900, shape).astype(np.int16))
    image.SetSpacing((0.5, 1.0, 4.0))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    sitk.WriteImage(image, str(path))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a CT, an ultrasound picture, and a mask beside it."""
    ct_series(tmp_path / "data" / f"{NAME} {PATIENT_ID}", slices=8)
    picture(tmp_path / "data" / "ultrasound" / f"{NAME}.png")
    picture(tmp_path / "data" / "ultrasound" / "mask" / "large.png", side=99)
    return tmp_path / "data"


@pytest.fixture
def gallery(monkeypatch: pytest.MonkeyPatch, data: Path, tmp_path: Path) -> Callable[..., tuple[Any, Path]]:
    """The command with a few operations."""

    def run(*more: type[Step]) -> tuple[Any, Path]:
        few: list[type[Step]] = [gaussian.Settings, flip.Settings, *more]
        monkeypatch.setattr(catalog, "steps", lambda: {str(s.model_fields["name"].default): s for s in few})
        monkeypatch.setattr(
            organ_strips, "organs", lambda: {name: organs()[name] for name in ("lungs", "retina_field")}
        )
        out = tmp_path / "new" / "page.html"
        return CliRunner().invoke(app, ["gallery", "--data", str(data), "--out", str(out)]), out

    return run


def test_the_page_is_written_and_what_was_not_found_is_said(gallery: Any) -> None:
    done, out = gallery()
    assert done.exit_code == 0, done.output
    page = out.read_text()
    assert 'id="retina-field"' in page
    assert "no example of PET was found" in done.output
    assert "CT example 1" in page


def test_nobody_is_named(gallery: Any) -> None:
    done, out = gallery(Settings)
    page = out.read_text()
    for secret in (NAME, "WAXWORK", "AGNES", PATIENT_ID, "ELSEWHERE", "2.25.", str(out.parents[1])):
        assert secret not in page
    for secret in (NAME, PATIENT_ID):
        assert secret not in done.output


def test_an_operation_that_fails_is_on_the_page_and_ends_the_command_with_1(gallery: Any) -> None:
    done, out = gallery(Settings)
    assert done.exit_code == 1
    assert "failed: refuses" in done.output
    assert "Failed: RuntimeError: it is broken" in out.read_text()


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["gallery", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "page.html")])
    assert done.exit_code == 2
    assert "--data" in done.output


def test_help_says_what_it_needs() -> None:
    done = CliRunner().invoke(app, ["gallery", "--help"])
    assert done.exit_code == 0
    assert "--data" in done.output
    assert "--out" in done.output


def test_kinds_are_found_by_modality_and_by_words_and_masks_are_left_out(data: Path) -> None:
    nifti(data / "brain" / "flair.nii.gz")
    nifti(data / "brain" / "flair_mask.nii.gz")
    picture(data / "photos" / "skin.jpg", colour=True)
    picture(data / "fundus" / "1.png", colour=True)
    found = find_examples(data)
    assert {kind: len(examples) for kind, examples in found.items()} == {
        "CT": 1,
        "PET": 0,
        "MR": 1,
        "ultrasound": 1,
        "retina": 1,
        "tissue": 1,
        "picture": 1,
    }
    assert (found["CT"][0].unit, found["CT"][0].spacing_mm) == ("HU", (3.0, 1.5, 1.5))
    assert found["ultrasound"][0].array.shape == (64, 64)
    assert found["picture"][0].array.shape == (64, 64, 3)
    assert found["MR"][0].spacing_mm == (4.0, 1.0, 0.5)


def test_a_nifti_volume_is_turned_to_face_as_dicom_does(tmp_path: Path) -> None:
    nifti(tmp_path / "brain.nii")
    [example] = find_examples(tmp_path)["MR"]
    raw = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "brain.nii")))
    assert np.array_equal(example.array, raw[:, ::-1, ::-1])
    assert np.allclose(example.direction, ((0, 0, 1), (0, 1, 0), (1, 0, 0)))


def test_the_largest_come_first_and_each_from_another_folder(tmp_path: Path) -> None:
    for folder, slices in (("a", 6), ("b/1", 12), ("b/2", 10)):
        ct_series(tmp_path / folder, slices=slices, seed=slices)
    found = find_examples(tmp_path, per_kind=3)["CT"]
    assert [len(example.array) for example in found] == [12, 6, 10]
    assert [example.title for example in found] == ["CT example 1", "CT example 2", "CT example 3"]
    assert len(find_examples(tmp_path, per_kind=1)["CT"]) == 1


def test_what_cannot_be_read_is_passed_over_for_the_next(tmp_path: Path) -> None:
    ct_series(tmp_path / "whole", slices=6, seed=1)
    ct_series(tmp_path / "broken", slices=12, seed=2)
    sorted((tmp_path / "broken").iterdir())[5].unlink()
    (tmp_path / "note.png").write_bytes(b"no picture")
    (tmp_path / "note.nii").write_bytes(b"no volume")
    picture(tmp_path / "tiny.png", side=8)
    found = find_examples(tmp_path)
    assert [len(example.array) for example in found["CT"]] == [6]
    assert found["picture"] == found["MR"] == []


def test_an_empty_folder_has_only_the_pictures_that_scikit_image_ships(tmp_path: Path) -> None:
    found = find_examples(tmp_path)
    assert {kind for kind, examples in found.items() if examples} <= {"retina", "tissue"}
