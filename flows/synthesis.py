"""Synthetic pictures of a study: made fold by fold beside the chain of the real ones, which they never enter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flows.dispatch import Dispatch, StageFailedError
from flows.preparing import REFIT, fold_name
from flows.settings import PictureStudySettings
from storage.case import Batch
from tasks.extract import picture_task as extract
from tasks.train import synthesis_task as synthesis


@dataclass(frozen=True)
class SyntheticPictures:
    """What a study has made.

    Attributes
    ----------
    taught
        By the fold that the generator left out (``None``: the refit's), the keys by stage of what models may learn
        from; empty where they shall not.
    judgement
        Key of the judgement on the generators of all folds; ``None`` where there is none, and ``note`` says why.
    """

    taught: Mapping[int | None, Mapping[str, str]] = field(default_factory=dict)
    judgement: str | None = None
    note: str | None = None


NONE_MADE = SyntheticPictures()


def make_synthetic(
    do: Dispatch, batches: Sequence[Batch], split_key: str, s: PictureStudySettings, *, folds: int
) -> SyntheticPictures:
    """Train a generator in each fold, and judge them; with ``augment`` also one for the refit, and features of all."""
    settings = s.train.synthesis
    if settings is None:
        return NONE_MADE
    places = [*range(folds), *([None] if settings.augment else [])]
    works = [synthesis.plan(batches, settings, folds=split_key, fold=place) for place in places]
    made = dict(zip(places, do.keys(synthesis.synthesize_fold, works), strict=True))
    generators = {place: key for place, key in made.items() if place is not None}
    work = synthesis.plan_judge(batches, settings, folds=split_key, generators=generators)
    [judged] = do.all(synthesis.judge_folds, [work])
    if judged.failure:
        raise StageFailedError(f"{work.stage}: {judged.failure}")
    return SyntheticPictures(
        taught=_taught(do, made, s) if settings.augment else {},
        judgement=None if judged.verdict else judged.key,
        note=judged.verdict and f"Synthetic pictures are not judged: {judged.verdict}.",
    )


def _taught(do: Dispatch, made: Mapping[int | None, str], s: PictureStudySettings) -> dict[int | None, dict[str, str]]:
    """Keys by stage of what models learn from, with features where a model asks for them."""
    taught = {place: {"synthesize": key} for place, key in made.items()}
    if s.train.asks_for_features:
        works = [extract.plan_synthetic(key, s.extract, subject=_name(place)) for place, key in made.items()]
        for place, key in zip(taught, do.keys(extract.describe_synthetic, works), strict=True):
            taught[place]["describe_synthetic"] = key
    return taught


def _name(place: int | None) -> str:
    return REFIT if place is None else fold_name(place)
