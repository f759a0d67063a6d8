"""What every finder of candidates promises, asked of each: whoever adds a file to the folder is tested here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from storage.errors import CaseError
from tasks.imaging.blob_finder import BlobFinder
from tasks.imaging.candidate_set import Piece
from tasks.imaging.finder import Finder, finders, modules_of

SPACING = (3.0, 2.0, 2.0)
SHAPE = (24, 36, 36)
GIVEN: Mapping[str, dict[str, Any]] = {"blobs": {"sigmas_mm": (3.0, 5.0)}}
"""Of finders that search nothing by default in some unit."""
EVERY = [(name, unit) for name in finders() for unit in ("HU", "SUV", "arbitrary")]


def scene(unit: str) -> np.ndarray:
    """Three bright balls of 6, 9 and 12 mm in noise, in the unit's usual range."""
    z, y, x = np.meshgrid(*(np.arange(n) * s for n, s in zip(SHAPE, SPACING, strict=True)), indexing="ij")
    image = np.random.default_rng(5).normal(0, 0.03, SHAPE)
    for radius, centre in ((6.0, (15, 20, 20)), (9.0, (45, 50, 22)), (12.0, (30, 30, 52))):
        image[(z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < radius**2] += 1.0
    ranges = {"HU": (-850.0, 880.0), "SUV": (0.5, 6.0), "arbitrary": (0.0, 1.0)}
    low, size = ranges[unit]
    return (low + size * image).astype(np.float32)


def made(name: str) -> Finder:
    return finders()[name](**GIVEN.get(name, {}))


def plain(pieces: list[Piece]) -> list[Any]:
    return [(p.kind, p.level, p.box, p.mask.tobytes()) for p in pieces]


def search(name: str, image: np.ndarray, within: np.ndarray, unit: str) -> list[Piece]:
    return made(name).find(image, within, spacing_mm=SPACING, unit=unit)


def test_the_folder_is_found_by_name() -> None:
    known = ["blobs", "component_tree", "components", "contours", "dog", "hessian", "saliency"]
    assert [name for name in finders() if name in known] == known
    assert modules_of(("dog", "blobs")) == ("tasks.imaging.candidates.blobs", "tasks.imaging.candidates.dog")


@pytest.mark.parametrize(("name", "unit"), EVERY)
def test_pieces_are_tight_masks_inside_the_searched_region(name: str, unit: str) -> None:
    within = np.zeros(SHAPE, dtype=bool)
    within[2:-2, 3:-1, 1:-3] = True
    pieces = search(name, scene(unit), within, unit)
    assert pieces
    for piece in pieces:
        assert piece.mask.dtype == bool
        assert piece.mask.shape == tuple(side.stop - side.start for side in piece.box)
        assert within[piece.box][piece.mask].all()
        for axis in range(3):
            hit = piece.mask.any(axis=tuple(a for a in range(3) if a != axis))
            assert hit[0]
            assert hit[-1]


@pytest.mark.parametrize("name", finders())
def test_the_number_of_threads_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image, everywhere = scene("HU"), np.ones(SHAPE, dtype=bool)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = plain(search(name, image, everywhere, "HU"))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert plain(search(name, image, everywhere, "HU")) == one


@pytest.mark.parametrize("name", finders())
def test_the_image_is_not_changed(name: str) -> None:
    image = scene("HU")
    before = image.copy()
    search(name, image, np.ones(SHAPE, dtype=bool), "HU")
    assert (image == before).all()


@pytest.mark.parametrize("name", finders())
def test_nothing_is_found_where_nothing_is_searched(name: str) -> None:
    assert search(name, scene("HU"), np.zeros(SHAPE, dtype=bool), "HU") == []


@pytest.mark.parametrize("name", [name for name, kind in finders().items() if issubclass(kind, BlobFinder)])
@pytest.mark.parametrize("unit", ["HU", "SUV", "arbitrary"])
def test_a_constant_image_has_no_blobs(name: str, unit: str) -> None:
    image = np.full(SHAPE, 4.0, np.float32)
    assert search(name, image, np.ones(SHAPE, dtype=bool), unit) == []


@pytest.mark.parametrize("name", [name for name in finders() if name != "saliency"])
@pytest.mark.parametrize("shape", [(1, 36, 36), (1, 1, 1), (24, 1, 36)])
def test_thin_images_are_searched_too(name: str, shape: tuple[int, int, int]) -> None:
    image = scene("HU")[10:11] if shape[0] == 1 else scene("HU")[:, 10:11]
    image = image[: shape[0], : shape[1], : shape[2]]
    pieces = search(name, image, np.ones(shape, dtype=bool), "HU")
    assert all(piece.mask.any() for piece in pieces)


def test_saliency_of_one_slice_is_a_fault_of_the_case() -> None:
    with pytest.raises(CaseError):
        search("saliency", scene("HU")[:1], np.ones((1, *SHAPE[1:]), dtype=bool), "HU")
