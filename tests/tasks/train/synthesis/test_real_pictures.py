"""On public chest X-rays of 28 × 28: a short training already makes chests, of the class asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.train.synthesis.fit import fit_generator, synthesize
from tasks.train.synthesis.settings import SynthesisSettings


@pytest.mark.slow
@pytest.mark.parametrize("method", ["original", "wgan_gp"])
def test_synthetic_chests_look_like_their_class_on_average(real_data: Path, method: str) -> None:
    with np.load(real_data / "pneumoniamnist" / "pneumoniamnist.npz") as data:
        images, labels = data["train_images"][:, None], data["train_labels"].ravel().astype(int)
    rows = np.concatenate([np.flatnonzero(labels == label)[:100] for label in (0, 1)])
    wide: dict[str, Any] = {"width": 16, "widest": 64}
    settings = SynthesisSettings(method=method, steps=80, discriminator_steps=1, average=0.9, network=wide)
    fitted = fit_generator(images[rows], labels[rows], settings, classes=2, seed=0)
    made = synthesize(fitted, [0] * 40 + [1] * 40, seed=1).astype(float)
    for label in (0, 1):
        real = images[rows][labels[rows] == label].mean(axis=(0, 1)).ravel()
        found = made[40 * label : 40 * (label + 1)].mean(axis=(0, 1)).ravel()
        assert np.corrcoef(real, found)[0, 1] > 0.7
