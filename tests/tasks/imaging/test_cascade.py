"""Cascades: windows asked one by one, planted objects, and how little the background costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from pydantic import ValidationError

from storage.errors import CaseError
from tasks.imaging.boosting import Stump, boosted_selection, votes
from tasks.imaging.cascade import Cascade, Stage, scan
from tasks.imaging.haar_features import HaarFeatures, Placed, haar_features, haar_like

EDGE = Placed(pattern="two_x", at=(0, 0), size=(6, 3))
LINE = Placed(pattern="three_y", at=(0, 0), size=(2, 6))


def stump(feature: int, threshold: float, weight: float = 1.0) -> Stump:
    """High values speak for the object."""
    return Stump(feature=feature, threshold=threshold, polarity=-1, weight=weight)


def edges(threshold: float = 0.9) -> Cascade:
    """What is dark on the left and bright on the right: a perfect step has the value 1."""
    return Cascade(shape=(6, 6), features=(EDGE,), stages=(Stage(stumps=(stump(0, threshold),), threshold=1.0),))


def trained(shape: tuple[int, ...], seed: int = 0) -> Cascade:
    """Boosted on noise with and without a bright box: a first stage that loses few positives, one that asks more."""
    rng = np.random.default_rng(seed)
    blocks = rng.normal(size=(400, *shape))
    labels = np.arange(400) % 4 == 0
    middle = tuple(slice(n // 4, n - n // 4) for n in shape)
    blocks[(labels, *middle)] += 2.0 if len(shape) == 2 else 1.0
    features = haar_features(shape, step=2, size_step=2)
    values = haar_like(blocks, features, by_contrast=True)
    stumps = boosted_selection(values, labels, 7, threads=1)
    used = sorted({s.feature for s in stumps})
    first, *others = (s.model_copy(update={"feature": used.index(s.feature)}) for s in stumps)
    among = values[labels, stumps[0].feature]
    kept = np.quantile(among, 0.1 if first.polarity < 0 else 0.9)
    stages = (
        Stage(stumps=(first.model_copy(update={"threshold": float(kept)}),), threshold=first.weight),
        Stage(stumps=tuple(others), threshold=0.5 * sum(s.weight for s in others)),
    )
    return Cascade(shape=shape, features=tuple(features.placed(n) for n in used), stages=stages)


def passing(image: np.ndarray, cascade: Cascade) -> list[tuple[int, ...]]:
    """Every window by itself, without an integral image of the whole."""
    windows = sliding_window_view(image, cascade.shape)
    grid = windows.shape[: image.ndim]
    features = HaarFeatures.of(cascade.shape, cascade.features, balanced=cascade.balanced)
    values = haar_like(windows.reshape(-1, *cascade.shape), features, by_contrast=True)
    passed = np.all([votes(values, stage.stumps) >= stage.threshold for stage in cascade.stages], axis=0)
    return [tuple(at) for at in np.argwhere(passed.reshape(grid)).tolist()]


def test_a_step_in_an_empty_picture_is_found_where_it_is() -> None:
    image = np.zeros((20, 30))
    image[8:14, 13:16] = 5.0
    found = scan(image, edges())
    assert found.starts.tolist() == [[8, 10]]
    assert found.sizes.tolist() == [[6, 6]]
    assert found.scores.tolist() == [1.0]


def test_an_object_of_twice_the_size_is_found_at_twice_the_scale() -> None:
    image = np.zeros((40, 50))
    image[10:22, 26:32] = 5.0
    found = scan(image, edges(), scales=(1.0, 2.0))
    assert [10, 20] in found.starts[found.sizes[:, 0] == 12].tolist()
    assert scan(image, edges(0.999), scales=(2.0,)).starts.tolist() == [[10, 20]]


@pytest.mark.parametrize("scale", [1.2, 1.5, 1.7, 2.3])
def test_a_rounded_window_gives_a_step_what_it_has_at_scale_1(scale: float) -> None:
    side = round(6 * scale)
    half = min(round(3 * scale), side // 2)
    image = np.zeros((side, side))
    image[:, half : 2 * half] = 1.0
    [score] = scan(image, edges(0.8), scales=(scale,)).scores
    assert score == 1.0


@pytest.mark.parametrize("shape", [(8, 8), (6, 8, 6)])
def test_windows_pass_that_pass_one_by_one(shape: tuple[int, ...]) -> None:
    cascade = trained(shape)
    image = np.random.default_rng(1).normal(size=tuple(3 * n for n in shape))
    image[tuple(slice(n, n + n // 2) for n in shape)] += 3.0
    found = scan(image, cascade)
    assert len(found.starts) > 0
    assert [tuple(at) for at in found.starts.tolist()] == passing(image, cascade)


def test_scores_are_the_share_of_the_votes() -> None:
    cascade = trained((8, 8))
    image = np.random.default_rng(2).normal(size=(20, 20))
    image[4:8, 6:10] += 3.0
    found = scan(image, cascade)
    windows = np.stack([image[y : y + 8, x : x + 8] for y, x in found.starts])
    values = haar_like(windows, HaarFeatures.of((8, 8), cascade.features), by_contrast=True)
    total = sum(s.weight for s in cascade.stumps)
    assert found.scores == pytest.approx(votes(values, cascade.stumps) / total, abs=1e-6)


def test_the_planted_object_is_found_and_the_background_leaves_early() -> None:
    cascade = trained((8, 8, 8))
    image = np.random.default_rng(3).normal(size=(30, 30, 30))
    image[12:16, 6:10, 16:20] += 3.0
    found = scan(image, cascade)
    assert found.scanned == 23**3
    best = found.starts[found.scores > 0.9]
    assert best.mean(axis=0) == pytest.approx([10, 4, 14], abs=1)
    assert 1.0 < found.asked / found.scanned < 2.0  # of seven stumps, the first one settles most
    assert len(found.starts) < 0.05 * found.scanned


def test_brightness_and_contrast_do_not_matter() -> None:
    cascade = trained((8, 8))
    image = np.random.default_rng(4).normal(size=(30, 30))
    image[10:14, 10:14] += 3.0
    one, other = scan(image, cascade), scan(300.0 * image + 5000.0, cascade)
    assert np.array_equal(one.starts, other.starts)
    assert len(one.starts) > 0


def test_a_step_of_several_voxels_scans_fewer_windows_of_the_same() -> None:
    cascade, image = trained((8, 8)), np.random.default_rng(5).normal(size=(40, 40))
    image[16:20, 18:22] += 3.0
    everything, fewer = scan(image, cascade), scan(image, cascade, step=2)
    kept = [at for at in everything.starts.tolist() if at[0] % 2 == at[1] % 2 == 0]
    assert fewer.starts.tolist() == kept != []
    assert fewer.scanned == 17**2


def test_threads_change_nothing() -> None:
    cascade, image = trained((6, 6, 6)), np.random.default_rng(6).normal(size=(14, 15, 16))
    one, three = (scan(image, cascade, scales=(1.0, 1.5), threads=n) for n in (1, 3))
    for name in ("starts", "sizes", "scores", "scanned", "asked"):
        assert np.array_equal(getattr(one, name), getattr(three, name))


@pytest.mark.parametrize("level", [0.0, 0.1, -1000.3])
def test_a_flat_picture_has_no_object(level: float) -> None:
    image = np.full((30, 30), level)
    assert len(scan(image, edges(0.01)).starts) == 0
    image[0, 0] += 1e3  # an outlier elsewhere does not make rounding a contrast
    assert len(scan(image[:, 8:], edges(0.01)).starts) == 0


def test_a_stage_may_ask_several_features() -> None:
    both = (Stage(stumps=(stump(0, 0.2, 2.0), stump(1, -0.5, 1.0)), threshold=2.5),)
    cascade = Cascade(shape=(6, 6), features=(EDGE, LINE), stages=both)
    image = np.random.default_rng(7).normal(size=(25, 25))
    assert [tuple(at) for at in scan(image, cascade).starts.tolist()] == passing(image, cascade)


def test_an_image_smaller_than_the_window_has_no_windows() -> None:
    for shape in ((5, 20), (0, 0)):
        found = scan(np.zeros(shape), edges())
        assert (found.starts.shape, found.sizes.shape, found.scores.shape, found.scanned) == ((0, 2), (0, 2), (0,), 0)
    assert scan(np.zeros((9, 9)), edges(), scales=()).starts.shape == (0, 2)


def test_a_cascade_survives_as_json() -> None:
    cascade = trained((6, 6, 6))
    assert Cascade.model_validate_json(cascade.model_dump_json()) == cascade


def test_a_cascade_that_cannot_be_asked_is_refused() -> None:
    stage: Any = Stage(stumps=(stump(1, 0.0),), threshold=1.0)
    with pytest.raises(ValidationError, match=r"ask for the features \[1\]; there are 1"):
        Cascade(shape=(6, 6), features=(EDGE,), stages=(stage,))
    with pytest.raises(ValidationError, match="boxes inside a block"):
        Cascade(shape=(4, 4), features=(EDGE,), stages=(stage,))
    for stages in ((), (Stage(stumps=(), threshold=0.0),)):
        with pytest.raises(ValidationError, match="at least one stage"):
            Cascade(shape=(6, 6), features=(EDGE,), stages=stages)


def test_an_image_with_a_gap_is_refused() -> None:
    image = np.zeros((9, 9))
    image[4, 4] = np.nan
    with pytest.raises(CaseError, match="finite intensities"):
        scan(image, edges())


def test_images_of_other_axes_and_scales_below_1_are_refused() -> None:
    with pytest.raises(ValueError, match="an image of 2 axes"):
        scan(np.zeros((9, 9, 9)), edges())
    for scales, step in (((0.5, 1.0), 1.0), ((1.0,), 0.0)):
        with pytest.raises(ValueError, match="scales from 1 on and a positive step"):
            scan(np.zeros((9, 9)), edges(), scales=scales, step=step)
