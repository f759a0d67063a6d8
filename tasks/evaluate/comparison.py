"""Two detectors on the same patients: who hits more, whose outlines fit better, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from tasks.evaluate.measures import group_patients, lesions_of, patient_dice, patient_is_hit
from tasks.evaluate.settings import Settings
from tasks.evaluate.verdicts import CaseMatch
from tasks.metrics.intervals import mcnemar_exact, paired_difference


class HitComparison(BaseModel):
    """Patients hit (IoU of the settings), by whom. `difference` is ours minus theirs, of the shares of all `n`.

    The interval is a patient bootstrap, `p` is McNemar's exact test of the two discordant counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: int
    both: int
    ours_only: int
    theirs_only: int
    neither: int
    difference: float
    low: float
    high: float
    p: float


class DiceComparison(BaseModel):
    """Mean over `n` patients of our Dice minus theirs, with a patient bootstrap for the interval and for `p`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: int
    difference: float
    low: float
    high: float
    p: float


class Comparison(BaseModel):
    """Ours against theirs, paired by patient."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hits: HitComparison
    dice: DiceComparison


def compare(ours: Sequence[CaseMatch], theirs: Sequence[CaseMatch], settings: Settings) -> Comparison | None:
    """Paired differences over the analysed patients with a lesion; ``None`` when there is no such patient.

    Excluded cases are missed by both and change no difference of counts, so they are left out.

    Raises
    ------
    ValueError
        When the two were not matched on the same cases of the same patients.
    """
    keys = [{(match.patient, match.case) for match in side} for side in (ours, theirs)]
    if keys[0] != keys[1]:
        raise ValueError(f"expected the same cases on both sides; {len(keys[0] ^ keys[1])} are on one side only")
    mine, other = ({cases[0].patient: cases for cases in group_patients(side)} for side in (ours, theirs))
    diseased = [patient for patient in mine if lesions_of(mine[patient])]
    if not diseased:
        return None
    return Comparison(
        hits=_compare_hits(
            [patient_is_hit(mine[p], lambda m: m.hit) for p in diseased],
            [patient_is_hit(other[p], lambda m: m.hit) for p in diseased],
            settings,
        ),
        dice=_compare_dice(
            [patient_dice(mine[p]) for p in diseased], [patient_dice(other[p]) for p in diseased], settings
        ),
    )


def _compare_hits(ours: list[bool], theirs: list[bool], settings: Settings) -> HitComparison:
    pairs = list(zip(ours, theirs, strict=True))
    ours_only, theirs_only = pairs.count((True, False)), pairs.count((False, True))
    result = paired_difference(ours, theirs, draws=settings.bootstrap_draws, seed=settings.seed, level=settings.level)
    return HitComparison(
        n=result.n,
        both=pairs.count((True, True)),
        ours_only=ours_only,
        theirs_only=theirs_only,
        neither=pairs.count((False, False)),
        difference=result.value,
        low=result.interval.low,
        high=result.interval.high,
        p=mcnemar_exact(ours_only, theirs_only),
    )


def _compare_dice(ours: list[float], theirs: list[float], settings: Settings) -> DiceComparison:
    result = paired_difference(ours, theirs, draws=settings.bootstrap_draws, seed=settings.seed, level=settings.level)
    return DiceComparison(
        n=result.n, difference=result.value, low=result.interval.low, high=result.interval.high, p=result.p
    )
