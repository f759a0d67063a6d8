"""Screening: each case once, with the model in production, without a look at what people have drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from storage.models import ModelRegistry

if TYPE_CHECKING:
    from tests.flows.conftest import Ended, Workplace

pytestmark = pytest.mark.server

PER_CASE = {"ingest", "normalize", "sample", "extract", "detect", "match", "draw"}


def screen(place: Workplace, store: Path, inbox: Path, *options: str) -> Ended:
    """Do ``lesionflow screen`` with one worker."""
    out = place.new("night.json")
    ended = place.do("screen", "--data", inbox, "--store", store, "--workers", "1", "--json", out, *options)
    ended.store, ended.summary = store, json.loads(out.read_text()) if out.is_file() else {}
    return ended


@pytest.fixture(scope="module")
def store(workplace: Workplace, three: Ended) -> Path:
    """The store of a study over three patients, with its model."""
    return workplace.copy(three)


@pytest.fixture(scope="module")
def new(workplace: Workplace) -> Path:
    """An inbox with a patient whom the model never saw."""
    return workplace.inbox(3)


@pytest.fixture(scope="module")
def first(workplace: Workplace, store: Path, new: Path) -> Ended:
    """The first night."""
    return screen(workplace, store, new)


def test_a_new_examination_is_screened_and_its_annotation_left_alone(first: Ended) -> None:
    assert first.code == 0, first.said
    assert first.summary["study"] == "phantoms-night"
    assert (first.summary["received"], first.summary["analysed"], first.summary["excluded"]) == (1, 1, [])
    assert first.computed == dict.fromkeys(PER_CASE | {"report"}, 1)
    assert first.summary["metrics"] == {}
    assert first.summary["set_aside"] == 1  # the structure set
    assert "phantoms-night" in first.summary["report"]
    assert Path(first.summary["report"]).is_file()
    assert Path(first.summary["findings_csv"]).is_file()


def test_the_same_case_is_not_screened_twice(workplace: Workplace, first: Ended, store: Path, new: Path) -> None:
    again = screen(workplace, store, new)
    assert again.computed == {}
    assert again.keys == first.keys
    assert first.store == store


def test_scoring_changes_no_finding_and_adds_metrics(
    workplace: Workplace, first: Ended, store: Path, new: Path
) -> None:
    findings = Path(first.summary["report"]).with_name("findings.json").read_bytes()
    scored = screen(workplace, store, new, "--score")
    assert scored.code == 0, scored.said
    assert scored.computed == dict.fromkeys(("annotate", "match", "draw", "evaluate", "report"), 1)
    assert Path(scored.summary["report"]).with_name("findings.json").read_bytes() == findings
    assert scored.summary["metrics"]["fp_per_scan"]["n"] == 1
    assert {"threshold", "box", "centre", "random_point"} <= set(scored.summary["baselines"])


def test_images_are_cut_only_when_asked(workplace: Workplace, first: Ended, store: Path, new: Path) -> None:
    cut = screen(workplace, store, new, "--recrop")
    assert cut.code == 0, cut.said
    assert cut.stage("ingest") == (1, 0, 0)
    assert cut.keys.isdisjoint({key for key in first.keys if key[0] != "report"})


def test_another_model_looks_again_at_prepared_images(
    workplace: Workplace, three: Ended, first: Ended, store: Path, new: Path
) -> None:
    """The model of the first fold stands for a better one."""
    other = next(line.key for line in three.lines if (line.stage, line.subject) == ("train", "fold 1"))
    registry = ModelRegistry(store)
    study = next(iter(registry.get("phantoms").studies.values()))
    registry.propose("phantoms", other, study)
    old = registry.get("phantoms").aliases["production"]
    listed = workplace.do("models", "list", "--store", store).said
    assert other[:12] in listed
    assert old[:12] in listed

    assert workplace.do("models", "promote", "phantoms", "--store", store).code == 0
    night = screen(workplace, store, new, "--model", "phantoms")
    assert night.computed == dict.fromkeys(("detect", "match", "draw", "report"), 1)
    shown = json.loads(workplace.do("models", "show", "phantoms", "--store", store).said)
    assert (shown["key"], shown["fitted"]["model"], shown["card"]) == (other, "logistic", None)

    assert workplace.do("models", "rollback", "phantoms", "--store", store).code == 0
    assert screen(workplace, store, new).computed == {}
    assert first.code == 0


def test_a_name_that_is_not_there_is_refused_with_those_that_are(workplace: Workplace, store: Path, new: Path) -> None:
    ended = screen(workplace, store, new, "--model", "phantom")
    assert ended.code == 2
    assert "no model 'phantom'; there are: phantoms" in ended.said
    ended = workplace.do("models", "promote", "phantoms", "0123", "--store", store)
    assert ended.code == 2
    assert "names 0 models of 'phantoms'" in ended.said


def test_an_empty_inbox_is_a_quiet_night(workplace: Workplace, store: Path) -> None:
    inbox = workplace.new("empty")
    inbox.mkdir()
    ended = screen(workplace, store, inbox)
    assert ended.code == 0, ended.said
    assert (ended.summary["received"], ended.summary["findings"]) == (0, 0)
    assert Path(ended.summary["report"]).is_file()


def test_a_damaged_examination_stops_no_night(workplace: Workplace, store: Path) -> None:
    inbox = workplace.inbox(2, 3)
    for path in workplace.slices(inbox, 2)[4:6]:
        path.unlink()
    ended = screen(workplace, store, inbox)
    assert ended.code == 3, ended.said
    assert (ended.summary["received"], ended.summary["analysed"]) == (2, 1)
    [excluded] = ended.summary["excluded"]
    assert excluded["stage"] == "ingest"
