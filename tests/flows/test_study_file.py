"""A study file is read, or refused with every fault at once: line, key, and how to mend it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, model_validator

from flows.study_file import Problem, StudyFileError, load_toml_settings
from flows.toml_lines import KeyPath, locate_keys
from tasks.settings import StageSettings


class Bias(StageSettings):
    kind: Literal["bias"]
    shrink: int = 2


class Median(StageSettings):
    kind: Literal["median"]
    radius_mm: float = Field(2.0, gt=0)


class Image(StageSettings):
    modality: Literal["CT", "PT", "MR"]
    window: tuple[float, float] = (0.0, 1.0)


class Normalize(StageSettings):
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    steps: tuple[Annotated[Bias | Median, Field(discriminator="kind")], ...] = ()


class Train(StageSettings):
    folds: int = Field(5, ge=2)
    models: list[str] = Field(default=[])

    @model_validator(mode="after")
    def _needs_a_model(self) -> Train:
        if self.folds > 10 and not self.models:
            raise ValueError("more than 10 folds need a model")
        return self


class Study(StageSettings):
    name: str
    images: dict[str, Image] = Field(default={})
    normalize: Normalize = Normalize()
    train: Train | None = None


@pytest.fixture
def problems_in(tmp_path: Path) -> Any:
    def read(text: str) -> tuple[Problem, ...]:
        path = tmp_path / "study.toml"
        path.write_text(dedent(text), encoding="utf-8")
        with pytest.raises(StudyFileError) as refused:
            load_toml_settings(path, Study)
        return refused.value.problems

    return read


def test_a_study_file_becomes_settings_with_lists_as_tuples(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(
        'name = "n"\nimages.pet = {modality = "PT", window = [0, 2.5]}\n[[normalize.steps]]\nkind = "median"\n',
        encoding="utf-8",
    )
    study = load_toml_settings(path, Study)
    assert study.images["pet"].window == (0.0, 2.5)
    assert study.normalize.steps == (Median(kind="median", radius_mm=2.0),)


def test_a_typo_is_refused_with_line_full_key_and_nearest_key(problems_in: Any) -> None:
    assert problems_in(
        """\
        name = "n"

        [normalize]
        # a comment
        spacng_mm = [1, 1, 1]
        """
    ) == (Problem(5, "normalize.spacng_mm", "no such key; did you mean 'spacing_mm'?"),)


def test_a_typo_in_a_table_of_a_named_dictionary_is_found(problems_in: Any) -> None:
    [problem] = problems_in('name = "n"\n[images."low dose"]\nmodality = "CT"\nwindwo = [0, 1]\n')
    assert problem == Problem(4, 'images."low dose".windwo', "no such key; did you mean 'window'?")


def test_a_typo_in_the_second_block_of_a_list_names_its_number_and_its_own_keys(problems_in: Any) -> None:
    [problem] = problems_in(
        """\
        name = "n"
        [[normalize.steps]]
        kind = "bias"
        [[normalize.steps]]
        kind = "median"
        radius = 3
        """
    )
    assert problem == Problem(6, "normalize.steps[1].radius", "no such key; did you mean 'radius_mm'?")


def test_a_key_in_the_wrong_table_is_sent_to_the_right_one(problems_in: Any) -> None:
    [problem] = problems_in('name = "n"\nfolds = 3\n')
    assert problem == Problem(2, "folds", "no such key; it belongs in [train]")


def test_a_key_that_resembles_nothing_gets_the_list_of_keys(problems_in: Any) -> None:
    [problem] = problems_in('name = "n"\n[normalize]\nxyzzy = 3\n')
    assert problem.text == "no such key; valid here: spacing_mm, steps"


@pytest.mark.parametrize(
    ("line", "key", "text"),
    [
        ('folds = "3"', "train.folds", 'expected a valid integer; got "3" (text)'),
        ("folds = true", "train.folds", "expected a valid integer; got true (boolean)"),
        ("folds = 1", "train.folds", "expected a value greater than or equal to 2; got 1 (integer)"),
        ("folds = [3]", "train.folds", "expected a valid integer; got a list of 1"),
        ('models = ["a", 7]', "train.models[1]", "expected a valid string; got 7 (integer)"),
        ("folds = 11", "train", "more than 10 folds need a model"),
    ],
)
def test_an_unfit_value_is_named_with_what_was_expected_and_what_came(
    problems_in: Any, line: str, key: str, text: str
) -> None:
    [problem] = problems_in(f'name = "n"\n[train]\n{line}\n')
    assert (problem.key, problem.text) == (key, text)
    assert problem.line == (2 if key == "train" else 3)


def test_a_choice_that_is_misspelt_gets_the_nearest_choice(problems_in: Any) -> None:
    [problem] = problems_in('name = "n"\n[[normalize.steps]]\nkind = "medain"\n')
    assert problem.key == "normalize.steps[0]"
    assert problem.text.endswith("got \"medain\" (text); did you mean 'median'?")


def test_a_missing_key_is_reported_at_its_table(problems_in: Any) -> None:
    [problem] = problems_in('name = "n"\n\n[images.ct]\nwindow = [0, 1]\n')
    assert problem == Problem(3, "images.ct.modality", "this is required")


def test_all_faults_are_reported_at_once_in_the_order_of_lines(problems_in: Any) -> None:
    problems = problems_in('[train]\nfold = 3\n[normalize]\nspacing_mm = [1, "two", 3]\nstep = 1\n')
    assert [problem.line for problem in problems] == [None, 2, 4, 5]
    assert problems[0] == Problem(None, "name", "this is required")


def test_the_error_prints_the_file_and_one_line_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('nam = "n"\n', encoding="utf-8")
    with pytest.raises(StudyFileError) as refused:
        load_toml_settings(path, Study)
    assert str(refused.value).splitlines() == [
        f"{path}: 2 problems",
        "  name: this is required",
        "  line 1: nam: no such key; did you mean 'name'?",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('name = "n"\n[train\nfolds = 3\n', 2),
        ('name = "n"\nname = "m"\n', 2),
        ('name = "n"\n[train]\nfolds = [1,\n2', 4),
    ],
)
def test_a_syntax_error_is_reported_with_its_line(problems_in: Any, text: str, line: int) -> None:
    [problem] = problems_in(text)
    assert problem.line == line
    assert problem.text.startswith("not valid TOML: ")


def test_a_missing_file_is_a_problem_and_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(StudyFileError, match="cannot be read: No such file"):
        load_toml_settings(tmp_path / "none.toml", Study)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(b'name = "\xff"\n')
    with pytest.raises(StudyFileError, match="expected UTF-8 text; byte 8"):
        load_toml_settings(path, Study)


ODD_TOML = '''\
top = 1 # [not.a.table]
"quoted key".inner = 'a = 2'
text = """
[also.not.a.table]
key = 1 \\"""
"""
raw = \'\'\'
x = 1\'\'\'
list = [ # first
  1,
  [2, 3], # second
  {a = 1, "b.c" = [4]},
]
when = 1979-05-27 07:32:00
[ spaced . "out" ]
x=1
[[fruit]]
name = "apple"
[fruit.physical]
colour = "red"
[[fruit.varieties]]
name = "x"
[[fruit]]
name = "banana"
[[fruit.varieties]]
name = "y"
'''


def _paths(data: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from _paths(value, (*path, key))


def test_every_key_of_a_toml_file_has_a_line_and_nothing_else_has() -> None:
    assert set(locate_keys(ODD_TOML)) == set(_paths(tomllib.loads(ODD_TOML)))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("quoted key", "inner"), 2),
        (("raw",), 7),
        (("list", 1, 1), 11),
        (("list", 2, "b.c", 0), 12),
        (("when",), 14),
        (("spaced", "out", "x"), 16),
        (("fruit", 0, "physical", "colour"), 20),
        (("fruit", 1), 23),
        (("fruit", 1, "varieties", 0, "name"), 26),
    ],
)
def test_the_line_of_a_key_is_where_one_reads_it(path: KeyPath, line: int) -> None:
    assert locate_keys(ODD_TOML)[path] == line


@given(st.lists(st.text(alphabet="ab\"\\'#[]={},\n", max_size=6), min_size=1, max_size=4))
def test_no_text_in_a_value_moves_the_lines_after_it(values: list[str]) -> None:
    escaped = [value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for value in values]
    text = "".join(f'key{number} = """{value}"""\n' for number, value in enumerate(escaped))
    assert locate_keys(text) == {(f"key{number}",): number + 1 for number in range(len(values))}
