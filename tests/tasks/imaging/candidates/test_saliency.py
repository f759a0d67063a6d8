"""Pieces of the saliency map."""

from __future__ import annotations

import numpy as np

from tasks.imaging.candidates.saliency import Settings

SPACING = (3.0, 2.0, 2.0)
SHAPE = (20, 48, 48)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A spot of 12 mm in one stretch of a noisy texture that is the same in all slices."""
    rng = np.random.default_rng(2)
    texture = rng.normal(0, 1, SHAPE[1:])
    image = np.repeat(texture[None], SHAPE[0], axis=0) + rng.normal(0, 0.2, SHAPE)
    z, y, x = np.meshgrid(*(np.arange(n) * s for n, s in zip(SHAPE, SPACING, strict=True)), indexing="ij")
    spot = (z - 30) ** 2 + (y - 50) ** 2 + (x - 40) ** 2 < 9**2
    return (image + 6.0 * spot).astype(np.float32), spot


def test_a_spot_in_a_texture_is_in_a_piece_of_every_level() -> None:
    image, spot = scene()
    pieces = Settings().find(image, np.ones(SHAPE, dtype=bool), spacing_mm=SPACING, unit="arbitrary")
    hits = {p.level for p in pieces if (p.mask & spot[p.box]).sum() > 0.3 * spot.sum()}
    assert {p.kind for p in pieces} == {"saliency"}
    assert hits >= {0.8, 0.9}


def test_of_each_level_the_largest_are_kept() -> None:
    image, _ = scene()
    everywhere = np.ones(SHAPE, dtype=bool)
    every = Settings(levels=(0.7,), min_ml=0.0).find(image, everywhere, spacing_mm=SPACING, unit="arbitrary")
    few = Settings(levels=(0.7,), min_ml=0.0, max_pieces=2).find(
        image, everywhere, spacing_mm=SPACING, unit="arbitrary"
    )
    sizes = sorted((int(p.mask.sum()) for p in every), reverse=True)
    assert len(every) > 2
    assert sorted((int(p.mask.sum()) for p in few), reverse=True) == sizes[:2]
