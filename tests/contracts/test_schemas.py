"""The contract that other programs rely on: fields, names and exit codes of what `lesionflow` publishes.

Written out by hand on purpose. A test that fails here says: somebody else's program would break; change the code back,
or change the contract with a reason in the changelog.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows import cli
from flows.commands import running
from flows.summary import Estimate, Exclusion, RunSummary
from storage.errors import StoreError
from tasks.evaluate.baselines import BASELINES
from tasks.evaluate.settings import Settings as EvaluateSettings
from tasks.evaluate.summarize import summarize
from tasks.evaluate.verdicts import CaseMatch, LesionMatch

STUDY = """
name = "tiny"
[ingest.images]
pet = { modality = "PT" }
"""

FINDING = {
    "case": "string",
    "patient": "string",
    "number": "integer",
    "image": "string",
    "model": "string",
    "label": "string",
    "confidence": "number",
    "position_mm": ["number", "number", "number"],
    "centroid_mm": ["number", "number", "number"],
    "voxel": ["integer", "integer", "integer"],
    "source_instance": "string",
    "source_frame": "integer or null",
    "long_axis_mm": "number",
    "short_axis_mm": "number",
    "volume_ml": "number",
    "intensity": {
        "unit": "string",
        "mean": "number",
        "sd": "number",
        "minimum": "number",
        "median": "number",
        "maximum": "number",
    },
    "mask": "string or null",
    "flags": "list of string",
}
ESTIMATE = {"value": "number or null", "low": "number or null", "high": "number or null", "n": "integer or null"}
SUMMARY = {
    "run": "string",
    "study": "string",
    "series_seen": "integer",
    "set_aside": "integer",
    "quarantined": "integer",
    "waiting": "integer",
    "received": "integer",
    "analysed": "integer",
    "excluded": {"list of": {"case": "string", "stage": "string", "reason": "string"}},
    "stages": {
        "by name": {"computed": "integer", "cached": "integer", "failed": "integer", "seconds": "number"},
    },
    "metrics": {"by name": {**ESTIMATE, "rule": "string", "analysed": {"or null": ESTIMATE}}},
    "baselines": {"by name": {"by name": ESTIMATE}},
    "report": "string or null",
    "findings_csv": "string or null",
    "findings": "integer",
    "notes": "list of string",
    "seconds": "number",
}
COMMIT = {
    "stage": "string",
    "key": "string",
    "subject": "string",
    "inputs": {"by name": "anything"},
    "settings": {"by name": "anything"},
    "source": "string",
    "versions": {"by name": "string"},
    "verdict": "string or null",
    "files": {"by name": "string"},
    "seconds": "number",
    "peak_mib": "number",
    "host": "string",
    "committed": "string",
}
EVERY_STUDY = ["name", "description", "gpu", "intended_use", "limits", "kind", "ingest", "split", "normalize"]
STUDY_BLOCKS = [*EVERY_STUDY, "sample", "extract", "train", "detect", "evaluate", "report"]
PICTURE_STUDY_BLOCKS = [*EVERY_STUDY, "extract", "train", "evaluate", "report"]
SEGMENTATION_STUDY_BLOCKS = [*EVERY_STUDY, "train", "detect", "evaluate", "report"]
METRICS = {
    "auc", "hits_iou_0.3", "hits_iou_0.5", "hits_overlap", "hits_centroid", "dice", "sensitivity_at_1_fp", "cpm",
    "fp_per_scan", "fp_per_litre",
}  # fmt: skip
"""Of detection. `accuracy` and `balanced_accuracy` belong to the classification of pictures."""
BASELINE_NAMES = {
    "suv_2.0", "suv_2.5", "suv_4.0", "local_41", "threshold", "centre", "box", "box_suv_1", "random_point",
    "size_and_border", "first_order_logistic", "wavelet_svm", "hog_svm", "majority",
}  # fmt: skip


def plain(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """A JSON Schema in the short words above."""
    if "$ref" in schema:
        return plain(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        first, *rest = (plain(choice, definitions) for choice in schema["anyOf"])
        return {"or null": first} if isinstance(first, dict) and rest == ["null"] else " or ".join([first, *rest])
    if "prefixItems" in schema:
        return [plain(item, definitions) for item in schema["prefixItems"]]
    if schema.get("type") == "array":
        inner = plain(schema["items"], definitions)
        return {"list of": inner} if isinstance(inner, dict) else f"list of {inner}"
    if "properties" in schema:
        return {name: plain(value, definitions) for name, value in schema["properties"].items()}
    if schema.get("type") == "object":
        values = schema["additionalProperties"]
        return {"by name": "anything" if values is True else plain(values, definitions)}
    return schema.get("type", "anything")


def published(what: str) -> dict[str, Any]:
    result = CliRunner().invoke(cli.app, ["schema", what])
    assert result.exit_code == 0
    schema: dict[str, Any] = json.loads(result.stdout)
    return schema


def fields(what: str) -> Any:
    schema = published(what)
    return plain(schema, schema.get("$defs", {}))


# Fields


@pytest.mark.parametrize(("what", "expected"), [("finding", FINDING), ("summary", SUMMARY), ("commit", COMMIT)])
def test_a_record_has_exactly_the_fields_of_the_contract(what: str, expected: dict[str, Any]) -> None:
    assert fields(what) == expected


def test_what_may_be_missing_in_a_record_is_what_has_a_default() -> None:
    assert set(FINDING) - set(published("finding")["required"]) == {"source_frame", "mask", "flags"}
    assert set(COMMIT) - set(published("commit")["required"]) == {"verdict"}
    assert published("summary")["required"] == ["run", "study"]  # a run that failed early has counted nothing yet


def test_a_confidence_lies_between_0_and_1_and_findings_are_numbered_from_1() -> None:
    properties = published("finding")["properties"]
    assert (properties["confidence"]["minimum"], properties["confidence"]["maximum"]) == (0, 1)
    assert properties["number"]["minimum"] == 1


def test_a_study_has_one_block_per_stage_and_needs_a_name_and_images() -> None:
    study = published("study")
    assert list(study["properties"]) == STUDY_BLOCKS
    assert list(published("picture_study")["properties"]) == PICTURE_STUDY_BLOCKS
    assert list(published("segmentation_study")["properties"]) == SEGMENTATION_STUDY_BLOCKS
    assert study["required"] == ["name", "ingest"]
    assert study["$defs"][study["properties"]["ingest"]["$ref"].rpartition("/")[2]]["required"] == ["images"]


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """All objects with named fields of a schema."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def test_unknown_keys_are_refused_in_every_block_of_a_study() -> None:
    blocks = list(objects(published("study")))
    assert len(blocks) > len(STUDY_BLOCKS) - 3
    assert [block["title"] for block in blocks if block.get("additionalProperties") is not False] == []


def test_all_schemas_are_published_together() -> None:
    every = published("all")
    assert list(every) == ["study", "picture_study", "segmentation_study", "summary", "finding", "commit"]
    assert every["finding"] == published("finding")
    assert CliRunner().invoke(cli.app, ["schema", "nothing"]).exit_code == 2


# Names


def test_metrics_have_the_names_of_the_contract() -> None:
    match = CaseMatch(case="C-1", patient="P-1", body_litres=50.0, lesions=(LesionMatch(label=1, volume_ml=3.0),))
    metrics = summarize([match], [], EvaluateSettings(bootstrap_draws=100))
    assert set(metrics) == METRICS
    for metric in metrics.values():
        assert set(metric.model_dump()) >= {"value", "low", "high", "n", "rule"}


def test_baselines_have_names_of_the_contract() -> None:
    assert set(BASELINES) <= BASELINE_NAMES
    assert set(BASELINES) >= {"suv_2.5", "local_41", "threshold", "centre", "box", "random_point"}


# Arithmetic and exit codes


def summary(**values: Any) -> RunSummary:
    return RunSummary(run="r", study="tiny", **values)


EXCLUSION = Exclusion(case="C-1", stage="ingest", reason="two slices are missing")


def test_a_summary_comes_back_from_json() -> None:
    metric = {"value": 0.5, "low": None, "high": 1.0, "n": 3, "rule": "half"}
    told = summary(received=2, analysed=1, excluded=[EXCLUSION], metrics={"cpm": metric}, report="report.html")
    assert RunSummary.model_validate_json(told.model_dump_json()) == told


def test_a_baseline_keeps_value_and_interval_and_leaves_the_rest_in_the_evaluation() -> None:
    assert set(Estimate.model_validate({"value": 1, "low": 0, "high": 1, "rule": "x"}).model_dump()) == set(ESTIMATE)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``lesionflow run`` on a study that does not really run: it ends as told. Returns its exit code."""
    study, data, out = tmp_path / "study.toml", tmp_path / "data", tmp_path / "out.json"
    study.write_text(STUDY)
    data.mkdir()

    def invoke(ending: RunSummary | BaseException, **changes: Path) -> int:
        def end(*_: Any, **__: Any) -> tuple[RunSummary, str]:
            if isinstance(ending, BaseException):
                raise ending
            return ending, "http://127.0.0.1:4200"

        monkeypatch.setattr(running, "_with_servers", end)
        paths = {"study": study, "data": data} | changes
        arguments = ["run", str(paths["study"]), "--data", str(paths["data"]), "--store", str(tmp_path / "store")]
        return CliRunner().invoke(cli.app, [*arguments, "--json", str(out)]).exit_code

    return invoke


def test_0_is_done_and_3_is_done_with_exclusions(run: Any) -> None:
    assert run(summary()) == 0
    assert run(summary(excluded=[EXCLUSION])) == 3
    assert run(summary(quarantined=1)) == 3
    assert run(summary(set_aside=5, waiting=2, notes=["2 folds instead of 5"])) == 0


def test_2_is_bad_settings_or_input(run: Any, tmp_path: Path) -> None:
    typo = tmp_path / "typo.toml"
    typo.write_text(STUDY + "[splitt]\nfolds = 3\n")
    assert run(summary(), study=typo) == 2
    assert run(summary(), study=tmp_path / "missing.toml") == 2
    assert run(summary(), data=tmp_path / "missing") == 2
    assert run(StoreError("the store has another format")) == 2


def test_1_is_failed_and_130_is_stopped(run: Any) -> None:
    assert run(RuntimeError("a bug")) == 1
    assert run(KeyboardInterrupt()) == 130


def test_the_summary_is_written_as_json(run: Any, tmp_path: Path) -> None:
    run(summary(received=4, analysed=3, excluded=[EXCLUSION]))
    told = json.loads((tmp_path / "out.json").read_text())
    assert set(told) == set(SUMMARY)
    assert told["received"] == told["analysed"] + len(told["excluded"])
    assert told["excluded"] == [{"case": "C-1", "stage": "ingest", "reason": "two slices are missing"}]
