"""What is done, what lies ahead, and how long it will take."""

from __future__ import annotations

import pytest

from flows.ahead import Ahead, TimeLeft, spoken


def test_the_total_is_the_forecast_from_the_first_piece_on() -> None:
    ahead = Ahead(mean_seconds={}, workers=1)
    ahead.plan(({"ingest": 2}, {"train": 6}, {"report": 1}))
    ahead.begin("ingest", 2)
    assert (ahead.done, ahead.total) == (0, 9)
    ahead.advance("ingest", seconds=1.0)
    assert (ahead.done, ahead.total) == (1, 9)


def test_a_stage_that_is_done_in_turns_keeps_what_is_left_of_its_forecast() -> None:
    ahead = Ahead(mean_seconds={}, workers=1)
    ahead.plan(({"train": 6},))
    for _ in range(2):
        ahead.begin("train", 3)
        for _ in range(3):
            ahead.advance("train", seconds=1.0)
    assert (ahead.done, ahead.total) == (6, 6)


def test_what_an_earlier_phase_still_had_never_comes() -> None:
    ahead = Ahead(mean_seconds={}, workers=1)
    ahead.plan(({"ingest": 5}, {"annotate": 5}, {"report": 1}))
    ahead.begin("ingest", 5)
    for _ in range(5):
        ahead.advance("ingest", seconds=1.0)
    ahead.begin("annotate", 3)  # two cases fell out
    for _ in range(3):
        ahead.advance("annotate", seconds=1.0)
    ahead.begin("report", 1)
    ahead.advance("report", seconds=1.0)
    assert (ahead.done, ahead.total) == (9, 9)


def test_stages_of_one_phase_may_take_turns() -> None:
    ahead = Ahead(mean_seconds={}, workers=1)
    ahead.plan(({"normalize": 4, "sample": 4}, {"report": 1}))
    for stage in ("normalize", "sample", "normalize", "sample"):
        ahead.begin(stage, 2)
        for _ in range(2):
            ahead.advance(stage, seconds=1.0)
    assert (ahead.done, ahead.total) == (8, 9)


def test_more_work_than_was_forecast_is_counted_and_so_is_a_stage_that_nobody_forecast() -> None:
    ahead = Ahead(mean_seconds={}, workers=1)
    ahead.plan(({"ingest": 1}, {"report": 1}))
    ahead.begin("ingest", 4)
    assert ahead.total == 5
    for _ in range(4):
        ahead.advance("ingest", seconds=1.0)
    ahead.begin("weigh", 2)
    assert ahead.total == 7


def test_the_time_left_is_the_cost_of_what_lies_ahead_shared_by_the_workers() -> None:
    ahead = Ahead(mean_seconds={"ingest": 2.0, "train": 60.0}, workers=2)
    ahead.plan(({"ingest": 4}, {"train": 2}))
    assert ahead.time_left() == TimeLeft(64.0, at_least=False)
    ahead.begin("ingest", 4)
    ahead.advance("ingest", seconds=6.0)  # this run's own costs count, not those of earlier ones
    assert ahead.time_left() == TimeLeft((3 * 6 + 2 * 60) / 2, at_least=False)


def test_what_was_never_timed_makes_the_estimate_a_bound_and_what_lay_in_the_store_costs_nothing() -> None:
    ahead = Ahead(mean_seconds={}, workers=1)
    ahead.plan(({"ingest": 3}, {"train": 2}))
    ahead.begin("ingest", 3)
    ahead.advance("ingest", seconds=None)
    assert ahead.time_left() is None
    ahead.advance("ingest", seconds=5.0)
    assert str(ahead.time_left()) == "at least 5 s left"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (1406, "23 min"), (7800, "2 h 10 min")]
)
def test_durations_are_spoken(seconds: float, words: str) -> None:
    assert spoken(seconds) == words
