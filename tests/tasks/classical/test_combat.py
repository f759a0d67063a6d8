"""ComBat by hand, against neuroCombat, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tasks.classical.combat import Correction, fit_combat, patients_by_batch
from tasks.classical.shrinkage import Seen, shrink

Array = np.ndarray


def fitted(x: Array, batches: Array, patients: Array | None = None, **settings: Any) -> Correction:
    owners = np.arange(len(x)) if patients is None else patients
    return fit_combat(x, batches, owners, **{"count": int(batches.max()) + 1, "fewest": 2, **settings})


def harmonized(x: Array, batches: Array, patients: Array | None = None, **settings: Any) -> Array:
    return fitted(x, batches, patients, **settings).apply(x, batches, settings.get("covariates", ()))


# By hand. Of one feature no prior can be learned, so nothing is shrunk.


def test_two_scanners_of_which_one_doubles_and_adds_ten_become_the_same() -> None:
    # Means 2 and 14, so the centre is 8. Both have sums of squares of 2 and 8 about their means, so the pooled variance
    # is 10 / 6, and variances over 2 degrees of freedom are 1 and 4: values end 1.2909944 (the root of 10 / 6) apart.
    x = np.array([[1.0], [2.0], [3.0], [12.0], [14.0], [16.0]])
    found = harmonized(x, np.array([0, 0, 0, 1, 1, 1]))
    step = (10 / 6) ** 0.5
    assert found[:, 0] == pytest.approx([8 - step, 8, 8 + step, 8 - step, 8, 8 + step])


def test_with_mean_only_the_second_scanner_keeps_its_scale() -> None:
    x = np.array([[1.0], [2.0], [3.0], [12.0], [14.0], [16.0]])
    found = harmonized(x, np.array([0, 0, 0, 1, 1, 1]), mean_only=True)
    assert found[:, 0] == pytest.approx([7, 8, 9, 6, 8, 10])


def test_with_a_reference_it_stays_as_it_is_and_the_other_becomes_like_it() -> None:
    # Units are the reference's standard deviation over its 3 rows, as in the source: the root of 2 / 3.
    x = np.array([[1.0], [2.0], [3.0], [12.0], [14.0], [16.0]])
    found = harmonized(x, np.array([0, 0, 0, 1, 1, 1]), reference=0)
    step = (2 / 3) ** 0.5
    assert found[:, 0] == pytest.approx([1, 2, 3, 2 - step, 2, 2 + step])


def test_shifts_are_shrunk_to_their_mean_by_the_number_of_patients() -> None:
    # Shifts 1 and 3: mean 2, variance 2. Of 4 patients and variance 1: (2 * 4 * 1 + 2) / (2 * 4 + 1) = 10 / 9.
    seen = Seen(np.array([1.0, 3.0]), np.array([3.0, 3.0]), np.array([4.0, 4.0]), np.array([3.0, 3.0]))
    for mean_only in (True, False):  # both variances are 1, so no scale is drawn anywhere
        shift, scale = shrink(seen, parametric=True, mean_only=mean_only)
        assert shift == pytest.approx([10 / 9, 26 / 9])
        assert scale == pytest.approx([1, 1])


def test_without_parametric_priors_each_of_two_features_is_taken_for_the_other() -> None:
    seen = Seen(np.array([1.0, 3.0]), np.array([3.0, 6.0]), np.array([4.0, 4.0]), np.array([3.0, 3.0]))
    shift, scale = shrink(seen, parametric=False, mean_only=False)
    assert (shift.tolist(), scale.tolist()) == ([3.0, 1.0], [2.0, 1.0])


# Against a peer


def peer_table() -> tuple[Array, Array, Array]:
    """Three batches of 5, 5 and 4 rows, five columns, and a covariate."""
    i, j = np.arange(14)[:, None], np.arange(5)[None, :]
    x = np.sin(1.7 * i + 2.3 * j * i + 0.4 * j * j) * (1 + 0.3 * j) + 2 * j
    b = np.repeat([0, 1, 2], [5, 5, 4])
    x = x * np.array([1.0, 1.6, 0.7])[b][:, None] * (1 + 0.1 * j * b[:, None])
    x += np.array([0.0, 1.2, -0.8])[b][:, None] * (1 + 0.2 * j)
    age = np.cos(0.9 * np.arange(14)) * 10 + 50
    return x + 0.05 * age[:, None] * (1 + j % 2), b, age


PEER = {
    "plain": [
        [3.31777509, 9.61371221, 10.61571725, 14.33316345, 15.68399288],
        [2.08144901, 7.91930922, 10.44882471, 16.8828132, 18.53050348],
        [3.31676662, 9.64797306, 10.65082983, 16.0815129, 13.88602856],
    ],
    "covariate": [
        [3.22575687, 9.56277641, 10.66845529, 13.72752324, 15.46406834],
        [2.49751095, 8.55761836, 10.66349634, 17.27459094, 18.55838949],
        [3.08663968, 9.21723561, 10.47683339, 15.57650898, 13.37517065],
    ],
    "empirical": [
        [3.59634548, 8.88974001, 8.90910428, 14.63115888, 14.96866053],
        [1.86152237, 7.68700778, 12.76681995, 16.86065884, 18.99757963],
        [3.29631821, 9.68952533, 7.57013053, 16.13480355, 13.97666471],
    ],
    "reference": [
        [4.61569287, 12.45364769, 15.46383545, 20.00109394, 22.99661086],
        [3.21090994, 10.67309072, 15.39883967, 23.6556615, 27.27547948],
        [4.68125487, 12.6423642, 15.51597829, 22.06311852, 20.77766821],
    ],
}
"""Rows 0, 7 and 13 from neuroCombat 0.2.12, its iteration carried on until 1e-12. It holds covariates in float32."""


@pytest.mark.parametrize(
    ("name", "settings", "tolerance"),
    [
        ("plain", {}, 1e-8),
        ("covariate", {"covariates": [5]}, 1e-6),
        ("empirical", {"parametric": False}, 1e-8),
        ("reference", {"reference": 1}, 1e-8),
    ],
)
def test_values_are_those_of_neurocombat(name: str, settings: dict[str, Any], tolerance: float) -> None:
    x, batches, age = peer_table()
    found = harmonized(np.column_stack([x, age]) if "covariates" in settings else x, batches, **settings)
    assert found[[0, 7, 13], :5] == pytest.approx(np.array(PEER[name]), abs=tolerance)
    if "covariates" in settings:
        assert np.array_equal(found[:, 5], age)


# Patients with several rows


def repeated(x: Array, batches: Array, times: Array) -> tuple[Array, Array, Array]:
    """The same patients, each with his row so many times."""
    rows = np.repeat(np.arange(len(x)), times)
    return x[rows], batches[rows], rows


def test_a_patient_with_his_row_many_times_counts_once() -> None:
    x, batches, _ = peer_table()
    times = 1 + np.arange(14) % 5
    many, of, patients = repeated(x, batches, times)
    one, other = fitted(x, batches, mean_only=True), fitted(many, of, patients, mean_only=True)
    assert other.centre == pytest.approx(one.centre)
    assert other.shift == pytest.approx(one.shift)
    unweighted = fitted(many, of, mean_only=True)
    assert not np.allclose(unweighted.centre, one.centre, atol=0.01)


def test_candidates_that_a_feature_is_not_defined_for_do_not_make_their_patient_count_less() -> None:
    x, batches, _ = peer_table()
    many, of, patients = repeated(x, batches, np.full(14, 3))
    many = many.copy()
    many[1::3, 2] = np.nan  # every patient is left with 2 candidates of 3
    many[0, 2] = np.nan  # and one with 1
    one, other = fitted(x, batches, mean_only=True), fitted(many, of, patients, mean_only=True)
    assert other.shift == pytest.approx(one.shift)


def test_many_rows_of_few_patients_are_shrunk_as_few() -> None:
    rng = np.random.default_rng(0)
    x, batches = rng.normal(size=(80, 30)), np.repeat([0, 1], 40)
    x[batches == 1] += rng.normal(size=30)
    few, many = np.arange(80) // 10, np.arange(80)

    def spread(patients: Array) -> float:
        found = fitted(x, batches, patients)
        return float(np.std(found.shift[1] - found.centre))

    assert spread(few) < 0.95 * spread(many)


def test_a_patient_on_two_scanners_counts_on_both() -> None:
    assert patients_by_batch(np.array([0, 0, 1, 1, -1]), np.array([5, 5, 5, 6, 7]), 3).tolist() == [1, 2, 0]


# What is left alone


def test_the_order_of_rows_does_not_matter() -> None:
    x, batches, _ = peer_table()
    order = np.random.default_rng(1).permutation(14)
    assert harmonized(x[order], batches[order]) == pytest.approx(harmonized(x, batches)[order])


def test_one_scanner_changes_nothing() -> None:
    x, _, _ = peer_table()
    assert np.array_equal(harmonized(x, np.zeros(14, dtype=int)), x)


def test_no_scanner_at_all_changes_nothing() -> None:
    x, _, _ = peer_table()
    unknown = np.full(14, -1)
    assert np.array_equal(fitted(x, unknown, count=0).apply(x, unknown), x)
    assert np.array_equal(fitted(x, unknown, count=2).apply(x, unknown), x)


def test_rows_of_an_unknown_scanner_stay_and_teach_nothing() -> None:
    x, batches, _ = peer_table()
    strange = np.vstack([x, np.full((3, 5), 1e6)])
    of = np.append(batches, [-1, -1, -1])
    found = harmonized(strange, of)
    assert np.array_equal(found[14:], strange[14:])
    assert np.array_equal(found[:14], harmonized(x, batches))


def test_a_scanner_of_one_patient_stays_and_teaches_nothing() -> None:
    x, batches, _ = peer_table()
    lonely = np.vstack([x, np.full((4, 5), 1e6)])
    of, patients = np.append(batches, [3] * 4), np.append(np.arange(14), [14] * 4)
    found = harmonized(lonely, of, patients)
    assert np.array_equal(found[14:], lonely[14:])
    assert np.array_equal(found[:14], harmonized(x, batches))


def test_a_scanner_is_corrected_from_the_fewest_patients_on() -> None:
    x, batches, _ = peer_table()
    assert fitted(x, batches, fewest=4).corrected.all()
    assert fitted(x, batches, fewest=5).corrected.all(axis=1).tolist() == [True, True, False]
    assert not fitted(x, batches, fewest=6).corrected.any()


def test_constant_columns_and_those_that_are_never_defined_stay_and_spoil_no_other() -> None:
    x, batches, _ = peer_table()
    wide = np.column_stack([np.full(14, 0.1), x, np.full(14, np.nan)])
    found = harmonized(wide, batches)
    assert np.array_equal(found[:, 0], wide[:, 0])
    assert np.isnan(found[:, 6]).all()
    assert found[:, 1:6] == pytest.approx(harmonized(x, batches), abs=1e-12)


def test_a_column_that_tells_the_scanner_alone_becomes_the_same_everywhere() -> None:
    x, batches, _ = peer_table()
    thickness = np.array([1.0, 3.0, 5.0])[batches]
    found = harmonized(np.column_stack([x, thickness]), batches)
    assert np.ptp(found[:, 5]) == 0.0
    assert found[0, 5] == pytest.approx(thickness.mean())
    assert found[:, :5] == pytest.approx(harmonized(x, batches), abs=1e-12)


def test_values_that_are_not_defined_stay_so_and_a_feature_that_a_scanner_lacks_is_left_there() -> None:
    x, batches, _ = peer_table()
    gaps = x.copy()
    gaps[3, 1] = np.nan
    gaps[batches == 2, 4] = np.nan
    found = fitted(gaps, batches)
    assert np.array_equal(np.isnan(found.apply(gaps, batches)), np.isnan(gaps))
    assert not found.corrected[2, 4]
    new = x[:1] + 5.0
    assert found.apply(new, np.array([2]))[0, 4] == new[0, 4]
    assert found.apply(new, np.array([0]))[0, 4] != new[0, 4]


def test_a_feature_constant_on_one_scanner_alone_gives_no_infinity() -> None:
    x, batches, _ = peer_table()
    x[batches == 1, 3] = 7.0
    for parametric in (True, False):
        assert np.isfinite(harmonized(x, batches, parametric=parametric)).all()
    assert np.isfinite(harmonized(x[:, 3:4], batches)).all()  # where nothing else says what scale to expect


def test_a_covariate_that_explains_the_difference_is_kept_and_without_it_the_difference_goes() -> None:
    rng = np.random.default_rng(3)
    batches = np.repeat([0, 1], 40)
    volume = rng.normal(size=80) + 3.0 * batches  # larger lesions on the second scanner
    x = np.column_stack([volume, *(volume + 0.3 * rng.normal(size=80) for _ in range(6))])
    kept, lost = harmonized(x, batches, covariates=[0]), harmonized(x, batches)

    def apart(found: Array) -> float:
        return float((found[batches == 1, 1:].mean(0) - found[batches == 0, 1:].mean(0)).mean())

    assert apart(x) == pytest.approx(3.0, abs=0.4)
    assert apart(kept) == pytest.approx(apart(x), abs=0.25)
    assert abs(apart(lost)) < 0.15


def test_a_covariate_that_is_not_defined_is_taken_for_its_mean() -> None:
    x, batches, age = peer_table()
    whole = np.column_stack([x, age])
    found = fitted(whole, batches, covariates=[5])
    row = whole[:1].copy()
    row[0, 5] = np.nan
    usual = whole[:1].copy()
    usual[0, 5] = age.mean()
    one, other = (found.apply(some, np.array([1]), [5])[0, :5] for some in (row, usual))
    assert one == pytest.approx(other)
