"""Only what changed, and what follows from it, is computed again; the outputs are those of a run from scratch."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from tests.flows.conftest import Ended, Workplace

pytestmark = pytest.mark.server

BEFORE_TRAINING = ("ingest", "annotate", "normalize", "sample", "extract")
COHORT = ("split", "evaluate", "report")


def descendants(command: psutil.Process) -> set[str]:
    """Command lines of what a process has started and still runs."""
    found = set()
    for child in command.children(recursive=True):
        try:
            found.add(" ".join(child.cmdline()))
        except psutil.Error:
            continue
    return found


def test_an_unchanged_study_computes_nothing_starts_no_worker_and_writes_the_same_report(
    workplace: Workplace, three: Ended
) -> None:
    before = Path(three.summary["report"]).read_bytes()
    command = workplace.start_run(workplace.copy(three), workplace.inbox(0, 1, 2))
    driver, started = psutil.Process(command.process.pid), set()
    while command.process.poll() is None:
        started |= descendants(driver) if driver.is_running() else set()
        try:
            command.process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
    again = command.wait()
    assert again.code == 0, again.said
    assert again.computed == {}
    assert {name: count["cached"] for name, count in again.summary["stages"].items()} == three.computed
    assert {line.state for line in again.lines} == {"cached"}
    assert not [line for line in started if "multiprocessing" in line or "dask" in line]
    assert Path(again.summary["report"]).read_bytes() == before
    states = workplace.task_runs(again.summary["run"], count=len(three.lines) + 1)
    assert states.pop("scan inbox") == "Completed"
    assert set(states.values()) == {"Cached"}
    assert len(states) == len(three.lines)
    again.assert_same_outputs(three)


def test_another_setting_of_extract_recomputes_extract_and_what_follows(workplace: Workplace, three: Ended) -> None:
    study = workplace.study(('families = ["first_order"]', 'families = ["first_order", "shape"]'))
    changed = workplace.run(workplace.copy(three), workplace.inbox(0, 1, 2), study)
    assert changed.code == 0, changed.said
    cached = {name for name, count in changed.summary["stages"].items() if count["cached"]}
    assert cached == {"ingest", "annotate", "split", "normalize", "sample"}
    assert changed.computed == {name: count for name, count in three.computed.items() if name not in cached}
    changed.assert_same_outputs(workplace.run(workplace.new("scratch"), workplace.inbox(0, 1, 2), study))


def test_a_new_patient_costs_that_patients_stages_and_the_cohorts(
    workplace: Workplace, three: Ended, four: Ended
) -> None:
    grown = workplace.run(workplace.copy(three), workplace.inbox(0, 1, 2, 3))
    assert grown.code == 0, grown.said
    assert all(grown.stage(name) == (1, 3, 0) for name in BEFORE_TRAINING)
    assert all(grown.stage(name) == (1, 0, 0) for name in COHORT)
    grown.assert_same_outputs(four)


def test_a_damaged_series_is_excluded_with_its_reason_and_stops_nothing(damaged: Ended) -> None:
    assert damaged.code == 3, damaged.said
    assert (damaged.summary["received"], damaged.summary["analysed"]) == (4, 3)
    assert damaged.summary["series_seen"] == 9
    assert damaged.summary["quarantined"] == 3  # the CT and its structure set, and the broken file
    [exclusion] = damaged.summary["excluded"]
    assert exclusion["stage"] == "ingest"
    assert "slice" in exclusion["reason"] or "pixel" in exclusion["reason"]
    assert damaged.stage("evaluate") == (1, 0, 0)
    assert exclusion["reason"] in damaged.said
    hits = damaged.summary["metrics"]["hits_iou_0.3"]
    assert hits["n"] == hits["analysed"]["n"] + 1  # the case that could not be analysed counts as missed


def test_a_case_with_a_missing_slice_stays_excluded_until_repaired_which_costs_its_stages_and_the_cohorts(
    workplace: Workplace, damaged: Ended, four: Ended
) -> None:
    store, inbox = workplace.copy(damaged), workplace.inbox(0, 1, 2, 3)
    whole = workplace.slices(inbox, 2)[16]
    aside = shutil.move(whole, workplace.new("aside"))
    lacking = workplace.run(store, inbox)
    assert lacking.code == 3, lacking.said
    [exclusion] = lacking.summary["excluded"]
    assert "slice" in exclusion["reason"]
    assert lacking.computed.keys() <= {"ingest", "evaluate", "report"}

    shutil.move(aside, whole)
    repaired = workplace.run(store, inbox)
    assert repaired.code == 0, repaired.said
    assert all(repaired.stage(name) == (1, 3, 0) for name in BEFORE_TRAINING)
    assert all(repaired.stage(name) == (1, 0, 0) for name in COHORT)
    repaired.assert_same_outputs(four)
