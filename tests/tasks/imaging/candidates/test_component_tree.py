"""The tree of components, and which of them are stable."""

from __future__ import annotations

import numpy as np
from skimage.morphology import max_tree

from tasks.imaging.candidates.component_tree import Layer, Settings, component_tree, stable_components

ONE = (10.0, 10.0, 10.0)  # voxels of 1 ml


def hills() -> np.ndarray:
    """Two blocks, of 3×3×3 voxels of 9 and 2×2×2 of 7, on a block of 4 in a ground of 0."""
    image = np.zeros((12, 12, 12))
    image[1:10, 1:10, 1:10] = 4.0
    image[2:5, 2:5, 2:5] = 9.0
    image[7:9, 7:9, 7:9] = 7.0
    return image


def test_components_lie_in_those_of_the_level_below() -> None:
    tree = component_tree(hills(), np.ones((12, 12, 12), dtype=bool), [1.0, 5.0, 8.0])
    assert [layer.voxels.tolist() for layer in tree] == [[729], [27, 8], [27]]
    assert [layer.parents.tolist() for layer in tree] == [[-1], [0, 0], [0]]


def test_the_tree_has_the_components_of_the_max_tree_of_scikit_image() -> None:
    image = np.random.default_rng(3).integers(0, 6, (9, 10, 11))
    tree = component_tree(image, np.ones(image.shape, dtype=bool), [n - 0.5 for n in range(6)])
    parents, order = max_tree(image, connectivity=1)
    area, flat = np.ones(image.size, dtype=int), parents.ravel()
    for voxel in order[::-1][:-1]:
        area[flat[voxel]] += area[voxel]
    value = image.ravel()
    nodes = [n for n in range(image.size) if value[flat[n]] != value[n] or n == order[0]]
    for level, layer in enumerate(tree):
        # A node is a component at every level above its parent's value, up to its own.
        lower = [-1 if n == order[0] else value[flat[n]] for n in nodes]
        sizes = [area[n] for n, low in zip(nodes, lower, strict=True) if low < level <= value[n]]
        assert sorted(layer.voxels.tolist()) == sorted(sizes)


def test_of_a_branch_the_piece_that_varies_least_is_stable() -> None:
    # 100 → 40 → 36 → 35 → 5 voxels: grown from the level below by 150 %, 11 %, 3 % and 600 %.
    chain = [Layer(np.array([n]), np.array([0 if i else -1])) for i, n in enumerate((100, 40, 36, 35, 5))]
    assert [s.tolist() for s in stable_components(chain, 1, 0.5)] == [[False], [False], [False], [True], [False]]
    assert not any(s.any() for s in stable_components(chain, 1, 0.01))


def test_of_equal_pieces_the_one_of_the_lowest_level_is_kept() -> None:
    plateau = [Layer(np.array([n]), np.array([0 if i else -1])) for i, n in enumerate((100, 40, 40, 40, 5))]
    assert [s.tolist() for s in stable_components(plateau, 1, 0.5)] == [[False], [False], [True], [False], [False]]


def test_sharp_blocks_are_found_each_at_a_level_of_its_own() -> None:
    settings = Settings(
        thresholds=tuple(np.arange(0.5, 10.0, 0.5)), smoothing_sigma_mm=0.0, min_ml=5.0, max_ml=800.0, delta=2
    )
    pieces = settings.find(hills(), np.ones((12, 12, 12), dtype=bool), spacing_mm=ONE, unit="SUV")
    assert [(p.kind, p.mask.sum()) for p in pieces] == [("tree", 729), ("tree", 27), ("tree", 8)]
    assert pieces[1].box == (slice(2, 5),) * 3


def test_limits_are_in_ml_and_the_region_cuts_pieces() -> None:
    settings = Settings(
        thresholds=tuple(np.arange(0.5, 10.0, 0.5)), smoothing_sigma_mm=0.0, min_ml=9.0, max_ml=27.0, delta=2
    )
    within = np.zeros((12, 12, 12), dtype=bool)
    within[:, :, :4] = True
    assert [p.mask.sum() for p in settings.find(hills(), within, spacing_mm=ONE, unit="SUV")] == [18]
