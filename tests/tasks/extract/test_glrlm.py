"""Runs counted by hand and line by line."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from tasks.extract.discretize import Discretization
from tasks.extract.families import glrlm
from tasks.extract.families.glrlm import Settings, compute, run_lengths
from tasks.extract.region import Region
from tasks.extract.texture.aggregation import AGGREGATIONS
from tasks.extract.texture.scan import scan

STEPS = [s for s in itertools.product((-1, 0, 1), repeat=3) if s > (0, 0, 0)]
IN_PLANE = [s for s in STEPS if s[0] == 0]
NAMES = ("3D_comb", "3D_avg", "2_5D_comb", "2_5D_avg", "2D_comb", "2D_avg")


def of_levels(levels: object) -> Region:
    """A region of these levels, where they are not 0."""
    array = np.array(levels, ndmin=3)
    return Region(np.maximum(array, 1), array > 0, (1.0, 1.0, 1.0), "HU", discretization=Discretization(method="none"))


def runs(levels: np.ndarray, steps: list[tuple[int, ...]]) -> Counter:
    """Runs by level and length: from each voxel that begins one, as far as its level goes."""
    found: Counter = Counter()
    inside = {tuple(int(i) for i in voxel): int(levels[tuple(voxel)]) for voxel in np.argwhere(levels)}
    for step in steps:
        for voxel, level in inside.items():
            if inside.get(tuple(v - s for v, s in zip(voxel, step, strict=True))) == level:
                continue
            line = (tuple(v + k * s for v, s in zip(voxel, step, strict=True)) for k in itertools.count())
            found[level, sum(1 for _ in itertools.takewhile(lambda v, of=level: inside.get(v) == of, line))] += 1
    return found


def counted(levels: np.ndarray, name: str) -> list[Counter]:
    """The matrices of an aggregation, as `run_lengths` should give them."""
    way = AGGREGATIONS[name]
    steps = IN_PLANE if way.planar else STEPS
    parts = [plane[None] for plane in levels if plane.any()] if way.by_slice else [levels]
    groups = [[step] for step in steps] if way.by_direction else [steps]
    return [runs(part, group) for part in parts for group in groups]


def found(levels: np.ndarray, name: str) -> list[Counter]:
    counts = run_lengths(scan(of_levels(levels)), AGGREGATIONS[name])
    matrices = [Counter() for _ in counts.starts]
    for matrix, level, length, count in zip(counts.matrix, counts.row, counts.column, counts.count, strict=True):
        matrices[matrix][int(level), int(length)] = int(count)
    return matrices


def noise() -> np.ndarray:
    rng = np.random.default_rng(1)
    levels = rng.integers(1, 3, (5, 6, 7)) * (rng.random((5, 6, 7)) < 0.8)
    levels[2] = 0
    return levels


def test_a_row_has_three_runs_along_itself_and_runs_of_one_across() -> None:
    values = compute(of_levels([1, 1, 2, 1]), Settings(aggregations=("2_5D_comb", "2_5D_avg")))
    # Along x lengths 2, 1, 1; along the other three directions 4 of length 1 each: 15 runs of 16 possible.
    assert values["short_runs_emphasis_2_5D_comb"] == pytest.approx((14 + 1 / 4) / 15)
    assert values["run_percentage_2_5D_comb"] == pytest.approx(15 / 16)
    assert values["run_length_non_uniformity_2_5D_comb"] == pytest.approx((14**2 + 1) / 15)
    assert values["long_runs_emphasis_2_5D_avg"] == pytest.approx((2 + 1 + 1 + 1) / 4)
    assert values["run_percentage_2_5D_avg"] == pytest.approx((3 / 4 + 3) / 4)
    # Of level 1 there are 2 + 9 runs, of level 2 there are 4; one of the former has length 2.
    shares = (10 / 15, 1 / 15, 4 / 15)
    assert values["run_entropy_2_5D_comb"] == pytest.approx(-sum(p * math.log2(p) for p in shares))
    assert values["grey_level_variance_2_5D_comb"] == pytest.approx(11 / 15 * 4 / 15)


@pytest.mark.parametrize("name", NAMES)
def test_runs_are_those_counted_line_by_line(name: str) -> None:
    assert found(noise(), name) == counted(noise(), name)


def test_slices_counted_a_few_at_a_time_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compute(of_levels(noise()), Settings(aggregations=NAMES))
    monkeypatch.setattr(glrlm, "MOST_CELLS", 1)
    assert compute(of_levels(noise()), Settings(aggregations=NAMES)) == whole


def test_a_constant_cube_has_runs_of_its_side() -> None:
    values = compute(of_levels(np.full((3, 3, 3), 2)), Settings(aggregations=("3D_avg",)))
    # Along an axis 9 runs of 3; in a diagonal of a face 3 of 3, 6 of 2, 6 of 1; in space 1 of 3, 6 of 2, 12 of 1.
    means = [9.0] * 3 + [(3 * 9 + 6 * 4 + 6) / 15] * 6 + [(9 + 6 * 4 + 12) / 19] * 4
    assert values["long_runs_emphasis_3D_avg"] == pytest.approx(np.mean(means))
    assert values["grey_level_variance_3D_avg"] == 0.0
    assert values["run_percentage_3D_avg"] == pytest.approx((3 * 9 + 6 * 15 + 4 * 19) / 13 / 27)
