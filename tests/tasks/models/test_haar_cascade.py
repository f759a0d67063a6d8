"""The trained cascade: planted objects are found in pictures and volumes, and stages keep what they promise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from storage.errors import StoreError
from tasks.imaging.cascade import scan
from tasks.imaging.cascade_learning import false_windows
from tasks.imaging.haar_features import HaarFeatures
from tasks.imaging.patch_files import COLUMNS, PatchFacts, read_patches, write_patches
from tasks.imaging.patches import PatchShape
from tasks.models.haar_cascade import Detector, Settings, find, learn, learn_on_patches, load, save, score_patches

FLAT, DEEP = (12, 12), (8, 8, 8)
HEIGHT = 1.4
QUICK = Settings(candidates=500, negatives=500, scales=(1.0, 1.25), stages=6, passed=0.2, fewest=5)
SHAPES = pytest.mark.parametrize("shape", [FLAT, DEEP])


def noise(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def planted(image: np.ndarray, start: tuple[int, ...], shape: tuple[int, ...], height: float = HEIGHT) -> None:
    """A bright box with a dark core, which fills the window but for a margin."""
    image[tuple(slice(a + n // 6, a + n - n // 6) for a, n in zip(start, shape, strict=True))] += height
    image[tuple(slice(a + n // 2 - 1, a + n // 2 + 1) for a, n in zip(start, shape, strict=True))] -= 2 * height


def objects(shape: tuple[int, ...], count: int = 80, seed: int = 0) -> np.ndarray:
    blocks = noise((count, *shape), seed)
    for block in blocks:
        planted(block, (0,) * len(shape), shape)
    return blocks


def backgrounds(shape: tuple[int, ...], seed: int = 1) -> list[np.ndarray]:
    """Noise, and bright boxes without a core."""
    images = [noise(tuple(3 * n for n in shape), seed + i) for i in range(8)]
    for image in images:
        box(image, shape, shape)
    return images


def box(image: np.ndarray, start: tuple[int, ...], shape: tuple[int, ...]) -> None:
    image[tuple(slice(a + n // 6, a + n - n // 6) for a, n in zip(start, shape, strict=True))] += HEIGHT


@pytest.fixture(scope="module")
def detectors() -> dict[tuple[int, ...], Detector]:
    return {shape: learn(objects(shape), backgrounds(shape), QUICK, seed=0) for shape in (FLAT, DEEP)}


@SHAPES
def test_planted_objects_are_found_where_they_are_and_what_is_alike_is_not(detectors: Any, shape: Any) -> None:
    image = noise(tuple(5 * n for n in shape), 50)
    box(image, tuple(n // 2 for n in shape), shape)
    places = [tuple(2 * n + 1 for n in shape), (1,) * (len(shape) - 1) + (3 * shape[-1],)]
    for place in places:
        planted(image, place, shape)
    found = find(detectors[shape], image)
    assert len(found.scores) >= 2
    best = found.starts[:2]
    for place in places:
        assert np.abs(best - place).max(axis=1).min() <= 1.5
    assert (found.scores[2:] < found.scores[:2].min()).all()
    assert len(found.scores) <= 4
    assert (found.merged >= QUICK.neighbours).all()


def test_an_object_of_a_quarter_more_size_is_found_at_its_scale(detectors: Any) -> None:
    image = noise((50, 50), 51)
    planted(image, (20, 10), (15, 15))
    found = find(detectors[FLAT], image)
    middle = found.starts[0] + found.sizes[0] / 2
    assert np.abs(middle - [27.5, 17.5]).max() <= 2
    assert found.sizes[0].max() > 12


@SHAPES
def test_every_stage_keeps_objects_and_turns_false_windows_away(detectors: Any, shape: Any) -> None:
    detector = detectors[shape]
    assert len(detector.history) == len(detector.cascade.stages) >= 2
    for record, stage in zip(detector.history, detector.cascade.stages, strict=True):
        assert record.stumps == len(stage.stumps)
        assert record.kept >= QUICK.kept
        assert record.passed <= QUICK.passed
    fresh = score_patches(detector, objects(shape, seed=7))
    assert (fresh > np.quantile(score_patches(detector, noise((200, *shape), 8)), 0.99)).mean() > 0.9


@SHAPES
def test_a_patch_that_passes_scores_as_the_scan_does(detectors: Any, shape: Any) -> None:
    detector = detectors[shape]
    blocks = np.concatenate([objects(shape, 20, seed=9), noise((20, *shape), 10)])
    scores = score_patches(detector, blocks)
    passed = [scan(block, detector.cascade) for block in blocks]
    assert sum(len(one.scores) for one in passed) > 10
    for score, one in zip(scores, passed, strict=True):
        assert 0 <= score <= 1
        assert one.scores.tolist() in ([], [pytest.approx(score, abs=1e-6)])


def test_later_stages_learn_from_what_passes_the_earlier_ones(detectors: Any) -> None:
    cascade, rng = detectors[FLAT].cascade, np.random.default_rng(0)
    first = cascade.model_copy(update={"stages": cascade.stages[:1]})
    everything, hard = (
        false_windows(backgrounds(FLAT), one, FLAT, count=10**6, scales=(1.0, 1.25), step=1.0, rng=rng)
        for one in (None, first)
    )
    assert len(everything) == 8 * (25**2 + 22**2)
    assert 0 < len(hard) < 0.5 * len(everything)
    one_by_one = [len(scan(window, first).scores) for window in hard[:40]]
    assert np.mean(one_by_one) > 0.9  # but for windows of scale 1.25, which were shrunk
    few = false_windows(backgrounds(FLAT), None, FLAT, count=30, scales=(1.0,), step=1.0, rng=rng)
    assert few.shape == (30, *FLAT)


def test_the_seed_alone_decides() -> None:
    settings = QUICK.model_copy(update={"stages": 1, "candidates": 100})
    one, other, another = (learn(objects(FLAT), backgrounds(FLAT), settings, seed=seed) for seed in (3, 3, 4))
    assert one == other
    assert one != another


def test_a_detector_is_plain_json_and_finds_the_same_after_it_was_saved(detectors: Any, tmp_path: Path) -> None:
    image = noise((40, 40), 52)
    planted(image, (10, 20), FLAT)
    save(tmp_path / "detector.json", detectors[FLAT])
    again = load(tmp_path / "detector.json")
    assert again == detectors[FLAT]
    assert find(again, image).scores.tobytes() == find(detectors[FLAT], image).scores.tobytes()
    assert set(json.loads((tmp_path / "detector.json").read_text())) == {
        *("format", "cascade", "settings", "objects", "history")
    }


def test_a_file_that_is_no_detector_is_refused(detectors: Any, tmp_path: Path) -> None:
    path = tmp_path / "detector.json"
    with pytest.raises(StoreError, match=r"detector\.json cannot be read: No such file"):
        load(path)
    later = detectors[FLAT].model_dump(mode="json") | {"format": 2}
    for content in (b"\x80\x04.", json.dumps(later).encode(), b'{"format": 1}'):
        path.write_bytes(content)
        with pytest.raises(StoreError, match=r"detector\.json is no detector of format 1"):
            load(path)


def test_it_learns_from_patches_on_disk(tmp_path: Path) -> None:
    blocks = np.concatenate([objects(DEEP, 40), noise((60, *DEEP), 3)])
    rows = {name: np.zeros(100) for name in COLUMNS} | {
        "number": np.arange(100),
        "kind": ["lesion"] * 40 + ["background"] * 30 + ["hard"] * 30,
        "label": [1] * 40 + [0] * 60,
        "patient": [f"P-{number % 7}" for number in range(100)],
        "digest": [""] * 100,
    }
    shape = PatchShape(form="3-D", size=DEEP)
    facts = PatchFacts(shape, (1.0, 1.0, 1.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), "HU", 0)
    write_patches(tmp_path, pd.DataFrame(rows)[list(COLUMNS)], blocks.astype(np.float32), None, facts)
    detector = learn_on_patches([read_patches(tmp_path)], QUICK.model_copy(update={"check_share": 0.3}), seed=0)
    assert detector.objects == 40
    fresh, other = (score_patches(detector, one) for one in (objects(DEEP, 30, seed=20), noise((30, *DEEP), 21)))
    assert np.median(fresh) > other.max()


def test_thresholds_are_set_on_other_patients_where_that_is_asked() -> None:
    """All objects of one patient are faint: a threshold set on the others alone would lose them."""
    bright, faint = objects(FLAT, 60), noise((20, *FLAT), 5)
    for block in faint:
        planted(block, (0, 0), FLAT, height=0.7)
    blocks, groups = np.concatenate([bright, faint]), ["bright"] * 60 + ["faint"] * 20
    settings = QUICK.model_copy(update={"check_share": 0.5})
    kept = []
    for seed in range(2):
        detector = learn(blocks, backgrounds(FLAT), settings, seed=seed, groups=groups)
        kept.append(float((score_patches(detector, bright) > 0).mean()))
        assert all(record.kept >= settings.kept for record in detector.history)
    assert min(kept) > 0.9


def test_features_that_no_stump_asks_are_not_kept(detectors: Any) -> None:
    cascade = detectors[FLAT].cascade
    assert sorted({stump.feature for stump in cascade.stumps}) == list(range(len(cascade.features)))
    assert HaarFeatures.of(FLAT, cascade.features, balanced=cascade.balanced).balanced


# Faults


def test_too_few_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one object"):
        learn(np.zeros((0, *FLAT)), backgrounds(FLAT), QUICK, seed=0)
    with pytest.raises(ValueError, match="at least 5 windows of background; got 0"):
        learn(objects(FLAT), [np.zeros((5, 50))], QUICK, seed=0)


def test_objects_that_are_as_the_background_are_refused() -> None:
    with pytest.raises(ValueError, match="no feature tells objects from background"):
        learn(np.zeros((30, *FLAT)), [np.zeros((40, 40))], QUICK, seed=0)


def test_planes_and_scales_below_1_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"scales from 1 on; got 0\.5"):
        Settings(scales=(0.5, 1.0))
    shape = PatchShape(form="planes", size=DEEP)
    facts = PatchFacts(shape, (1.0, 1.0, 1.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), "HU", 0)
    rows = pd.DataFrame({name: [] for name in COLUMNS})
    with pytest.raises(ValueError, match="got planes"):
        learn_on_patches([type("Set", (), {"facts": facts, "table": rows})()], QUICK, seed=0)
