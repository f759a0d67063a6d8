"""A run of a study: its books balance, its report stands, and the dashboard tells the same story."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from flows.forecast import forecast
from flows.settings import load_study

if TYPE_CHECKING:
    from tests.flows.conftest import Ended, Workplace

pytestmark = pytest.mark.server

PER_CASE = ["ingest", "annotate", "normalize", "sample", "extract", "detect", "match", "draw"]
PER_COHORT = ["features", "split", "evaluate", "report"]


def test_a_run_over_sound_patients_ends_with_0_and_analyses_all(three: Ended) -> None:
    assert three.code == 0, three.said
    assert (three.summary["received"], three.summary["analysed"], three.summary["excluded"]) == (3, 3, [])
    folds_and_refit = 4
    assert three.computed == dict.fromkeys(PER_CASE, 3) | dict.fromkeys(PER_COHORT, 1) | {"train": folds_and_refit}


def test_the_forecast_was_what_came(workplace: Workplace, three: Ended) -> None:
    forecasted = forecast(load_study(workplace.study()), 3)
    assert three.computed == +sum(map(Counter[str], forecasted), Counter[str]())


def test_every_series_and_case_is_in_the_books(three: Ended, damaged: Ended) -> None:
    for run in (three, damaged):
        said = run.summary
        used = 2 * said["analysed"]  # a CT and its structure set
        assert said["series_seen"] == used + said["set_aside"] + said["quarantined"] + said["waiting"]
        assert said["received"] == said["analysed"] + len(said["excluded"])


def test_findings_in_csv_json_and_summary_agree(three: Ended) -> None:
    outbox = Path(three.summary["report"]).parent
    as_json = json.loads((outbox / "findings.json").read_text())
    with Path(three.summary["findings_csv"]).open(encoding="utf-8-sig") as file:
        as_csv = list(csv.DictReader(file))
    assert len(as_json) == len(as_csv) == three.summary["findings"] > 0
    names = ("case", "patient", "model", "label")
    assert [[row[name] for name in names] for row in as_csv] == [[row[name] for name in names] for row in as_json]
    confidences = [(float(row["confidence"]), found["confidence"]) for row, found in zip(as_csv, as_json, strict=True)]
    assert all(left == pytest.approx(right, abs=1e-6) for left, right in confidences)


def test_the_report_is_a_page_that_names_every_case(three: Ended) -> None:
    page = Path(three.summary["report"]).read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    cases = {line.subject for line in three.lines if line.stage == "ingest"}
    assert len(cases) == 3
    assert all(case in page for case in cases)


def test_every_artifact_verifies(workplace: Workplace, three: Ended) -> None:
    checked = workplace.do("verify", "--store", str(three.store))
    assert checked.code == 0
    assert f"{sum(three.computed.values())} artifacts checked, 0 damaged" in checked.said


def test_the_ledger_shows_every_piece_of_work(workplace: Workplace, three: Ended) -> None:
    table = workplace.do("ledger", "--store", str(three.store)).said
    assert len(three.lines) == sum(three.computed.values())
    assert {line.state for line in three.lines} == {"computed"}
    for line in three.lines:
        assert re.search(rf"{line.stage} .*{line.subject} .*computed", table)


def test_the_dashboard_shows_the_run_and_its_tasks_by_stage_and_case(workplace: Workplace, three: Ended) -> None:
    run = three.summary["run"]
    assert workplace.flow_run(run)["state"]["name"] == "Completed"
    tasks = workplace.task_runs(run)
    expected = {f"{line.stage} {line.subject}" for line in three.lines}
    assert set(tasks) == expected | {"scan inbox"}
    assert set(tasks.values()) == {"Completed"}
    assert all(re.fullmatch(r"C-[A-Z2-7]{12}", name.split()[1]) for name in tasks if name.startswith("extract"))


def test_the_dashboard_holds_the_artifacts_and_links_a_report_that_opens(workplace: Workplace, three: Ended) -> None:
    found = workplace.ask("artifacts", {"flow_runs": {"id": {"any_": [three.summary["run"]]}}})
    artifacts = {artifact["key"]: artifact for artifact in found}
    assert set(artifacts) == {"progress", "report", "metrics", "froc", "stages", "excluded"}
    assert artifacts["progress"]["data"] == 100.0
    [link] = re.findall(r"\((http://127\.0\.0\.1:\d+/[0-9a-f]{12}/report\.html)\)", artifacts["report"]["data"])
    answer = httpx.get(link, trust_env=False)
    assert answer.text == Path(three.summary["report"]).read_text(encoding="utf-8")
    rules = {row["what"] for row in json.loads(artifacts["metrics"]["data"])}
    assert {"this study", "threshold", "centre"} <= rules


def test_a_gpu_that_is_required_and_absent_is_bad_input_at_once(workplace: Workplace, inbox_of_one: Path) -> None:
    study = workplace.study(('name = "phantoms"', 'name = "phantoms"\ngpu = "require"'))
    store = workplace.new("store")
    run = workplace.run(store, inbox_of_one, study, env={"CUDA_VISIBLE_DEVICES": "", "PATH": "/nowhere"})
    assert run.code == 2
    assert 'gpu = "require"' in run.said
    assert "--scheduler" in run.said
    assert not list(store.glob("artifacts/*"))
    assert workplace.running() == []
