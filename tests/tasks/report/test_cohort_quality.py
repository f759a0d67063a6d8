"""Which cases of a cohort stand apart, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.report.quality import FIGURES, cohort_quality


def figures(noise: float | None = 10.0, clipped: float | None = 0.0, **others: Any) -> dict[str, Any]:
    return {
        "before": {"noise": noise, "snr": 100.0, "cnr": None, "sharpness": None},
        "after": {"noise": None, "snr": None},
        "clipped_share": clipped,
        "bias_strength": None,
        "spacing_ratio": [2.0, 0.5, 3.0],
    } | others


def test_one_noisy_case_of_seven_stands_apart_and_comes_first() -> None:
    noises = [10.0, 11.0, 9.0, 10.5, 9.5, 10.2, 40.0]
    table = cohort_quality({f"C-{n}": figures(noise) for n, noise in enumerate(noises)})
    assert [case.case for case in table.cases[:2]] == ["C-6", "C-0"]
    assert table.cases[0].apart == {"Noise"}
    assert table.apart == 1
    assert table.medians[table.names.index("Noise")] == 10.2


def test_a_quarter_of_the_noise_is_as_far_off_as_four_times_it() -> None:
    usual = [10.0, 11.0, 9.1, 10.5, 9.5]
    for odd in (40.0, 2.5):
        table = cohort_quality({f"C-{n}": figures(noise) for n, noise in enumerate([*usual, odd])})
        assert table.cases[0].case == "C-5"


def test_of_four_cases_it_cannot_be_said_what_is_usual() -> None:
    table = cohort_quality({f"C-{n}": figures(noise) for n, noise in enumerate([10.0, 11.0, 9.0, 400.0])})
    assert table.apart == 0


def test_where_most_are_equal_the_one_that_differs_stands_apart() -> None:
    found = {f"C-{n}": figures(noise=7.0) for n in range(9)} | {"C-9": figures(noise=7.0, clipped=0.4)}
    table = cohort_quality(found)
    assert table.cases[0].case == "C-9"
    assert table.cases[0].apart == {"Cut off"}
    hardly = {f"C-{n}": figures(noise=7.0) for n in range(9)} | {"C-9": figures(noise=7.0, clipped=0.004)}
    assert cohort_quality(hardly).apart == 0


def test_where_all_are_equal_nothing_stands_apart() -> None:
    assert cohort_quality({f"C-{n}": figures(noise=7.0) for n in range(9)}).apart == 0


def test_a_figure_that_no_case_has_takes_no_column() -> None:
    table = cohort_quality({"C-1": figures()})
    assert table.names == ("Noise", "SNR", "Cut off", "Voxel, new/old")
    assert table.cases[0].figures == (10.0, 100.0, 0.0, pytest.approx(3.0))
    assert set(table.names) <= set(FIGURES.values())


def test_a_case_without_a_figure_is_not_compared() -> None:
    values = [10.0, 11.0, 9.0, 10.5, 9.5, None, 0.0]
    table = cohort_quality({f"C-{n}": figures(noise) for n, noise in enumerate(values)})
    assert table.apart == 0


def test_an_empty_cohort_has_an_empty_table() -> None:
    assert cohort_quality({}).cases == ()
