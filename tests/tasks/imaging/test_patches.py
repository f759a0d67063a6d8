"""Where patches lie, and what is cut out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.imaging.patches import (
    GridSettings,
    PatchShape,
    background_centres,
    grid_centres,
    grid_within,
    hardest,
    lesion_centres,
    patch_rng,
)

DIGEST = "0123456789abcdef" * 4
NUMBERS = np.arange(4 * 5 * 6).reshape(4, 5, 6)


def block(*size: int) -> PatchShape:
    return PatchShape(size=size)


# Cutting


def test_a_block_lies_around_its_centre() -> None:
    assert (block(2, 3, 3).cut(NUMBERS, (2, 2, 3), outside=0) == NUMBERS[1:3, 1:4, 2:5]).all()


def test_beyond_the_border_lies_the_background_or_the_border_itself() -> None:
    patch = block(3, 3, 3).cut(NUMBERS, (0, 0, 5), outside=-7)
    assert (patch[1:, 1:, :2] == NUMBERS[:2, :2, 4:]).all()
    assert (patch[0] == -7).all()
    assert (patch[:, 0] == -7).all()
    assert (patch[:, :, 2] == -7).all()
    edge = block(3, 3, 3).cut(NUMBERS, (0, 0, 5), outside=None)
    assert edge[0].tolist() == edge[1].tolist()
    assert edge[1, 1].tolist() == [4, 5, 5]


def test_an_image_smaller_than_the_patch_is_padded_on_both_sides() -> None:
    patch = block(8, 8, 8).cut(NUMBERS, (2, 2, 3), outside=-1)
    assert patch.shape == (8, 8, 8)
    assert (patch[2:6, 2:7, 1:7] == NUMBERS).all()
    assert (patch == -1).sum() == 512 - NUMBERS.size


def test_slices_and_planes_are_those_through_the_centre() -> None:
    centre = (2, 2, 3)
    plane = PatchShape(form="2-D", size=(9, 3, 3))
    assert (plane.cut(NUMBERS, centre, outside=0) == NUMBERS[2, 1:4, 2:5]).all()
    slices = PatchShape(form="slices", size=(3, 3, 3)).cut(NUMBERS, centre, outside=0)
    assert (slices == NUMBERS[1:4, 1:4, 2:5]).all()
    three = PatchShape(form="planes", size=(3, 3, 3)).cut(NUMBERS, centre, outside=0)
    assert (three[0] == NUMBERS[2, 1:4, 2:5]).all()
    assert (three[1] == NUMBERS[1:4, 2, 2:5]).all()
    assert (three[2] == NUMBERS[1:4, 1:4, 3]).all()


@pytest.mark.parametrize("form", ["2-D", "slices", "planes", "3-D"])
def test_the_shape_is_the_one_that_is_promised_and_the_image_stays(form: str) -> None:
    patch, image = PatchShape(form=form, size=(3, 3, 3)), NUMBERS.copy()
    cut = patch.cut(image, (1, 1, 1), outside=0)
    assert cut.shape == patch.array_shape
    cut[...] = -1
    assert (image == NUMBERS).all()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a centre within \(4, 5, 6\); got \(4, 0, 0\)"):
        block(3, 3, 3).cut(NUMBERS, (4, 0, 0), outside=0)
    with pytest.raises(ValidationError, match="planes need the same number"):
        PatchShape(form="planes", size=(3, 3, 4))
    with pytest.raises(ValidationError, match="at least 1 voxel"):
        PatchShape(size=(0, 3, 3))
    with pytest.raises(ValidationError, match="stride of at least 1"):
        GridSettings(stride=(1, 0, 1))


# Grid


def test_a_grid_along_a_row_of_ten() -> None:
    def starts(size: int, stride: int | None) -> list[int]:
        centres = grid_centres((1, 1, 10), block(1, 1, size), None if stride is None else (1, 1, stride))
        return (centres[:, 2] - size // 2).tolist()

    assert starts(5, None) == [0, 5]
    assert starts(4, None) == [0, 4, 6]  # the last ends at the end
    assert starts(4, 2) == [0, 2, 4, 6]
    assert starts(10, 3) == [0]
    assert starts(12, None) == [-1]  # the image in its middle
    assert starts(1, None) == list(range(10))


@given(
    shape=st.tuples(*[st.integers(1, 12)] * 3),
    size=st.tuples(*[st.integers(1, 7)] * 3),
    form=st.sampled_from(["2-D", "slices", "3-D"]),
)
def test_a_grid_leaves_no_voxel_out(shape: tuple[int, ...], size: tuple[int, ...], form: str) -> None:
    patch = PatchShape(form=form, size=size)
    seen = np.zeros(shape, dtype=int)
    centres = grid_centres(shape, patch)
    for centre in centres:
        start = centre - np.asarray(patch.reach) // 2
        seen[tuple(slice(max(0, a), a + n) for a, n in zip(start, patch.reach, strict=True))] += 1
    assert seen.min() >= 1
    assert (centres >= 0).all()
    assert (centres < shape).all()
    assert len(np.unique(centres, axis=0)) == len(centres)


def test_only_patches_that_lie_in_the_region_as_far_as_asked_are_kept() -> None:
    within = np.zeros((4, 4, 8), dtype=bool)
    within[:, :, :5] = True
    kept = {share: len(grid_within(within, block(4, 4, 2), GridSettings(within_share=share))) for share in (0, 0.5, 1)}
    assert kept == {0: 3, 0.5: 3, 1: 2}
    assert len(grid_within(np.zeros((4, 4, 8), dtype=bool), block(4, 4, 2), GridSettings())) == 0


# Lesions, background, hard negatives


def lesions() -> np.ndarray:
    found = np.zeros((20, 30, 30), np.uint16)
    found[2:5, 3:9, 3:9] = 1
    found[12:14, 20:24, 18:26] = 3
    found[19, 29, 29] = 4
    return found


def draw(patch: PatchShape, *, each: int = 20, jitter_mm: float = 8.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = patch_rng(DIGEST, seed, "lesion")
    return lesion_centres(lesions(), patch, each=each, jitter_mm=jitter_mm, spacing_mm=(4.0, 2.0, 2.0), rng=rng)


@pytest.mark.parametrize("side", [4, 5])
@pytest.mark.parametrize("form", ["2-D", "slices", "planes", "3-D"])
def test_every_patch_on_a_lesion_holds_a_voxel_of_it_whatever_the_jitter(form: str, side: int) -> None:
    patch = PatchShape(form=form, size=(side, side, side))
    centres, numbers = draw(patch, jitter_mm=100.0)
    assert numbers.tolist() == [1] * 20 + [3] * 20 + [4] * 20
    for centre, number in zip(centres, numbers, strict=True):
        assert (patch.cut(lesions(), centre, outside=0) == number).any()


def test_jitter_moves_centres_off_the_lesion_by_no_more_than_asked() -> None:
    at_rest, _ = draw(block(9, 9, 9), jitter_mm=0.0)
    assert (lesions()[tuple(at_rest.T)] > 0).all()
    moved, _ = draw(block(9, 9, 9), jitter_mm=8.0)
    # The same voxels are drawn first for lesion 1.
    shift = np.abs(moved[:20] - at_rest[:20])
    assert shift.max(axis=0).tolist() == [2, 4, 4]
    assert (lesions()[tuple(moved.T)] == 0).any()


def test_without_lesions_nothing_is_drawn_on_them() -> None:
    rng = patch_rng(DIGEST, 0, "lesion")
    centres, numbers = lesion_centres(
        np.zeros((3, 3, 3), int), block(3, 3, 3), each=5, jitter_mm=1.0, spacing_mm=(1, 1, 1), rng=rng
    )
    assert centres.shape == (0, 3)
    assert numbers.shape == (0,)


def test_background_lies_in_the_region_and_holds_no_lesion() -> None:
    within = np.zeros((20, 30, 30), dtype=bool)
    within[:, :20] = True
    patch = block(5, 9, 9)
    centres = background_centres(within, lesions(), patch, count=50, rng=patch_rng(DIGEST, 0, "background"))
    assert len(centres) == 50
    assert len(np.unique(centres, axis=0)) == 50
    assert within[tuple(centres.T)].all()
    assert all((patch.cut(lesions(), centre, outside=0) == 0).all() for centre in centres)


def test_of_too_little_background_all_is_given_and_of_none_nothing() -> None:
    within = np.zeros((20, 30, 30), dtype=bool)
    within[18, 1, 1:4] = True
    within[3, 4, 4] = True
    rng = patch_rng(DIGEST, 0, "background")
    assert len(background_centres(within, lesions(), block(3, 3, 3), count=9, rng=rng)) == 3
    assert background_centres(within & False, lesions(), block(3, 3, 3), count=9, rng=rng).shape == (0, 3)


def test_the_hardest_score_highest_are_no_lesion_and_lie_apart() -> None:
    places = [(0, 0, 0), (0, 0, 1), (5, 5, 5), (9, 9, 9), (2, 9, 0)]
    scores = [3.0, 9.0, 7.0, 8.0, 7.0]
    lesion = np.array([False, False, False, True, False])
    assert hardest(places, scores, lesion, count=2, apart=3).tolist() == [1, 2]
    assert hardest(places, scores, lesion, count=9, apart=3).tolist() == [1, 2, 4]
    assert hardest(places, scores, lesion, count=9).tolist() == [1, 2, 4, 0]
    assert hardest([], [], np.zeros(0, dtype=bool), count=2).tolist() == []


# Seeds


def test_draws_depend_on_image_seed_and_purpose_alone() -> None:
    one = patch_rng(DIGEST, 3, "lesion").integers(0, 2**60, 4).tolist()
    assert patch_rng(DIGEST, 3, "lesion").integers(0, 2**60, 4).tolist() == one
    others = [
        patch_rng(DIGEST, 4, "lesion"),
        patch_rng(DIGEST, 3, "background"),
        patch_rng("f" + DIGEST[1:], 3, "lesion"),
    ]
    assert all(rng.integers(0, 2**60, 4).tolist() != one for rng in others)
