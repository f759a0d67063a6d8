"""The gallery of operations: what it shows of each, of those that fail, and that it names nobody."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

from storage.errors import CaseError
from tasks.imaging.catalog import steps
from tasks.imaging.denoise import gaussian
from tasks.imaging.geometry import flip
from tasks.imaging.step import Array, Blocks, Facts, Step, View
from tasks.report.demonstration import Shown, applied, demonstrate, window_of
from tasks.report.example import Example, averaged
from tasks.report.gallery import GLOW
from tasks.report.planted import FAULTS
from tasks.report.shown_on import BY_FOLDER, BY_NAME, example_for, shown_on
from tasks.report.steps_gallery import FOLDER_NAMES, Gallery, Operation, first_sentence, make_gallery, render_gallery
from tasks.report.strips import strips

FEW = {"gaussian": gaussian.Settings, "flip": flip.Settings}


class Broken(Step):
    """Refuses <every> image; always."""

    name: Literal["broken"] = "broken"

    def apply(self, block: Array, view: View) -> Array:
        raise CaseError("no image is <good> enough")


class MeanOfOthers(Step):
    """Adds the mean of the ``others``. Only that."""

    name: Literal["mean_of_others"] = "mean_of_others"

    def measure(self, blocks: Blocks, view: View) -> Facts:
        return {"mean": float(np.mean([block.mean() for _, block in blocks()]))}

    def fit(self, measured: Any) -> Facts:
        return {"mean": float(np.mean([facts["mean"] for facts in measured])), "taught_by": len(measured)}

    def apply(self, block: Array, view: View) -> Array:
        return block.astype(np.float32) + np.float32(view.fitted["mean"])


def volume(kind: Any = "CT", number: int = 1, unit: str = "HU") -> Example:
    rng = np.random.default_rng(number)
    return Example(kind, number, rng.normal(0, 100, (8, 40, 48)).astype(np.float32), (2.0, 1.0, 0.5), unit)


def colour() -> Example:
    pixels = np.random.default_rng(3).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    return Example("retina", 1, pixels, (1.0, 1.0))


def panel_of(kind: type[Step], shown: Shown, example: Example) -> Any:
    return demonstrate(kind, shown, example)


def test_an_operation_is_shown_before_and_after_with_settings_and_time() -> None:
    panel = panel_of(gaussian.Settings, Shown(("CT",), {"sigma_mm": 2.5}), volume())
    assert panel.settings == {"sigma_mm": "2.5"}
    assert panel.example == "CT example 1"
    assert panel.seconds > 0
    assert panel.after is not None
    assert panel.before.uri != panel.after.uri
    assert (panel.before.width_mm, panel.before.height_mm) == (24.0, 40.0)
    assert len(panel.before.histogram) == 1


def test_a_picture_in_colour_has_three_histograms() -> None:
    assert len(panel_of(gaussian.Settings, Shown(("retina",)), colour()).after.histogram) == 3


def test_a_step_on_the_grid_is_drawn_on_its_new_grid() -> None:
    resample = steps()["resample"]
    panel = panel_of(resample, Shown(("CT",), {"spacing_mm": (2.0, 2.0, 2.0)}), volume())
    assert "8 × 20 × 12 of 2 × 2 × 2 mm" in panel.after.says
    assert (panel.after.width_mm, panel.after.height_mm) == (24.0, 40.0)


def test_a_step_that_learns_is_taught_by_the_image_before_the_fault() -> None:
    example = volume()
    panel = panel_of(MeanOfOthers, Shown(("CT",), planted="brighter"), example)
    assert panel.learnt
    assert panel.planted == "brighter"
    first, second = example.halves()
    assert (first.array.shape, second.array.shape) == ((4, 40, 48), (4, 40, 48))
    result = applied(MeanOfOthers(), example, example.halves())
    assert np.allclose(result.array, example.array + example.array.mean(), atol=1e-3)


def test_what_fails_is_shown_as_failed_with_its_reason() -> None:
    panel = panel_of(Broken, Shown(("CT",)), volume())
    operation = Operation("broken", first_sentence(Broken), (panel,))
    page = render_gallery(Gallery({"denoise": [operation]}, []))
    assert operation.failed
    assert panel.after is None
    assert "Failed: no image is &lt;good&gt; enough" in page


def test_settings_that_are_refused_make_a_panel_that_failed() -> None:
    panel = panel_of(gaussian.Settings, Shown(("CT",), {"sigma_mm": -1.0}), volume())
    assert "ValidationError" in panel.fault


def test_the_page_names_every_operation_and_folder_and_what_was_not_found() -> None:
    told: list[str] = []
    gallery = make_gallery(FEW, {"retina": [colour()]}, tell=told.append)
    page = render_gallery(gallery)
    assert told == ["gaussian", "flip", "pyramids and maps"]
    assert list(gallery.folders) == ["denoise", "geometry"]
    assert gallery.absent == ["CT", "PET", "MR", "ultrasound", "tissue", "picture"]
    assert "No example of CT, PET, MR, ultrasound, tissue, picture was found" in page
    for name in FEW:
        assert f'href="#{name}"' in page
        assert f'id="{name}"' in page
    assert "script" not in page.replace("default-src", "")
    assert "http" not in page.replace("http-equiv", "")


def test_pyramids_and_maps_are_shown_on_a_volume() -> None:
    rows = {strip.name: strip for strip in strips(volume())}
    assert [strip.fault for strip in rows.values()] == [""] * 6
    assert [name for name, _ in rows["Gaussian pyramid"].pictures] == ["level 0", "level 1", "level 2", "level 3"]
    assert [name for name, _ in rows["Haar transform"].pictures] == ["aa", "ad", "da", "dd"]
    assert len(rows["What slices have in common"].pictures) == 4
    page = render_gallery(Gallery({}, [], tuple(rows.values())))
    for name in rows:
        assert f'id="{name.replace(" ", "-")}"' in page


def test_a_row_that_fails_is_among_what_failed() -> None:
    tiny = replace(volume(), array=np.zeros((1, 1, 1), np.float32))
    failed = [strip.name for strip in strips(tiny) if strip.fault]
    assert failed
    gallery = Gallery({}, [], tuple(strips(tiny)))
    assert gallery.failed == failed
    assert "Failed: " in render_gallery(gallery)


def test_an_operation_without_any_example_says_so() -> None:
    page = render_gallery(make_gallery(FEW, {}))
    assert page.count("No example that it works on was found") == 2


def test_the_first_sentence_is_taken_and_escaped() -> None:
    assert first_sentence(MeanOfOthers) == "Adds the mean of the <code>others</code>."
    assert first_sentence(Broken) == "Refuses &lt;every&gt; image; always."


def test_the_first_example_of_the_best_kind_is_taken_that_the_operation_works_on() -> None:
    examples: dict[Any, list[Example]] = {
        "CT": [volume()],
        "MR": [volume("MR", 1), volume("MR", 2)],
        "retina": [colour()],
    }
    found = example_for(Shown(("PET", "MR", "CT")), gaussian.Settings, examples)
    assert found is examples["MR"][0]
    assert example_for(Shown(("MR",), number=2), gaussian.Settings, examples) is examples["MR"][1]
    assert example_for(Shown(("CT",), number=2), gaussian.Settings, examples) is examples["CT"][0]

    class OnlyColour(Broken):
        kinds = frozenset({"colour"})

    assert example_for(Shown(("CT",)), OnlyColour, examples) is examples["retina"][0]
    assert example_for(Shown(("CT",)), OnlyColour, {"CT": [volume()]}) is None


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_changes_the_image_the_same_way_each_time_and_leaves_the_original(name: str) -> None:
    for example in [colour()] if name == "colour cast" else [volume(), colour()]:
        before, axes = example.array.copy(), len(example.spacing_mm)
        spoilt = FAULTS[name](example.array, axes)
        assert np.array_equal(example.array, before)
        assert spoilt.shape == before.shape
        assert spoilt.dtype == np.float32
        assert not np.array_equal(spoilt, before)
        assert np.array_equal(spoilt, FAULTS[name](example.array, axes), equal_nan=True)


def test_a_picture_is_shown_from_0_to_255_whatever_it_holds_and_a_share_from_0_to_1() -> None:
    dark = Example("ultrasound", 1, colour().array[..., 0] // 4 + np.uint8(60), (1.0, 1.0))
    assert window_of(replace(dark, array=dark.array.astype(np.float32) * 2)) == (0.0, 255.0)
    assert window_of(volume()) != (-1000.0, 500.0)
    low, high = window_of(replace(dark, array=np.linspace(0, 1, 2500, dtype=np.float32).reshape(50, 50)))
    assert 0 <= low < 0.01
    assert 0.99 < high <= 1


def test_what_is_no_number_is_orange() -> None:
    planted = panel_of(flip.Settings, Shown(("CT",), planted="missing values"), volume())
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(planted.before.uri.partition(",")[2]))))
    assert (pixels == GLOW).all(axis=-1).any()


def test_averaging_takes_means_of_blocks_and_keeps_type_and_colour() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert averaged(array, (2, 2)).tolist() == [[[8, 8, 10], [14, 14, 16]]]
    assert averaged(array.astype(np.float32), (2, 2))[0, 0].tolist() == [7.5, 8.5, 9.5]
    assert averaged(array, (1, 3)).shape == (2, 1, 3)


def test_every_entry_of_the_table_is_an_operation_with_settings_that_it_takes() -> None:
    assert set(BY_FOLDER) == set(FOLDER_NAMES)
    for name, kind in steps().items():
        for shown in shown_on(name, kind):
            assert kind(**shown.settings).name == name
            assert not shown.planted or shown.planted in FAULTS
    assert set(BY_NAME) <= set(steps())
