"""What every operation promises, asked of each: whoever adds a file to a folder of operations is tested here.

Random shapes, chunks, types and spacings are drawn by hypothesis; the defaults of each operation are asked, and the
other settings in ``VARIANTS``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import dask
import dask.array as da
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.errors import CaseError
from tasks.imaging.catalog import FOLDERS, step_named, steps
from tasks.imaging.chunked import apply_chunked
from tasks.imaging.grid_step import GridStep
from tasks.imaging.step import Kind, Step, View, apply_step, kind_of, look

VARIANTS: Mapping[str, list[dict[str, Any]]] = {
    "mean": [{"size": 1}, {"size": (5, 3)}, {"size": (3, 1, 7)}],
    "gaussian": [{"sigma_mm": 0.3}],
    "median": [{"size": (3, 3)}, {"size": 5}, {"size": (1, 3, 7)}],
    "bilateral": [{"sigma_mm": 0.5}, {"sigma_intensity": 9.0}],
    "nlm": [{"search_radius": 1, "in_plane": False}, {"search_radius": 1, "patch_radius": 2, "strength": 2.0}],
    "anisotropic_diffusion": [{"iterations": 2}, {"iterations": 1, "conductance": 9.0}],
    "total_variation": [{"iterations": 2}, {"iterations": 1, "times_noise": 3.0}],
    "wavelet_shrinkage": [{"wavelet": "haar"}, {"wavelet": "haar", "in_plane": True, "times_noise": 3.0}],
    "edge_guided": [{"sigma_mm": 0.3, "edge_sigma_mm": 0.3}, {"sigma_mm": 0.3, "edge_sigma_mm": 0.6, "threshold": 1.0}],
    "canny": [{"sigma_mm": 0.4, "weak": 0.02, "strong": 0.04}],
    "log": [{"sigma_mm": 0.4}],
    "unsharp": [{"radius_mm": 0.4, "amount": 3.0}],
    "emboss": [{"sigma_mm": 0.4, "azimuth_degrees": -20.0, "ground": 128.0}],
    "frangi": [{"scales_mm": (0.3, 0.6), "ridges": "dark", "structure": 4.0}],
    "sato": [{"scales_mm": (0.3, 0.6), "ridges": "dark"}],
    "band_pass": [{"low_cut_per_mm": None, "roll_off": "gaussian"}, {"high_cut_per_mm": None, "order": 1}],
    "coherence_anomaly": [{"distance_mm": 0.0, "tile_mm": 6.0, "sigma_mm": 1.0}],
    "coherent_part": [{"distance_mm": 4.0, "tile_mm": 6.0}],
    "notch": [{"frequencies_per_mm": ((0.1, -0.2),), "width_per_mm": 0.02}],
    "spectral_residual": [{"pixel_mm": 1.0, "sigma_mm": 1.0}],
    "crop_body": [{"margin_mm": 0.0, "thickness_mm": 0.0, "threshold": 60.0}],
    "crop_box": [{"size_mm": (4.0, 9.0, 5.0), "centre_mm": (1.0, -2.0, 3.0)}],
    "elastic": [
        {"control_mm": 12.0, "max_mm": 4.0, "interpolation": "cubic"},
        {"inverse": True},
        {"interpolation": "nearest"},
    ],
    "flip": [{"axes": ("z", "y")}],
    "pad": [{"margin_mm": (3.0, 4.0), "at_least": 20, "multiple_of": 3, "outside": "edge"}],
    "resample": [
        {"interpolation": "cubic"},
        {"interpolation": "nearest"},
        {"spacing_mm": (3.0, 2.5, 4.0)},
        {"spacing_mm": (3.0, 2.5, 4.0), "interpolation": "cubic"},
    ],
    "resize": [
        {"shape": 12, "interpolation": "cubic"},
        {"shape": (9, 30, 20), "keep_aspect": True, "interpolation": "cubic", "outside": -3.0},
    ],
    "rotate": [
        {"degrees": 90.0, "extent": "all"},
        {"degrees": -33.0, "extent": "all", "interpolation": "cubic", "outside": 7.5},
        {"interpolation": "nearest", "outside": "edge"},
    ],
    "scale": [{"factor": (0.4, 1.7, 0.3), "extent": "all", "interpolation": "cubic"}, {"factor": 0.3, "outside": 5.0}],
    "shear": [{"degrees": -30.0, "interpolation": "cubic", "outside": "edge"}],
    "finite": [{"padding": tuple(float(n) for n in range(35, 60)), "fill": 5.0, "reach_mm": 3.0}],
    "hot_pixels": [{"deviations": 3.0, "least_contrast": 0.0}],
    "bad_lines": [{"deviations": 3.0, "least_contrast": 0.001, "widest": 1}],
    "inpaint": [{"bright": 0.3, "fall": 0.05, "largest": 1.0}],
    "interleave": [{"window_slices": 5, "deviations": 2.0, "least": 0.001}],
    "window": [{"level": 120.0, "width": 90.0, "top": 255}, {"level": 99.0, "width": 0.5, "function": "exact"}],
    "stretch": [{"low_percent": 0.0, "high_percent": 80.0}],
    "gamma": [{"exponent": 2.5}],
    "exposure": [{"stops": -1.0, "offset": 0.2}],
    "shading": [{"mode": "add", "degrees": 30.0}, {"order": 3, "inside": "patient"}],
    "flatten": [{"sigma_mm": 2.0}, {"sigma_mm": 2.0, "by": "subtract", "field_share": 0.3}],
    "equalize": [{"bins": 16}],
    "clahe": [{"tiles": 2, "clip_limit": 0.05, "bins": 64}],
    "saturation": [{"factor": 0.0}, {"factor": 4.0}],
    "hue": [{"degrees": -120.0}],
    "white_balance": [{"norm": 1.0}],
    "hair": [{"width_mm": 2.0, "length_mm": 4.0, "contrast": 0.02}],
    "stain": [{"most": 1.2}],
    "clip": [{"range": (60.0, 120.0)}, {"range": (60.5, 120.25)}],
    "rescale": [{"range": (50.0, 200.0), "to": (-1.0, 1.0), "cut": False}],
    "zscore": [{"inside": "nonzero"}, {"inside": "all"}],
    "white_stripe": [{"contrast": "FLAIR", "inside": "nonzero"}],
    "nyul": [{"inside": "all"}],
    "n4": [{"shrink": 1, "iterations": (5,)}],
}
"""Settings by operation that its defaults do not reach."""
WANTS_MORE = {"crop_organ": "a CT of a chest", "reorient": "a direction"}
"""What an operation needs that a plain 3-D image of these tests has not; tests of its own give it."""
DTYPES = ("uint8", "int16", "float32", "float64")
AXES: Mapping[Kind, int] = {"2-D": 2, "3-D": 3, "colour": 2}


def every_step() -> list[Any]:
    return [
        pytest.param(kind(**variant), id="-".join([name, *map(str, variant.values())]).replace(" ", ""))
        for name, kind in steps().items()
        for variant in [{}, *VARIANTS.get(name, [])]
    ]


@st.composite
def images(draw: st.DrawFn, kinds: frozenset[Kind]) -> tuple[npt.NDArray[Any], tuple[float, ...], tuple[int, ...]]:
    """A smooth blob with noise, its spacing, and chunks."""
    kind = draw(st.sampled_from(sorted(kinds)))
    axes = AXES[kind]
    low, high = (1, 14) if axes == 3 else (1, 40)
    shape = tuple(draw(st.integers(low, high)) for _ in range(axes))
    spacing = tuple(draw(st.sampled_from([0.4, 1.0, 1.7, 5.0])) for _ in range(axes))
    chunks = tuple(draw(st.integers(max(1, n // 4), n)) for n in shape)
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    return picture(rng, shape, kind, draw(st.sampled_from(DTYPES))), spacing, chunks


def picture(rng: np.random.Generator, shape: tuple[int, ...], kind: Kind, dtype: str) -> npt.NDArray[Any]:
    """Values from 0 to 255: a bright ball on a dark ground, with noise."""
    where = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    ball = 150.0 / (1.0 + np.exp(8.0 * (sum(w**2 for w in where) - 0.5)))
    grey = 40.0 + ball + rng.normal(0.0, 8.0, shape)
    if kind == "colour":
        grey = grey[..., None] * np.array([1.0, 0.8, 0.6])
    return np.clip(grey, 0, 255).astype(dtype)


def taught(step: Step, array: npt.NDArray[Any], spacing: tuple[float, ...]) -> Mapping[str, Any] | None:
    """What the step learns from two other images, where it learns."""
    if not step.learns():
        return None
    others = [array.astype(np.float64) * gain + shift for gain, shift in ((1.5, 10.0), (0.7, 3.0))]
    views = [View.of(other, spacing) for other in others]
    return step.fit(
        [
            step.measure(lambda other=other, view=view: [(view.start, other)], view)  # type: ignore[misc]
            for other, view in zip(others, views, strict=True)
        ]
    )


def in_one_piece(step: Step, array: npt.NDArray[Any], spacing: tuple[float, ...]) -> npt.NDArray[Any] | None:
    """The result; ``None`` where the image is refused with a reason."""
    try:
        return apply_step(step, array, spacing, fitted=taught(step, array, spacing))
    except CaseError as error:
        if not str(error):
            pytest.fail("a fault of the case says what it is")
        return None


def read_back(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    stored: Mapping[str, Any] = json.loads(json.dumps(facts))
    return stored


@pytest.mark.parametrize("step", every_step())
def test_blocks_give_what_the_whole_gives(step: Step) -> None:
    @settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(images(step.kinds))
    def holds(drawn: tuple[npt.NDArray[Any], tuple[float, ...], tuple[int, ...]]) -> None:
        array, spacing, chunks = drawn
        before = array.copy()
        whole = in_one_piece(step, array, spacing)
        assert np.array_equal(array, before), "the image that was given is not changed"
        blocks = da.from_array(array, chunks=chunks + array.shape[len(spacing) :])
        if whole is None:
            return
        with dask.config.set(scheduler="synchronous"):
            parts = apply_chunked(step, blocks, spacing, fitted=taught(step, array, spacing))
            result = parts.compute()
        assert (result.shape, result.dtype) == (whole.shape, whole.dtype) == (parts.shape, parts.dtype)
        scale = max(1.0, float(np.abs(whole.astype(np.float64)).max(initial=0.0)))
        assert np.abs(result.astype(np.float64) - whole.astype(np.float64)).max(initial=0.0) <= 2e-5 * scale

    holds()


@pytest.mark.parametrize("step", every_step())
@pytest.mark.parametrize("kind", sorted(AXES))
def test_the_result_is_finite_and_of_the_promised_type_and_shape(step: Step, kind: Kind) -> None:
    if kind not in step.kinds:
        pytest.skip(f"{step.name} is not for {kind}")
    if kind == "3-D" and step.name in WANTS_MORE:
        pytest.skip(f"{step.name} wants {WANTS_MORE[step.name]}")
    shape, spacing = ((9, 24, 20), (3.0, 1.0, 1.5)) if AXES[kind] == 3 else ((48, 40), (1.0, 1.5))
    for dtype in DTYPES:
        array = picture(np.random.default_rng(0), shape, kind, dtype)
        result = apply_step(step, array, spacing, fitted=taught(step, array, spacing))
        assert kind_of(result, spacing) == kind
        assert np.isfinite(result).all()
        if isinstance(step, GridStep):
            assert result.dtype == (array.dtype if step.interpolation == "nearest" else step.dtype_after(array.dtype))
        else:
            assert (result.shape, result.dtype) == (array.shape, step.dtype_after(array.dtype))


@pytest.mark.parametrize("step", every_step())
@pytest.mark.parametrize("kind", sorted(AXES))
@pytest.mark.parametrize("what", ["one voxel", "one slice", "constant", "black", "extreme spacing"])
def test_an_odd_image_gives_a_result_or_a_reason(step: Step, kind: Kind, what: str) -> None:
    if kind not in step.kinds:
        pytest.skip(f"{step.name} is not for {kind}")
    axes = AXES[kind]
    spacing = (1000.0, 0.01, 0.01)[-axes:] if what == "extreme spacing" else (1.0,) * axes
    shape = {"one voxel": (1,) * axes, "one slice": (1, 16, 16)[-axes:]}.get(what, (6, 16, 16)[-axes:])
    array = picture(np.random.default_rng(1), shape, kind, "float32")
    if what in ("constant", "black"):
        array = np.full_like(array, 7.0 if what == "constant" else 0.0)
    result = in_one_piece(step, array, spacing)
    assert result is None or np.isfinite(result).all()


@pytest.mark.parametrize("step", every_step())
def test_the_order_of_bytes_in_memory_does_not_matter(step: Step) -> None:
    kind = sorted(step.kinds)[0]
    if kind == "3-D" and step.name in WANTS_MORE:
        pytest.skip(f"{step.name} wants {WANTS_MORE[step.name]}")
    shape, spacing = ((8, 20, 16), (3.0, 1.0, 1.5)) if AXES[kind] == 3 else ((32, 28), (1.0, 1.5))
    array = picture(np.random.default_rng(2), shape, kind, "float32")
    fitted = taught(step, array, spacing)
    plain, other = (apply_step(step, a, spacing, fitted=fitted) for a in (array, np.asfortranarray(array)))
    assert np.allclose(plain, other, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("step", every_step())
def test_what_is_measured_and_learnt_can_be_stored_as_json(step: Step) -> None:
    if step.name in WANTS_MORE:
        pytest.skip(f"{step.name} wants {WANTS_MORE[step.name]}")
    kind = sorted(step.kinds)[0]
    shape, spacing = ((9, 24, 20), (3.0, 1.0, 1.5)) if AXES[kind] == 3 else ((48, 40), (1.0, 1.5))
    array = picture(np.random.default_rng(3), shape, kind, "float32")
    fitted = taught(step, array, spacing)
    measured = look(step, array, View.of(array, spacing, fitted=fitted)).measured
    known = replace(View.of(array, spacing), measured=measured, fitted=fitted or {})
    stored = replace(known, measured=read_back(known.measured), fitted=read_back(known.fitted))
    assert np.array_equal(step.apply(array, stored), step.apply(array, known))


@pytest.mark.parametrize("name", sorted(steps()))
def test_an_operation_is_explained(name: str) -> None:
    kind = step_named(name)
    assert kind.__doc__
    assert kind.__module__.split(".")[2] in FOLDERS


def test_an_unknown_name_lists_the_choices() -> None:
    with pytest.raises(ValueError, match=r"no operation 'gausian'. Did you mean 'gaussian'\? Choose from: .*flip"):
        step_named("gausian")
