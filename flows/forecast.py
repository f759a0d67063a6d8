"""What lies ahead of a run, before its stages are reached: how many pieces of work each of them will have.

Read from the study and the number of its cases, so it is a forecast: cases that fall out, and patients too few for all
folds, make it less. Phases follow each other; stages of one phase may take turns.
"""

from __future__ import annotations

from collections.abc import Mapping

from flows.settings import AnyStudy, PictureStudySettings, SegmentationStudySettings, StudySettings
from tasks.normalize.settings import Settings as NormalizeSettings

Phases = tuple[Mapping[str, int], ...]
"""Pieces of work by stage, phase by phase."""


def forecast(s: AnyStudy, cases: int, *, night: bool = False, score: bool = False) -> Phases:
    """Pieces of work of a study, or of a night with one of its models.

    Parameters
    ----------
    cases
        Cases received; buckets of them, where the study is of pictures.
    night
        Nothing is learned.
    score
        Findings of the night are compared with annotations.
    """
    match s:
        case StudySettings():
            phases = _night_of_volumes(cases, score=score) if night else _volumes(s, cases)
        case PictureStudySettings():
            phases = _night_of_pictures(cases, score=score) if night else _pictures(s, cases)
        case SegmentationStudySettings():
            phases = _night_of_segmentation(cases, score=score) if night else _segmentation(s, cases)
        case _:
            raise TypeError(f"no forecast for {type(s).__name__}")
    return (*phases, {"report": 1})


def _volumes(s: StudySettings, cases: int) -> Phases:
    models = min(s.split.folds, cases) + 1
    prepared = cases * _preparations(s.normalize, models)
    forms = {entry.patches.model_dump_json() for entry in s.train.on_patches}
    return (
        {"ingest": cases},
        {"annotate": cases},
        {"split": 1},
        *_learning(s.normalize, cases, models),
        {"normalize": prepared, "sample": prepared, "extract": prepared},
        {"features": 1},
        {"patches": prepared * len(forms), "patch_model": models * len(s.train.on_patches)},
        {"train": models},
        *_looking(cases),
    )


def _pictures(s: PictureStudySettings, buckets: int) -> Phases:
    models, kinds, synthesis = s.split.folds + 1, len(s.train.models), s.train.synthesis
    generators = 0 if synthesis is None else s.split.folds + synthesis.augment
    described = generators if synthesis and synthesis.augment and s.train.asks_for_features else 0
    return (
        *({stage: buckets} for stage in ("ingest", "annotate")),
        {"split": 1},
        *({stage: buckets} for stage in ("normalize", "extract")),
        {"synthesize": generators},
        {"judge_synthesis": int(synthesis is not None)},
        {"describe_synthetic": described},
        {"train": models * (kinds + (kinds > 1))},  # several of one fold are put together
        {"detect": buckets},
        {"evaluate": 1},
        {"draw": 1},
    )


def _segmentation(s: SegmentationStudySettings, cases: int) -> Phases:
    folds = min(s.split.folds, cases)
    models = folds + 1
    return (
        *({stage: cases} for stage in ("ingest", "annotate")),
        {"split": 1},
        *_learning(s.normalize, cases, models),
        {"normalize": cases * _preparations(s.normalize, models)},
        {"train": models},
        {"detect": cases},
        {"atlas": folds},
        {"match": cases},
        {"evaluate": 1},
        {"draw": 1},
    )


def _night_of_volumes(cases: int, *, score: bool) -> Phases:
    before = ({stage: cases} for stage in ("ingest", "normalize", "sample", "extract"))
    return (*before, *_looking(cases, score=score, annotate=score))


def _night_of_pictures(buckets: int, *, score: bool) -> Phases:
    scored = ({"annotate": buckets}, {"evaluate": 1}) if score else ()
    return (*({stage: buckets} for stage in ("ingest", "normalize", "detect")), *scored, {"draw": 1})


def _night_of_segmentation(cases: int, *, score: bool) -> Phases:
    scored = ({"annotate": cases}, {"match": cases}, {"evaluate": 1}) if score else ()
    return (*({stage: cases} for stage in ("ingest", "normalize", "detect")), *scored, {"draw": 1})


def _looking(cases: int, *, score: bool = True, annotate: bool = False) -> Phases:
    """What models do with volumes, and what is made of that."""
    annotated = ({"annotate": cases},) if annotate else ()
    evaluated = ({"evaluate": 1},) if score else ()
    return ({"detect": cases}, *annotated, {"match": cases}, {"draw": cases}, *evaluated)


def _learning(s: NormalizeSettings, cases: int, models: int) -> Phases:
    """A step of normalize that learns from other cases does so for each model."""
    return () if s.learner is None else ({"measure": cases}, {"fit": models})


def _preparations(s: NormalizeSettings, models: int) -> int:
    """How often each case is normalized: once, unless each model has learned its own way."""
    return 1 if s.learner is None else models
