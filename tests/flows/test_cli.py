"""What the commands say and the exit codes that scripts rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.flows.conftest import Ended, Workplace

pytestmark = pytest.mark.server


def test_a_typo_in_a_study_file_is_refused_with_line_key_and_nearest_key(
    workplace: Workplace, inbox_of_one: Path
) -> None:
    study = workplace.study(("[split]\nfolds = 3", "[split]\nfold = 3"))
    line = 1 + study.read_text().splitlines().index("fold = 3")
    store = workplace.new("store")
    run = workplace.run(store, inbox_of_one, study)
    assert run.code == 2
    assert f"line {line}: split.fold: no such key; did you mean 'folds'?" in run.said
    assert not store.exists()


def test_a_data_folder_that_is_not_there_is_refused(workplace: Workplace) -> None:
    run = workplace.run(workplace.new("store"), Path("nowhere"))
    assert run.code == 2
    assert "nowhere is not a folder" in run.said


def test_a_folder_of_something_else_is_no_store(workplace: Workplace, inbox_of_one: Path) -> None:
    for command in ("ledger", "verify", "gc"):
        ended = workplace.do(command, "--store", inbox_of_one)
        assert ended.code == 2
        assert "is not a store" in ended.said
    run = workplace.run(inbox_of_one, inbox_of_one)
    assert run.code == 2
    assert "is not empty and not a store" in run.said


def test_schemas_are_printed_for_pipes(workplace: Workplace) -> None:
    assert set(json.loads(workplace.do("schema").said)) == {
        "study",
        "picture_study",
        "segmentation_study",
        "summary",
        "finding",
        "commit",
    }
    assert "confidence" in json.loads(workplace.do("schema", "finding").said)["properties"]
    assert workplace.do("schema", "nothing").code == 2


def test_settings_are_printed_with_every_default(workplace: Workplace) -> None:
    ended = workplace.do("settings", workplace.study())
    assert ended.code == 0
    settings = json.loads(ended.said)
    assert settings["split"] == {"folds": 3, "seed": 0, "duplicates": {"distance": 12, "correlation": 0.995}}
    assert settings["evaluate"]["iou_hit"] == 0.3


def test_the_summary_fits_its_published_schema(workplace: Workplace, three: Ended) -> None:
    schema = json.loads(workplace.do("schema", "summary").said)
    assert set(three.summary) == set(schema["properties"])


def test_the_doctor_sees_the_servers_and_the_key(workplace: Workplace, three: Ended) -> None:
    said = workplace.do("doctor", "--store", str(three.store)).said
    for name in ("python", "packages", "disk", "prefect server", "report server", "pseudonym key"):
        assert name in said
    assert workplace.api_url.removesuffix("/api") in said


def test_the_status_says_where_the_servers_are(workplace: Workplace) -> None:
    ended = workplace.do("status")
    assert ended.code == 0
    assert workplace.api_url in ended.said


def test_the_ledger_lists_runs_and_can_be_rebuilt_from_the_store(workplace: Workplace, three: Ended) -> None:
    store = workplace.copy(three)
    assert three.summary["run"] in workplace.do("ledger", "--store", store, "--all").said
    for file in store.glob("ledger.sqlite*"):
        file.unlink()
    assert f"{len(three.lines)} entries rebuilt" in workplace.do("ledger", "--store", store, "--rebuild").said
    said = workplace.do("ledger", "--store", store).said
    assert all(line.key[:12] in said for line in three.lines)


def test_gc_keeps_what_the_last_runs_need_and_a_dry_run_only_tells(workplace: Workplace, three: Ended) -> None:
    store = workplace.copy(three)
    ended = workplace.do("gc", "--store", store, "--dry-run")
    assert ended.code == 0
    assert f"would remove 0 artifacts and 0 abandoned drafts (0.0 MiB); kept {len(three.lines)}" in ended.said
    for file in store.glob("ledger.sqlite*"):
        file.unlink()
    aliased = 1
    ended = workplace.do("gc", "--store", store, "--dry-run")
    assert f"would remove {len(three.lines) - aliased} artifacts" in ended.said
    assert f"{len(three.lines)} artifacts checked" in workplace.do("verify", "--store", store).said


def test_a_run_without_server_needs_none_and_leaves_none(workplace: Workplace, inbox_of_one: Path) -> None:
    apart = {"LESIONFLOW_STATE_DIR": str(workplace.new("state"))}
    command = workplace.start_run(workplace.new("store"), inbox_of_one, None, "--no-server", env=apart)
    run = command.wait()
    assert run.code == 0, run.said
    assert "nothing is trained: 1 annotated patients" in run.said
    assert Path(run.summary["report"]).is_file()
    assert command.is_gone
    down = workplace.do("down", env=apart)
    assert down.code == 0
    assert "no prefect-server of ours was running" in down.said
    assert "no report-server of ours was running" in down.said
