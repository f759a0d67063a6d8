"""Where candidates are searched: organs by name, masks of other tools, and what the stage writes of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydantic import ValidationError

from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.errors import CaseError
from storage.ome_zarr import read_volume, write_volume
from storage.volume import Volume
from tasks.imaging.resample import to_itk
from tasks.phantom.thorax import thorax
from tasks.sample.candidates import find_candidates
from tasks.sample.search_region import search_region
from tasks.sample.settings import ImportedMask, Settings
from tasks.sample.task import plan, sample_case
from tasks.task import hand_over

CASE = Case(id="C-1", patient="P-1", digest="d", keys={"normalize": "n"})


@pytest.fixture(scope="module")
def chest() -> Volume:
    volume = thorax(np.random.default_rng(3), shape=(58, 90, 90), spacing_mm=(5.0, 4.0, 4.0)).volume
    return volume.with_array(volume.array.astype(np.float32))


def write_mask(path: Path, image: Volume, mask: np.ndarray) -> Path:
    sitk.WriteImage(to_itk(image.with_array(mask.astype(np.uint8))), str(path))
    return path


def ball(image: Volume) -> np.ndarray:
    z, y, x = np.indices(image.shape)
    return (z - 30) ** 2 + (y - 45) ** 2 + (x - 30) ** 2 < 8**2


def test_a_ct_is_searched_in_its_lungs_unless_said_otherwise(chest: Volume) -> None:
    usual = search_region(chest)
    assert usual.organ.organ == "lungs"
    assert np.array_equal(usual.organ.mask, search_region(chest, Settings(search_in="lungs")).organ.mask)
    body = search_region(chest, Settings(search_in="body"))
    assert np.array_equal(body.organ.mask, body.body)
    assert search_region(chest, Settings(search_in="liver")).organ.organ == "liver"


def test_an_organs_block_has_its_settings(chest: Volume) -> None:
    closed = search_region(chest, Settings.model_validate({"lungs": {"closing_mm": 20.0}})).organ.mask
    open_ = search_region(chest, Settings.model_validate({"lungs": {"closing_mm": 0.0}})).organ.mask
    assert open_.sum() < closed.sum()
    with pytest.raises(ValidationError, match="closing"):
        Settings.model_validate({"lungs": {"closing": 20.0}})
    with pytest.raises(ValidationError, match="retina_field"):
        Settings.model_validate({"retina_field": {}})


def test_an_organ_that_was_refused_is_a_fault_of_the_case(chest: Volume) -> None:
    with pytest.raises(CaseError, match="brain is looked for in arbitrary or grey or share or z; got 'HU'"):
        search_region(chest, Settings(search_in="brain"))


def test_a_mask_of_another_tool_is_searched(chest: Volume, tmp_path: Path) -> None:
    settings = Settings.model_validate({"search_in": {"mask": str(tmp_path / "{case}.nii.gz")}})
    path = settings.mask_file(CASE)
    assert path == tmp_path / "C-1.nii.gz"
    with pytest.raises(CaseError, match="mask of another tool was not found"):
        search_region(chest, settings, path)
    write_mask(path, chest, ball(chest))
    region = search_region(chest, settings, path)
    assert np.array_equal(region.organ.mask, ball(chest))
    assert region.organ.verdict == "accepted"
    within = [mask[...] & ~ball(chest)[box] for box, mask in find_candidates(chest, within=region.organ.mask).masks()]
    assert not any(outside.any() for outside in within)


def test_an_imported_mask_outside_of_the_body_is_doubtful(chest: Volume, tmp_path: Path) -> None:
    mask = np.zeros(chest.shape, bool)
    mask[:, :, :25] = True
    settings = Settings(search_in=ImportedMask(mask="unused"))
    region = search_region(chest, settings, write_mask(tmp_path / "m.nii", chest, mask))
    assert region.organ.verdict == "doubtful"
    assert "of the mask lies outside of the body" in region.organ.quality()["reasons"][0]


def test_braces_that_nothing_fills_are_refused() -> None:
    with pytest.raises(ValidationError, match="no other braces"):
        ImportedMask(mask="masks/{name}.nii")


def test_another_mask_gives_another_key(tmp_path: Path) -> None:
    settings = Settings.model_validate({"search_in": {"mask": str(tmp_path / "{case}.nii")}})
    keys = [plan(CASE, settings).key]
    for content in (b"one", b"two"):
        (tmp_path / "C-1.nii").write_bytes(content)
        keys.append(plan(CASE, settings).key)
    assert len(set(keys)) == 3
    assert plan(CASE, settings).carried == tmp_path / "C-1.nii"


def test_the_stage_writes_body_organ_and_verdict(chest: Volume, tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "store")
    marks = {"subject": "C-1", "settings": {}, "inputs": {}, "source": "s", "versions": {}}
    with store.write(stage="normalize", key="n", **marks) as folder:
        write_volume(folder / "image.zarr", chest)
    work = plan(CASE, Settings(max_candidates=5))
    sample_case.fn(*hand_over(work, store))
    folder = store.open("sample", work.key)
    organ = read_volume(folder / "organ.zarr")
    assert set(np.unique(organ.array)) == {0, 1, 2}
    assert organ.spacing_mm == chest.spacing_mm
    assert read_volume(folder / "body.zarr").array[organ.array > 0].all()
    quality = json.loads((folder / "organ.json").read_text())
    assert quality["organ"] == "lungs"
    assert quality["verdict"] == "accepted"
    assert quality["parts"] == ["right lung", "left lung"]
    assert quality["figures"]["volume_l"] > 1
