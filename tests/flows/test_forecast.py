"""How many pieces of work a study will have, counted by hand; that they are those that come, the chains' tests say."""

from __future__ import annotations

from typing import Any

from flows.forecast import Phases, forecast
from flows.settings import AnyStudy, SegmentationStudySettings, StudySettings

VOLUMES = {"name": "v", "ingest": {"images": {"ct": {"modality": "CT"}}}, "split": {"folds": 3}}
SEGMENTATION = {
    "kind": "segmentation",
    "name": "s",
    "ingest": {"structures": {"front": 1}},
    "split": {"folds": 3},
    "normalize": {"steps": [{"name": "zscore", "inside": "all"}]},
}
LEARNING = {"normalize": {"steps": [{"name": "nyul"}]}}


def volumes(**changes: Any) -> StudySettings:
    return StudySettings.model_validate(VOLUMES | changes)


def counted(phases: Phases) -> dict[str, int]:
    return {stage: count for phase in phases for stage, count in phase.items() if count}


def test_volumes_are_prepared_once_and_looked_at_once() -> None:
    per_case = ("ingest", "annotate", "normalize", "sample", "extract", "detect", "match", "draw")
    expected = dict.fromkeys(per_case, 10) | {"split": 1, "features": 1, "train": 4, "evaluate": 1, "report": 1}
    assert counted(forecast(volumes(), 10)) == expected


def test_fewer_cases_than_folds_have_as_many_folds_as_cases() -> None:
    assert counted(forecast(volumes(), 2))["train"] == 3


def test_where_normalize_learns_each_model_has_volumes_of_its_own() -> None:
    found = counted(forecast(volumes(**LEARNING), 10))
    assert (found["measure"], found["fit"]) == (10, 4)
    assert [found[stage] for stage in ("normalize", "sample", "extract")] == [40, 40, 40]


def test_models_on_patches_share_patches_of_one_form() -> None:
    entries = [{"model": "cnn3d"}, {"model": "haar_cascade"}]
    found = counted(forecast(volumes(train={"on_patches": entries}), 10))
    forms = len({entry.patches for entry in volumes(train={"on_patches": entries}).train.on_patches})
    assert (found["patches"], found["patch_model"]) == (10 * forms, 8)


def test_segmentation_learns_plain_rules_in_each_fold() -> None:
    per_case = ("ingest", "annotate", "normalize", "detect", "match")
    expected = dict.fromkeys(per_case, 10) | {"split": 1, "train": 4, "atlas": 3, "evaluate": 1, "draw": 1, "report": 1}
    assert counted(forecast(SegmentationStudySettings.model_validate(SEGMENTATION), 10)) == expected


def test_a_night_learns_nothing_and_reads_annotations_last_if_at_all() -> None:
    studies: tuple[AnyStudy, ...] = (volumes(), SegmentationStudySettings.model_validate(SEGMENTATION))
    for s in studies:
        plain, scored = forecast(s, 10, night=True), forecast(s, 10, night=True, score=True)
        assert {"split", "train", "annotate", "evaluate"}.isdisjoint(counted(plain))
        assert counted(scored)["annotate"] == 10
        order = list(counted(scored))
        assert order.index("annotate") > order.index("detect")
