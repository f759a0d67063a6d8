"""The real PET cohort through the whole chain: at least as good as every rule that looks less, and nothing lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.flows.conftest import Ended, Workplace

CHECKOUT = Path(__file__).parents[2]
pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def sarcomas(workplace: Workplace, real_data: Path) -> Ended:
    """``deployments/studies/sts_pet.toml`` from scratch."""
    study = CHECKOUT / "deployments" / "studies" / "sts_pet.toml"
    return workplace.start_run(workplace.new("sarcomas"), real_data / "sts" / "dicom", study).wait(600)


def test_all_24_patients_are_analysed_and_ct_and_mr_are_set_aside(sarcomas: Ended) -> None:
    summary = sarcomas.summary
    assert sarcomas.code == 0
    assert (summary["received"], summary["analysed"], summary["excluded"]) == (24, 24, [])
    assert (summary["series_seen"], summary["set_aside"], summary["waiting"]) == (72, 24, 0)
    assert summary["findings"] == 24


def test_no_threshold_and_no_rule_that_does_not_look_is_better(sarcomas: Ended) -> None:
    ours = sarcomas.summary["metrics"]
    for rule, theirs in sarcomas.summary["baselines"].items():
        for metric in ("hits_iou_0.3", "dice"):
            assert ours[metric]["value"] >= theirs[metric]["value"], (rule, metric)
    assert ours["hits_iou_0.3"]["value"] >= 21 / 24
    assert ours["dice"]["value"] >= 0.70


def test_every_metric_says_its_interval_its_n_and_its_rule(sarcomas: Ended) -> None:
    for name, metric in sarcomas.summary["metrics"].items():
        assert metric["low"] <= metric["value"] <= metric["high"], name
        assert (metric["low"], metric["high"]) != (1, 1), name
        assert metric["n"] == 24
        assert metric["rule"]


def test_an_unchanged_cohort_computes_nothing(workplace: Workplace, sarcomas: Ended, real_data: Path) -> None:
    assert sarcomas.store is not None
    study = CHECKOUT / "deployments" / "studies" / "sts_pet.toml"
    again = workplace.run(sarcomas.store, real_data / "sts" / "dicom", study)
    assert again.computed == {}
    again.assert_same_outputs(sarcomas)
