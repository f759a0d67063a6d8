import io

import numpy as np
import pytest
from PIL import Image

from storage.volume import Volume
from tasks.report.greyscale import grey, limits, shrink
from tasks.report.overlay import AXES, close_up, cut, outlines, project, scale_bar_mm, scene
from tasks.report.settings import Settings, Window
from tests.tasks.report.rendered import render_plane

SAGITTAL = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))
"""Slices run to L, rows to F, columns to P."""


def extent_px(picture: Image.Image) -> tuple[int, int]:
    """Width and height of what is white, along the lines through the middle."""
    pixels = np.asarray(picture.convert("L")) > 127
    rows, columns = pixels.shape
    return int(pixels[rows // 2].sum()), int(pixels[:, columns // 2].sum())


@pytest.mark.parametrize("name", list(AXES))
@pytest.mark.parametrize("direction", [None, SAGITTAL], ids=["axial", "sagittal"])
def test_a_20_mm_cube_is_square_in_each_plane(name, direction):
    spacing = (5.0, 1.0, 2.0)
    array = np.zeros((20, 100, 50), np.float32)
    array[8:12, 40:60, 20:30] = 1
    volume = Volume(array, spacing) if direction is None else Volume(array, spacing, direction=direction)
    plane = cut(scene(volume), name, volume.to_world_mm((10, 50, 25)))
    png = render_plane(plane, low=0, high=1, width_px=400)
    picture = Image.open(io.BytesIO(png))
    assert picture.size == (400, 400)
    # Letters and the scale bar stand at the edges, the cube in the middle.
    width, height = extent_px(picture.crop((100, 100, 300, 300)))
    assert width == pytest.approx(80, abs=1)
    assert height == pytest.approx(80, abs=1)


def test_the_size_of_a_plane_is_physical_for_anisotropic_voxels():
    volume = Volume(np.zeros((30, 100, 200)), (4.0, 0.5, 0.7))
    case = scene(volume)
    assert cut(case, "axial", (0, 0, 0)).size_mm == pytest.approx((140, 50))
    assert cut(case, "coronal", (0, 0, 0)).size_mm == pytest.approx((140, 120))
    assert cut(case, "sagittal", (0, 0, 0)).size_mm == pytest.approx((50, 120))


@pytest.mark.parametrize("direction", [None, SAGITTAL], ids=["axial", "sagittal"])
def test_a_voxel_at_the_patients_left_front_head_is_shown_there(direction):
    volume = Volume(np.zeros((40, 40, 40)), (2.0, 2.0, 2.0), (-40.0, -40.0, -40.0))
    if direction is not None:
        volume = Volume(np.zeros((40, 40, 40)), (2.0, 2.0, 2.0), (-40.0, -40.0, 38.0), direction)
    at = (24.0, -24.0, 20.0)
    volume.array[tuple(np.rint(volume.to_index(at)).astype(int))] = 1
    case = scene(volume)
    # Left of the patient is right on the picture, front is at the top or left, head at the top.
    expected = {"axial": (True, True), "coronal": (True, True), "sagittal": (False, True)}
    for name, (right, top) in expected.items():
        plane = cut(case, name, at)
        row, column = np.argwhere(plane.pixels)[0]
        assert (column > 20, row < 20) == (right, top)
        assert plane.mark_mm == pytest.approx(((column + 0.5) * 2, (row + 0.5) * 2))


def test_edges_carry_the_letters_of_the_radiological_convention():
    case = scene(Volume(np.zeros((4, 4, 4)), (1.0, 1.0, 1.0)))
    seen = {n: (p.left, p.right, p.top, p.bottom) for n in AXES for p in [cut(case, n, (0, 0, 0))]}
    assert seen == {
        "axial": ("R", "L", "A", "P"),
        "coronal": ("R", "L", "H", "F"),
        "sagittal": ("A", "P", "H", "F"),
    }


def test_a_turned_patient_has_two_letters_at_an_edge():
    c, s = np.cos(np.radians(25)), np.sin(np.radians(25))
    direction = ((0.0, -s, c), (0.0, c, s), (1.0, 0.0, 0.0))
    plane = cut(scene(Volume(np.zeros((4, 4, 4)), (1.0, 1.0, 1.0), direction=direction)), "axial", (0, 0, 0))
    assert (plane.left, plane.right, plane.top, plane.bottom) == ("RA", "LP", "AL", "PR")


def test_a_point_outside_the_image_shows_the_nearest_section():
    volume = Volume(np.arange(5.0)[:, None, None] * np.ones((5, 4, 4)), (1.0, 1.0, 1.0))
    assert cut(scene(volume), "axial", (0, 0, 99)).pixels[0, 0] == 4
    assert cut(scene(volume), "axial", (0, 0, -99)).pixels[0, 0] == 0


def test_the_outline_of_one_pixel_surrounds_its_centre():
    mask = np.zeros((5, 6), bool)
    mask[2, 3] = True
    (ring,) = outlines(mask, (10.0, 2.0))
    assert ring.mean(axis=0) == pytest.approx((7.0, 25.0), abs=1.0)
    assert ring[:, 0].min() == pytest.approx(6.0)
    assert ring[:, 1].max() == pytest.approx(30.0)
    assert (ring[0] == ring[-1]).all()


def test_outlines_close_at_the_edge_and_around_holes():
    mask = np.ones((9, 9), bool)
    mask[4, 4] = False
    rings = outlines(mask, (1.0, 1.0))
    assert len(rings) == 2
    assert max(ring.max() for ring in rings) == pytest.approx(9.0)
    assert outlines(np.zeros((3, 3), bool), (1.0, 1.0)) == []


def test_a_close_up_keeps_the_mark_on_its_pixel():
    volume = Volume(np.random.default_rng(0).random((10, 60, 60)), (3.0, 1.0, 1.0))
    at = volume.to_world_mm((5, 3, 30))
    whole = cut(scene(volume), "axial", at)
    part = close_up(whole, 20)
    assert part.pixels.shape == (20, 20)

    def at_mark(plane):
        return plane.pixels[int(plane.mark_mm[1]), int(plane.mark_mm[0])]

    assert at_mark(part) == at_mark(whole) == volume.array[5, 3, 30]


def test_a_close_up_drops_what_lies_outside_it():
    labels = np.zeros((3, 60, 60), np.uint8)
    labels[1, 29:31, 29:31], labels[1, 50:52, 50:52] = 1, 2
    case = scene(Volume(np.zeros(labels.shape), (1.0, 1.0, 1.0)), labels, labels)
    part = close_up(cut(case, "axial", (30, 30, 1)), 20)
    assert (set(part.findings), set(part.lesions)) == ({1}, {1})


def test_a_projection_shows_the_brightest_voxel_and_every_label():
    array = np.zeros((6, 7, 8))
    array[1, 2, 3] = 9
    labels = np.zeros((6, 7, 8), np.uint8)
    labels[1, 2, 3], labels[1, 5, 3] = 1, 2
    plane = project(scene(Volume(array, (1.0, 1.0, 1.0)), labels), "coronal", (0, 0, 0))
    assert plane.pixels[6 - 1 - 1, 3] == 9
    assert set(plane.findings) == {1, 2}
    assert all(mask[4, 3] for mask in plane.findings.values())


def test_labels_on_another_grid_are_refused():
    with pytest.raises(ValueError, match="shape"):
        scene(Volume(np.zeros((3, 3, 3)), (1.0, 1.0, 1.0)), np.zeros((3, 3, 4), int))


def test_a_window_maps_its_ends_to_black_and_white():
    pixels = np.array([[-2000.0, -160, 40, 240, np.nan]])
    assert grey(pixels, -160, 240).tolist() == [[0, 0, 128, 255, 0]]
    assert grey(pixels, -160, 240, inverted=True).tolist() == [[255, 255, 128, 0, 255]]


def test_percentile_windows_follow_the_image_and_survive_a_flat_one():
    windows = (Window(name="p", low=1, high=99, percentile=True),)
    low, high = limits(Volume(np.arange(1000.0).reshape(10, 10, 10), (1.0, 1.0, 1.0)), windows)[0]
    assert (low, high) == pytest.approx((9.99, 989.01))
    low, high = limits(Volume(np.full((3, 3, 3), 5.0), (1.0, 1.0, 1.0)), windows)[0]
    assert high > low


def test_shrinking_averages_and_leaves_small_pictures_alone():
    pixels = np.arange(16.0).reshape(4, 4)
    assert shrink(pixels, 2) == pytest.approx(pixels.reshape(2, 2, 2, 2).mean(axis=(1, 3)))
    assert shrink(pixels, 4) is pixels


@pytest.mark.parametrize(("width", "bar"), [(350, 100), (80, 20), (31, 10), (2.4, 0.8)])
def test_the_scale_bar_is_a_round_length_of_at_most_a_third(width, bar):
    assert scale_bar_mm(width) == pytest.approx(bar)


def test_a_burned_in_picture_shows_finding_and_lesion_in_their_colours():
    labels = np.zeros((3, 40, 40), np.uint8)
    labels[1, 10:20, 10:20] = 1
    volume = Volume(np.zeros((3, 40, 40)), (1.0, 1.0, 1.0))
    plane = cut(scene(volume, labels, np.roll(labels, 15, axis=2)), "axial", (0, 0, 1))
    png = render_plane(plane, low=0, high=1, width_px=400)
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    # Left sides of the two outlines, half way down: at 10 mm and 25 mm of 40 mm, 10 px to the mm.
    assert pixels[150, 98:103].max(axis=0) == pytest.approx((240, 118, 27), abs=30)
    assert pixels[150, 248:253].max(axis=0) == pytest.approx((23, 163, 221), abs=30)
    assert png == render_plane(plane, low=0, high=1, width_px=400)


def test_windows_are_validated():
    with pytest.raises(ValueError, match="low must be below high"):
        Window(name="x", low=3, high=3)
    with pytest.raises(ValueError, match="percentiles"):
        Window(name="x", low=-1, high=50, percentile=True)
    assert [w.name for w in Settings().windows("MR")] == ["1–99 %", "0.1–99.9 %"]
