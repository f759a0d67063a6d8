"""Kernels and strides by nnU-Net's rule, computable by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.deep.kernel_plan import SMALLEST_EDGE, KernelPlan, plan_kernels


def test_cubes_are_pooled_alike_until_four_voxels_are_left() -> None:
    plan = plan_kernels((1, 1, 1), (32, 32, 32))
    assert plan.kernels == ((3, 3, 3),) * 4
    assert plan.strides == ((1, 1, 1), *((2, 2, 2),) * 3)
    assert plan.divisor == (8, 8, 8)


def test_thick_slices_join_when_the_pixels_have_grown_to_more_than_half_of_them() -> None:
    """5 mm: pixels of 1 and 2 mm are too fine (5 ≥ 2 · 2), those of 4 mm are not."""
    plan = plan_kernels((5, 1, 1), (16, 128, 128))
    assert plan.kernels == ((1, 3, 3), (1, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3))
    assert plan.strides == ((1, 1, 1), (1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2))
    assert plan.padded((15, 100, 128)) == (16, 128, 128)


def test_just_twice_the_spacing_is_too_coarse_and_just_less_is_not() -> None:
    assert plan_kernels((2.0, 1, 1), (16, 16, 16)).kernels[0] == (1, 3, 3)
    assert plan_kernels((1.99, 1, 1), (16, 16, 16)).kernels[0] == (3, 3, 3)


def test_nnunets_plan_for_prostate_mr_is_found_again() -> None:
    """The Decathlon's prostate, 3.6 × 0.625 × 0.625 mm in windows of 20 × 320 × 256, as published with nnU-Net."""
    plan = plan_kernels((3.6, 0.625, 0.625), (20, 320, 256), most_levels=99)
    assert plan.strides == ((1, 1, 1), (1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2), (1, 2, 2))
    assert plan.kernels == ((1, 3, 3), (1, 3, 3), *((3, 3, 3),) * 5)


def test_a_single_axis_is_pooled_only_while_twelve_voxels_are_left_of_it() -> None:
    assert plan_kernels((1, 1), (11, 7)).levels == 1
    assert plan_kernels((1, 1), (12, 7)).strides == ((1, 1), (2, 1))


def test_the_deepest_level_looks_along_all_axes_but_those_of_one_voxel() -> None:
    assert plan_kernels((10, 1, 1), (6, 16, 16)).kernels == ((1, 3, 3), (1, 3, 3), (3, 3, 3))
    assert plan_kernels((1, 1, 1), (1, 16, 16)).kernels == ((1, 3, 3),) * 3


@given(
    spacing=st.lists(st.floats(0.1, 20), min_size=2, max_size=3),
    shape=st.lists(st.integers(1, 200), min_size=3, max_size=3),
    most=st.integers(1, 7),
)
@settings(max_examples=60, deadline=None)
def test_every_axis_keeps_its_voxels_and_the_levels_stay_few(spacing: list[float], shape: list[int], most: int) -> None:
    shape = shape[: len(spacing)]
    plan = plan_kernels(spacing, shape, most_levels=most)
    assert plan.levels <= most
    padded = plan.padded(shape)
    assert all(length % part == 0 for length, part in zip(padded, plan.divisor, strict=True))
    pairs = zip(plan.kernels, plan.strides, strict=True)
    assert all(k == 3 for kernel, stride in pairs for k, step in zip(kernel, stride, strict=True) if step == 2)
    assert all(
        part == 1 or length // part >= SMALLEST_EDGE - 1 for length, part in zip(shape, plan.divisor, strict=True)
    )


def test_a_plan_survives_json() -> None:
    plan = plan_kernels((5, 1, 1), (16, 64, 64))
    assert KernelPlan.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize(
    ("spacing", "shape"),
    [((1, 1), (8, 8, 8)), ((1,), (8,)), ((0, 1), (8, 8)), ((1, float("inf")), (8, 8)), ((1, 1), (0, 8))],
)
def test_a_grid_that_is_none_is_refused(spacing: tuple[float, ...], shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="spacing"):
        plan_kernels(spacing, shape)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kernels": ((3, 3),), "strides": ((1, 1), (2, 2))},
        {"kernels": ((2, 3),), "strides": ((1, 1),)},
        {"kernels": ((3, 3),), "strides": ((2, 1),)},
        {"kernels": ((3,),), "strides": ((1,),)},
        {"kernels": ((3, 3), (3, 3, 3)), "strides": ((1, 1), (2, 2))},
    ],
)
def test_a_plan_that_fits_no_network_is_refused(wrong: dict[str, tuple[tuple[int, ...], ...]]) -> None:
    with pytest.raises(ValueError, match="expected"):
        KernelPlan.model_validate(wrong)
