"""A cohort of four patients whose metrics can be counted by hand, and what exclusions and order do to them.

P1: one lesion, hit (score 0.9, Dice 0.8). P2: two lesions, one hit (0.6, Dice 0.6), one missed. P3: one lesion that is
only touched (Dice 0.2). P4: no lesion. Accepted false positives: one in P2 (0.7), one in P4 (0.5); one more in P4 is
not accepted (0.1).
"""

from __future__ import annotations

import numpy as np
import pytest

from tasks.evaluate.comparison import compare
from tasks.evaluate.measures import froc
from tasks.evaluate.settings import Settings
from tasks.evaluate.summarize import summarize
from tasks.evaluate.verdicts import CaseMatch, LesionMatch, RegionMatch, Verdict, excluded_case
from tasks.metrics.intervals import clopper_pearson

SETTINGS = Settings(bootstrap_draws=500)
HIT = LesionMatch(
    label=1, volume_ml=5.0, iou=0.67, dice=0.8, overlap=True, centroid=True, hit=True, strict_hit=True, score=0.9
)
WEAK_HIT = HIT.model_copy(update={"iou": 0.43, "dice": 0.6, "strict_hit": False, "score": 0.6})
MISSED = LesionMatch(label=2, volume_ml=1.0)
TOUCHED = LesionMatch(label=1, volume_ml=4.0, iou=0.11, dice=0.2, overlap=True)


def region(score: float, verdict: Verdict, *, accepted: bool = True) -> RegionMatch:
    return RegionMatch(
        number=1, score=score, accepted=accepted, volume_ml=1.0, lesion=None, iou=0.0, dice=0.0, verdict=verdict
    )


def case(number: int, lesions: tuple[LesionMatch, ...], *regions: RegionMatch, patient: str = "P") -> CaseMatch:
    return CaseMatch(
        case=f"C{number}", patient=f"{patient}{number}", body_litres=2.0 * number, lesions=lesions, regions=regions
    )


COHORT = [
    case(1, (HIT,), region(0.9, "hit")),
    case(2, (WEAK_HIT, MISSED), region(0.6, "hit"), region(0.7, "false_positive")),
    case(3, (TOUCHED,), region(0.8, "overlap"), region(0.95, "near")),
    case(4, (), region(0.5, "false_positive"), region(0.1, "false_positive", accepted=False)),
]


def values(matches: list[CaseMatch], excluded: list[CaseMatch] | None = None) -> dict[str, float | None]:
    return {name: metric.value for name, metric in summarize(matches, excluded or [], SETTINGS).items()}


def test_metrics_by_hand() -> None:
    assert values(COHORT) == pytest.approx(
        {
            "hits_iou_0.3": 2 / 3,
            "hits_iou_0.5": 1 / 3,
            "hits_overlap": 1.0,
            "hits_centroid": 2 / 3,
            "dice": (0.8 + (0.6 + 0.0) / 2 + 0.2) / 3,
            # At 0.6 one false positive in four scans: 0.25 per scan.
            "sensitivity_at_1_fp": 2 / 4,
            "cpm": (1 / 4 + 6 * 2 / 4) / 7,
            # Hits 0.9 and 0.6 against 0.7, 0.8, 0.95, 0.5, 0.1.
            "auc": (4 + 2) / 10,
            "fp_per_scan": 2 / 4,
            "fp_per_litre": 2 / (2 + 4 + 6 + 8),
        }
    )


def test_n_counts_the_patients_who_can_tell() -> None:
    n = {name: metric.n for name, metric in summarize(COHORT, [], SETTINGS).items()}
    assert n["hits_iou_0.3"] == n["dice"] == 3, "P4 has no lesion"
    assert n["fp_per_scan"] == n["cpm"] == n["auc"] == 4


def test_excluded_cases_are_missed_over_received_and_absent_over_analysed() -> None:
    metrics = summarize(COHORT, [excluded_case("C5", "P5"), excluded_case("C6")], SETTINGS)
    hits, dice, cpm = metrics["hits_iou_0.3"], metrics["dice"], metrics["sensitivity_at_1_fp"]
    assert (hits.value, hits.n) == (2 / 5, 5)
    assert (hits.analysed.value, hits.analysed.n) == (2 / 3, 3)
    assert (hits.low, hits.high) == clopper_pearson(2, 5)[:2]
    assert dice.value == pytest.approx((0.8 + 0.3 + 0.2) / 5)
    assert cpm.value == pytest.approx(2 / 6)


def test_excluded_cases_change_nothing_about_what_was_scanned() -> None:
    alone = summarize(COHORT, [], SETTINGS)
    beside = summarize(COHORT, [excluded_case("C5", "P5")], SETTINGS)
    for name in ("fp_per_scan", "fp_per_litre", "auc"):
        assert beside[name] == alone[name]


def test_excluded_scan_leaves_no_room_for_false_positives() -> None:
    # The lesion costs two false positives in one scan; an excluded scan does not make that one per scan.
    costly = case(1, (WEAK_HIT,), region(0.9, "false_positive"), region(0.8, "false_positive"))
    assert values([costly])["sensitivity_at_1_fp"] == 0.0
    assert values([costly], [excluded_case("C2", "P2")])["sensitivity_at_1_fp"] == 0.0


def test_a_second_examination_of_a_patient_adds_a_scan_and_no_patient() -> None:
    again = COHORT[0].model_copy(update={"case": "C1b", "lesions": (MISSED,), "regions": ()})
    metrics = summarize([*COHORT, again], [], SETTINGS)
    assert (metrics["hits_iou_0.3"].value, metrics["hits_iou_0.3"].n) == (2 / 3, 3)
    assert metrics["dice"].value == pytest.approx((0.4 + 0.3 + 0.2) / 3)
    assert metrics["fp_per_scan"].value == 2 / 5


def test_perfect_cohort_has_no_interval_from_1_to_1_and_says_why() -> None:
    metrics = summarize([case(n, (HIT,), region(0.9, "hit")) for n in range(1, 25)], [], SETTINGS)
    for name in ("hits_iou_0.3", "sensitivity_at_1_fp", "cpm"):
        assert (metrics[name].value, metrics[name].high) == (1.0, 1.0)
        assert metrics[name].low == pytest.approx(0.025 ** (1 / 24))
    assert metrics["dice"].low < 0.8 < metrics["dice"].high
    assert "exact bound for 24 alike" in metrics["cpm"].rule
    assert metrics["fp_per_scan"].high == pytest.approx(3.6889 / 24, abs=1e-4)
    assert "exact Poisson" in metrics["fp_per_scan"].rule


def test_every_defined_metric_has_a_width() -> None:
    for matches in (COHORT, COHORT[:1], [case(n, (MISSED,)) for n in range(1, 9)]):
        for name, metric in summarize(matches, [], SETTINGS).items():
            for estimate in (metric, metric.analysed):
                if estimate.value is not None:
                    assert estimate.low < estimate.high, name
                    assert estimate.low - 1e-12 <= estimate.value <= estimate.high + 1e-12, name


def test_rule_states_what_was_counted_and_how_the_interval_was_made() -> None:
    metrics = summarize(COHORT, [], SETTINGS)
    assert "IoU of at least 0.3; 95% interval: Clopper-Pearson" in metrics["hits_iou_0.3"].rule
    assert "0.5 ml" in metrics["fp_per_scan"].rule
    assert "10 mm" in metrics["fp_per_scan"].rule
    assert metrics["dice"].rule.endswith("patient bootstrap, 500 draws")


def test_cohort_without_lesions_has_no_sensitivity_and_still_its_false_positives() -> None:
    metrics = summarize(COHORT[3:], [], SETTINGS)
    for name in ("hits_iou_0.3", "dice"):
        assert (metrics[name].value, metrics[name].low, metrics[name].n) == (None, None, 0)
    assert metrics["cpm"].value is None
    assert metrics["auc"].value is None
    assert "no patient has a lesion" in metrics["dice"].rule
    assert metrics["fp_per_scan"].value == 1.0


def test_nothing_analysed_still_counts_what_was_received() -> None:
    metrics = summarize([], [excluded_case("C1", "P1")], SETTINGS)
    assert (metrics["hits_iou_0.3"].value, metrics["hits_iou_0.3"].n) == (0.0, 1)
    assert metrics["hits_iou_0.3"].analysed.value is None
    assert metrics["fp_per_scan"].value is None


def test_order_of_cases_and_names_of_patients_change_no_bit() -> None:
    excluded = [excluded_case("C8", "P8"), excluded_case("C9", "P9")]
    renamed = [match.model_copy(update={"patient": f"X{7 * i % 4}"}) for i, match in enumerate(COHORT)]
    expected = summarize(COHORT, excluded, SETTINGS)
    assert summarize(COHORT, excluded, SETTINGS) == expected
    assert summarize(COHORT[::-1], excluded[::-1], SETTINGS) == expected
    assert summarize(renamed, excluded, SETTINGS) == expected


def test_a_case_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="every case once"):
        summarize([COHORT[0], COHORT[0]], [], SETTINGS)


def test_froc_counts_regions_that_were_not_accepted() -> None:
    curve = froc(COHORT)
    assert curve is not None
    assert curve.thresholds == (np.inf, 0.9, 0.7, 0.6, 0.5, 0.1)
    assert curve.fp_per_scan == (0, 0, 0.25, 0.25, 0.5, 0.75)
    assert curve.sensitivity == (0, 0.25, 0.25, 0.5, 0.5, 0.5)
    assert froc(COHORT[3:]) is None


def test_comparison_by_hand() -> None:
    theirs = [case(1, (MISSED,)), case(2, (HIT, HIT)), case(3, (MISSED,)), case(4, ())]
    result = compare(COHORT, theirs, SETTINGS)
    assert result is not None
    hits = result.hits
    assert (hits.n, hits.both, hits.ours_only, hits.theirs_only, hits.neither) == (3, 1, 1, 0, 1)
    assert hits.difference == pytest.approx(1 / 3)
    assert hits.p == 1.0
    assert result.dice.difference == pytest.approx(((0.8 - 0) + (0.3 - 0.8) + (0.2 - 0)) / 3)
    assert result.dice.low < result.dice.difference < result.dice.high


def test_comparison_of_a_rule_with_itself_is_0_with_p_1() -> None:
    result = compare(COHORT, COHORT[::-1], SETTINGS)
    assert result is not None
    assert (result.hits.difference, result.hits.p, result.dice.difference, result.dice.p) == (0.0, 1.0, 0.0, 1.0)


def test_eight_patients_found_by_ours_alone_are_significant() -> None:
    ours = [case(n, (HIT,)) for n in range(1, 9)]
    theirs = [case(n, (MISSED,)) for n in range(1, 9)]
    result = compare(ours, theirs, SETTINGS)
    assert result is not None
    assert result.hits.p == pytest.approx(2 / 2**8)


def test_comparison_on_other_cases_is_refused() -> None:
    with pytest.raises(ValueError, match="same cases on both sides; 1 are"):
        compare(COHORT, COHORT[:3], SETTINGS)


def test_comparison_without_a_lesion_has_nothing_to_say() -> None:
    assert compare(COHORT[3:], COHORT[3:], SETTINGS) is None
