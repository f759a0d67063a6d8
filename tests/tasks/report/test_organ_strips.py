"""Organs and candidates on the gallery's page: generated ones always, examples that suit, and a contoured nodule."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from storage.volume import Volume
from tasks.imaging.candidate_set import CandidateSet, Piece
from tasks.imaging.organ import organs
from tasks.report.demonstration import Picture
from tasks.report.example import Example
from tasks.report.organ_strips import (
    EXAMPLES,
    INKS,
    LESION_INK,
    candidate_pictures,
    generated,
    organ_pictures,
    organ_strips,
    outlined,
    worked_on,
)
from tasks.report.steps_gallery import Gallery, render_gallery
from tasks.report.strips import Strip


def no_candidates(image: Volume, within: np.ndarray) -> CandidateSet:
    return CandidateSet.from_pieces([], image.array, voxel_ml=image.voxel_ml, scores=[], to_world_mm=image.to_world_mm)


def one_candidate(image: Volume, within: np.ndarray) -> CandidateSet:
    """The lesion of :func:`contoured`, one slice short."""
    piece = Piece("blob", 3.0, (slice(30, 33), slice(40, 44), slice(20, 24)), np.ones((3, 4, 4), bool))
    return CandidateSet.from_pieces(
        [piece], image.array, voxel_ml=image.voxel_ml, scores=[1.0], to_world_mm=image.to_world_mm
    )


def contoured() -> Example:
    chest = generated("lungs")
    lesion = np.zeros(chest.array.shape, bool)
    lesion[30:34, 40:44, 20:24] = True
    return replace(chest, lesion=lesion)


def colours_of(picture: Picture) -> set[tuple[int, ...]]:
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2]))))
    return {tuple(int(v) for v in colour) for colour in np.unique(pixels.reshape(-1, 3), axis=0)}


@pytest.fixture(scope="module")
def rows() -> dict[str, Strip]:
    return {strip.name: strip for strip in organ_strips({}, no_candidates)}


def test_every_organ_is_shown_on_a_generated_image_and_accepted(rows: dict[str, Strip]) -> None:
    assert set(rows) == {name.replace("_", " ") for name in organs()} | {"candidates"}
    for strip in rows.values():
        assert not strip.fault
        assert strip.pictures
        assert strip.name == "candidates" or strip.says.startswith("generated: accepted"), strip.says
    assert set(EXAMPLES) <= set(organs())


def test_the_page_has_a_section_of_them_and_names_what_failed(rows: dict[str, Strip]) -> None:
    broken = replace(rows["lungs"], fault="generated: ValueError: no <luck>", pictures=())
    page = render_gallery(Gallery({}, [], (), (rows["retina field"], broken)))
    assert 'id="organs"' in page
    assert 'id="retina-field"' in page
    assert "no &lt;luck&gt;" in page
    assert Gallery({}, [], (), (rows["retina field"], broken)).failed == ["lungs"]
    assert 'id="organs"' not in render_gallery(Gallery({}, []))


def test_parts_are_drawn_in_their_inks() -> None:
    pictures, says = organ_pictures(organs()["lungs"](), generated("lungs"))
    assert len(pictures) == 3
    assert set(INKS) <= colours_of(pictures[1][1])
    assert "right lung cyan, left lung orange" in says


def test_a_refused_organ_is_shown_with_the_reason_on_the_middle_slice() -> None:
    empty = replace(generated("lungs"), array=np.full((5, 40, 40), 40.0, np.float32))
    pictures, says = organ_pictures(organs()["lungs"](), empty)
    assert [where for where, _ in pictures] == ["slice 2"]
    assert says.startswith("refused (no lungs found")
    assert candidate_pictures(organs()["lungs"](), empty, no_candidates)[0] == []


def test_the_candidate_that_agrees_with_the_contour_is_named() -> None:
    pictures, says = candidate_pictures(organs()["lungs"](), contoured(), one_candidate)
    assert "1 candidates; the contoured nodule (magenta) is candidate 1, IoU 0.75" in says
    assert "100 % of it lie in the lungs" in says
    assert all(LESION_INK in colours_of(picture) for _, picture in pictures)
    assert sum(where.endswith("close") for where, _ in pictures) == len(pictures) / 2


def test_a_large_example_is_averaged_down_with_its_lesion() -> None:
    array = np.zeros((4, 640, 320), np.float32)
    lesion = np.zeros(array.shape, bool)
    lesion[:, 300:330, 20:26] = True
    small = worked_on(Example("CT", 1, array, (3.0, 1.0, 1.0), "HU", None, lesion))
    assert small.array.shape == (4, 213, 160)
    assert small.spacing_mm == (3.0, 3.0, 2.0)
    assert small.lesion is not None
    assert small.lesion.sum() == 4 * 10 * 3
    assert contoured().detail().lesion is None
    assert contoured().overview().lesion is None


def test_an_outline_is_one_pixel_wide_and_leaves_the_inside() -> None:
    plane = Example("picture", 1, np.full((40, 50), 100, np.uint8), (1.0, 1.0))
    labels = np.zeros((40, 50), np.uint8)
    labels[10:20, 10:20] = 1
    drawn = outlined(plane, [(labels, INKS)], (0.0, 255.0))
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(drawn.uri.partition(",")[2]))))
    assert (pixels == INKS[0]).all(axis=-1).sum() == 36
