"""What a study file may say of normalize."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from flows.settings import load_study
from flows.study_file import StudyFileError
from tasks.imaging.catalog import steps
from tasks.normalize.settings import Settings

STUDY = """
name = "chest"
[ingest.images.ct]
modality = "CT"
"""


def study_file(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(STUDY + text)
    return path


def test_a_study_lists_its_steps_in_order(tmp_path: Path) -> None:
    text = '[[normalize.steps]]\nname = "clip"\n[[normalize.steps]]\nname = "gaussian"\nsigma_mm = 2\n'
    study = load_study(study_file(tmp_path, text))
    assert [step.name for step in study.normalize.steps or ()] == ["clip", "gaussian"]
    assert study.normalize.steps[1].sigma_mm == 2.0  # type: ignore[index,union-attr]


def test_every_operation_survives_a_study_file_and_its_key() -> None:
    for kind in steps().values():
        if not kind.for_augmentation and "3-D" in kind.kinds:
            settings = Settings(steps=(kind(),))
            assert Settings.model_validate_json(settings.model_dump_json()) == settings


def test_an_unknown_step_is_named_with_its_line_and_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(StudyFileError, match=r"line 5: normalize.steps\[0\]: .*did you mean 'gaussian'\?") as error:
        load_study(study_file(tmp_path, '[[normalize.steps]]\nname = "gausian"\n'))
    assert all(f"'{name}'" in str(error.value) for name in steps())


def test_an_unknown_key_of_a_step_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(StudyFileError, match=r"normalize.steps\[0\].sigma: no such key; did you mean 'sigma_mm'"):
        load_study(study_file(tmp_path, '[[normalize.steps]]\nname = "gaussian"\nsigma = 2\n'))


@pytest.mark.parametrize("name", [name for name, kind in steps().items() if kind.for_augmentation])
def test_a_step_that_moves_the_patient_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="moves the patient"):
        Settings(steps=(steps()[name](),))


def test_a_step_for_colour_is_refused_on_volumes() -> None:
    with pytest.raises(ValidationError, match="is for colour images, not for volumes"):
        Settings(steps=(steps()["saturation"](),))


def test_two_steps_that_learn_are_refused() -> None:
    with pytest.raises(ValidationError, match="expected one step that learns"):
        Settings(steps=(steps()["nyul"](), steps()["match_histogram"]()))


def test_a_grid_beside_listed_steps_is_refused() -> None:
    with pytest.raises(ValidationError, match="list the step 'resample'"):
        Settings(spacing_mm=(1, 1, 1), steps=(steps()["flip"](),))


def test_no_steps_at_all_are_refused() -> None:
    with pytest.raises(ValidationError, match="one step at least"):
        Settings(steps=())


@pytest.mark.parametrize("spacing", [(0, 1, 1), (1, -1, 1), (1, 1)])
def test_a_grid_that_cannot_be_one_is_refused(spacing: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError, match="spacing_mm"):
        Settings(spacing_mm=spacing)  # type: ignore[arg-type]
