"""Learning an attentional cascade: each stage from what the stages before it still take for the object.

A *stage* is boosted until it rejects the share of false windows that is asked while it keeps nearly all objects. The
next one learns from false windows that pass so far, looked for in images without the object: the further, the harder.

References
----------
Viola & Jones 2004, doi:10.1023/B:VISI.0000013087.49260.fb, section 4 and table 2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from pydantic import BaseModel

from tasks.imaging.boosting import Stump, boosted_selection, votes
from tasks.imaging.cascade import Cascade, Stage, scan
from tasks.imaging.haar_features import HaarFeatures, haar_features, haar_like
from tasks.imaging.integral_image import Floats
from tasks.imaging.overlapping import shrink
from tasks.imaging.step import Array
from tasks.settings import StageSettings

ROUNDING = 1e-9
"""A sum of votes that lies below a stage's threshold by less than this is rounding."""


class Aims(StageSettings):
    """What each stage has to reach, and how far learning goes.

    Attributes
    ----------
    kept
        Share of the objects that a stage lets pass, at least.
    passed
        Share of its false windows that it lets pass, at most.
    stages, stumps
        Stages, and stumps of a stage, at most.
    negatives
        False windows that a stage learns from, at most.
    fewest
        With fewer false windows left, learning ends.
    """

    kept: float
    passed: float
    stages: int
    stumps: int
    negatives: int
    fewest: int


class StageRecord(BaseModel, frozen=True, extra="forbid"):
    """How a stage came out: its stumps, the share of objects kept, of false windows passed, and how many these were."""

    stumps: int
    kept: float
    passed: float
    negatives: int


@dataclass(frozen=True, eq=False)
class Examples:
    """What a cascade learns from.

    Attributes
    ----------
    objects
        ``(n, y, x)`` or ``(n, z, y, x)``, each filled by the object: their shape is the window's.
    checks
        As ``objects``, of other patients: thresholds are set on them, so that new objects pass as well.
    backgrounds
        Pictures or volumes without the object, at least as large as the window.
    """

    objects: Array
    checks: Array
    backgrounds: Sequence[Array]


def learn_cascade(
    examples: Examples, aims: Aims, *, candidates: int, scales: Sequence[float], step: float, rng: np.random.Generator
) -> tuple[Cascade, tuple[StageRecord, ...]]:
    """Boost stage after stage until hardly a false window is left, or the number of stages is reached.

    Parameters
    ----------
    examples, aims
        See there.
    candidates
        Features that boosting chooses from: drawn from all of the window where there are more.
    scales, step
        Of the scan for false windows, as the detector will be used.
    rng
        Draws features and false windows.

    Raises
    ------
    ValueError
        Without objects or background, or with too few false windows for a first stage.
    """
    shape = examples.objects.shape[1:]
    if not len(examples.objects) or not len(examples.checks):
        raise ValueError("a cascade needs at least one object to learn from and one to check")
    features = _drawn(haar_features(shape, balanced=True), candidates, rng)
    objects, checks = (_values(blocks, features) for blocks in (examples.objects, examples.checks))
    stages: list[Stage] = []
    records: list[StageRecord] = []
    while len(stages) < aims.stages:
        cascade = _cascade(shape, features, stages) if stages else None
        windows = false_windows(
            examples.backgrounds, cascade, shape, count=aims.negatives, scales=scales, step=step, rng=rng
        )
        if len(windows) < aims.fewest:
            break
        stage, record = _stage(objects, checks, _values(windows, features), aims)
        stages.append(stage)
        records.append(record)
    if not stages:
        raise ValueError(f"a cascade needs at least {aims.fewest} windows of background; got {len(windows)}")
    return _cascade(shape, features, stages), tuple(records)


def false_windows(
    backgrounds: Sequence[Array],
    cascade: Cascade | None,
    shape: tuple[int, ...],
    *,
    count: int,
    scales: Sequence[float],
    step: float,
    rng: np.random.Generator,
) -> Array:
    """Windows of backgrounds that a cascade takes for the object, ``(n, *shape)``; drawn where there are more.

    ``cascade``: ``None`` takes every window.
    """
    found = [
        (number, start, size)
        for number, image in enumerate(backgrounds)
        for start, size in _passing(image, cascade, shape, scales, step)
    ]
    if len(found) > count:
        found = [found[i] for i in np.sort(rng.choice(len(found), count, replace=False))]
    windows = [
        shrink(backgrounds[number][tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))], shape)
        for number, start, size in found
    ]
    return np.stack(windows) if windows else np.zeros((0, *shape))


def _passing(
    image: Array, cascade: Cascade | None, shape: tuple[int, ...], scales: Sequence[float], step: float
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    if cascade is not None:
        passed = scan(image, cascade, scales=scales, step=step)
        return [(tuple(a), tuple(n)) for a, n in zip(passed.starts.tolist(), passed.sizes.tolist(), strict=True)]
    found = []
    for scale in scales:
        size = tuple(round(n * scale) for n in shape)
        apart = max(1, round(step * scale))
        places = [range(0, n - m + 1, apart) for n, m in zip(image.shape, size, strict=True)]
        found += [(start, size) for start in product(*places)]
    return found


def _stage(objects: Floats, checks: Floats, negatives: Floats, aims: Aims) -> tuple[Stage, StageRecord]:
    """The shortest stage that reaches its aims; the longest where none does."""
    values = np.concatenate([objects, negatives])
    stumps = boosted_selection(values, np.arange(len(values)) < len(objects), aims.stumps)
    if not stumps:
        raise ValueError("no feature tells objects from background better than chance")
    for length in range(1, len(stumps) + 1):
        first = stumps[:length]
        threshold = _threshold(votes(checks, first), aims.kept)
        passed = float((votes(negatives, first) >= threshold).mean())
        if passed <= aims.passed:
            break
    kept = float((votes(checks, first) >= threshold).mean())
    record = StageRecord(stumps=length, kept=round(kept, 6), passed=round(passed, 6), negatives=len(negatives))
    return Stage(stumps=first, threshold=threshold), record


def _threshold(found: Floats, kept: float) -> float:
    """The highest sum of votes that so many of these reach."""
    lost = int(np.floor((1 - kept) * len(found) + ROUNDING))
    return float(np.sort(found)[lost]) - ROUNDING


def _cascade(shape: tuple[int, ...], features: HaarFeatures, stages: Sequence[Stage]) -> Cascade:
    """The stages with the features that they use, and no others."""
    used = sorted({stump.feature for stage in stages for stump in stage.stumps})
    place = {number: position for position, number in enumerate(used)}

    def moved(stump: Stump) -> Stump:
        return stump.model_copy(update={"feature": place[stump.feature]})

    return Cascade(
        shape=shape,
        features=tuple(features.placed(number) for number in used),
        balanced=features.balanced,
        stages=tuple(
            Stage(stumps=tuple(moved(stump) for stump in stage.stumps), threshold=stage.threshold) for stage in stages
        ),
    )


def _drawn(features: HaarFeatures, most: int, rng: np.random.Generator) -> HaarFeatures:
    if len(features) <= most:
        return features
    return features.chosen(np.sort(rng.choice(len(features), most, replace=False)))


def _values(blocks: Array, features: HaarFeatures) -> Floats:
    return np.asarray(haar_like(np.asarray(blocks, dtype=np.float64), features, by_contrast=True))
