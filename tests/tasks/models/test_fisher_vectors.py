"""Fisher vectors: pictures told apart by texture and by where it is, and a model that survives the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storage.classical import load_model, save_model
from tasks.discover import part_names
from tasks.models.fisher_vectors import Settings, build_on_pictures

SMALL = Settings(side=48, cells_px=(3,), step_px=6, components=8, gaussians=4, learned_points=30)
CLASSES = ("fine", "coarse", "bright left or right")
LABELS = np.tile(np.arange(3), 8)


def picture(label: int, number: int) -> np.ndarray:
    """Stripes of 4 or of 12 pixels; or a bright half on the side that the number says."""
    rng = np.random.default_rng([label, number])
    x = np.arange(48) + int(rng.integers(12))
    line = 128 + 80 * np.sign(np.sin(2 * np.pi * x / (4 if label == 0 else 12)))
    values = np.broadcast_to(line, (48, 48)) + rng.normal(0, 5, (48, 48))
    if label == 2:
        half = np.arange(48) // 24 == number % 2
        values = np.where(half, 230.0, 60.0) + rng.normal(0, 5, (48, 48))
    return np.repeat(np.clip(values, 1, 255).astype(np.uint8)[..., None], 3, axis=-1)


PICTURES = np.stack([picture(label, number) for number, label in enumerate(LABELS)])
NEW = np.stack([picture(label, 100 + number) for number, label in enumerate(LABELS)])


@pytest.fixture(scope="module")
def fitted() -> Any:
    return build_on_pictures(SMALL, seed=0).fit(PICTURES, LABELS)


def test_it_is_found_as_a_model_that_looks_at_pictures() -> None:
    assert "fisher_vectors" in part_names("tasks.models", with_function="build_on_pictures")


def test_textures_are_told_apart_on_new_pictures(fitted: Any) -> None:
    assert (fitted.predict(NEW) == LABELS).mean() > 0.9
    assert np.allclose(fitted.predict_proba(NEW).sum(axis=1), 1)
    assert fitted.classes_.tolist() == [0, 1, 2]


def test_a_mirror_image_gets_the_same_answer(fitted: Any) -> None:
    assert np.allclose(fitted.predict_proba(NEW), fitted.predict_proba(NEW[:, :, ::-1]))


def test_without_mirroring_left_is_not_right() -> None:
    sides = np.stack([picture(2, number) for number in range(16)])
    options = {"mirrored": False, "gaussians": 2}
    model = build_on_pictures(SMALL.model_copy(update=options), seed=0).fit(sides, np.arange(16) % 2)
    assert model.predict(sides).tolist() == [0, 1] * 8
    assert model.predict(sides[:, :, ::-1]).tolist() == [1, 0] * 8


def test_it_learns_the_same_from_the_same_seed(fitted: Any) -> None:
    again = build_on_pictures(SMALL, seed=0).fit(PICTURES, LABELS)
    assert np.array_equal(again.predict_proba(NEW), fitted.predict_proba(NEW))
    other = build_on_pictures(SMALL, seed=1).fit(PICTURES, LABELS)
    assert not np.array_equal(other.predict_proba(NEW), fitted.predict_proba(NEW))


def test_it_says_the_same_after_the_disk(fitted: Any, tmp_path: Path) -> None:
    save_model(tmp_path / "model.skops", fitted)
    assert np.array_equal(load_model(tmp_path / "model.skops").predict_proba(NEW), fitted.predict_proba(NEW))


def test_beside_a_fisher_vector_of_length_1_its_patterns_are_as_long_as_asked_for() -> None:
    model = build_on_pictures(SMALL.model_copy(update={"patterns": 0.6, "mirrored": False}), seed=0)
    columns = model.fit(PICTURES, LABELS)[-1]._columns(model[0].transform(PICTURES).ravel())
    vectors, patterns = np.split(columns, [columns.shape[1] - 3 * 4 * 4 * 59], axis=1)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    varied = (patterns.std(axis=0) > 0).mean()  # the others are 0 everywhere
    assert (patterns**2).sum(axis=1).mean() == pytest.approx(0.36 * varied)


def test_without_patterns_only_the_fisher_vector_counts() -> None:
    model = build_on_pictures(SMALL.model_copy(update={"patterns": 0.0}), seed=0).fit(PICTURES, LABELS)
    assert not model[-1].machine_.coef_[:, -3 * 4 * 4 * 59 :].any()


def test_its_pictures_may_have_another_size_than_it_looks_at(fitted: Any) -> None:
    larger = NEW.repeat(2, axis=1).repeat(2, axis=2)
    assert (fitted.predict(larger) == LABELS).mean() > 0.9


def test_more_words_than_points_are_refused() -> None:
    wanted = SMALL.model_copy(update={"gaussians": 512})
    with pytest.raises(ValueError, match="512 words need as many points"):
        build_on_pictures(wanted, seed=0).fit(PICTURES[:3], LABELS[:3])
