"""The brain MR study: better than size and border of a picture, and only as sure as it may be.

It runs with the quickest of its models; what all of them reach together is in ``docs/results.md``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.flows.conftest import Ended, Workplace

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(900)]

TRAIN = """[extract]
families = ["block_patterns", "block_histogram"]

[train]
models = ["svm"]
families = ["hog", "block_patterns", "block_histogram"]
options = {svm = {inverse_penalty = 10.0}}

"""
STUDY = Path(__file__).parents[2] / "deployments" / "studies" / "brain_mri4.toml"


@pytest.fixture(scope="module")
def brains(workplace: Workplace, real_data: Path) -> Ended:
    """The study as it is, but for its models."""
    told = STUDY.read_text()
    begin = told.index("[extract]")
    study = workplace.file("brains.toml", told[:begin] + TRAIN + told[told.index("[report]") :])
    return workplace.start_run(workplace.new("brains"), real_data / "brain_mri4", study).wait(timeout_s=800)


def test_what_a_picture_shows_beats_size_and_border(brains: Ended) -> None:
    assert brains.code == 0, brains.said
    summary = brains.summary
    assert (summary["received"], summary["analysed"]) == (480, 480)
    ours, frame = summary["metrics"]["accuracy"], summary["baselines"]["size_and_border"]["accuracy"]
    assert ours["value"] > frame["value"]
    assert ours["low"] > summary["baselines"]["majority"]["accuracy"]["high"]
    [key] = [line.key for line in brains.lines if line.stage == "evaluate"]
    assert brains.store is not None
    evaluation = json.loads((brains.store / "artifacts" / "evaluate" / key / "evaluation.json").read_text())
    [difference] = [one for one in evaluation["differences"] if one["baseline"] == "size_and_border"]
    assert difference["difference"] == pytest.approx(ours["value"] - frame["value"])
    assert difference["low"] < difference["difference"] < difference["high"]
    assert difference["n"] == 480


def test_what_shows_the_same_is_in_one_fold(brains: Ended) -> None:
    [key] = [line.key for line in brains.lines if line.stage == "split"]
    assert brains.store is not None
    folds = json.loads((brains.store / "artifacts" / "split" / key / "folds.json").read_text())
    assert folds["count"] == 5
    assert folds["duplicates"] == 13
    members: dict[int, set[int]] = {}
    for case, group in folds["groups"].items():
        members.setdefault(group, set()).add(folds["folds"][case])
    assert {len(several) for several in members.values()} == {1}
