"""Large volumes are learned from and examined piece by piece: in bounded memory, and as in one piece."""

from __future__ import annotations

import math
import tracemalloc
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from storage.artifacts import ArtifactStore
from storage.keys import digest
from storage.ome_zarr import open_volume, write_volume
from storage.volume import IDENTITY_DIRECTION, Volume
from tasks.deep.segmenter import Standardized
from tasks.deep.windows import predict_windows
from tasks.imaging.resample import resample_onto
from tasks.imaging.structures import to_classes
from tasks.train import segmentation_task, segmentation_volumes
from tasks.train.segmentation_lesson import SegmentationLesson
from tasks.train.segmentation_loss import dice_of_classes, window_losses
from tasks.train.segmentation_settings import SegmentationSettings
from tasks.train.segmentation_task import labelled_volumes
from tasks.train.segmentation_volumes import (
    LabelledVolume,
    classes_onto,
    has_structure,
    intensities,
    pieces,
    voxels_by_class,
)

WINDOW = (16, 24, 16)
PLANES, PLANE = 160, (32, 24)
SETTINGS = SegmentationSettings.model_validate({"window": WINDOW, "engine": {"precision": "float32"}})
STRUCTURES = {"a": 3, "b": 7}


class Counted:
    """An array that notes how many voxels are read of it at a time."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape, self.most = array, array.shape, 0

    def __getitem__(self, part: Any) -> np.ndarray:
        read = self.array[part].copy()
        self.most = max(self.most, read.size)
        return cast(np.ndarray, read)


class Bright(nn.Module):
    """Says class 1 of what is a little brighter than the mean, and class 2 of what is much brighter."""

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        return torch.cat([0.3 - seen, 0.1 * seen, 2 * seen - 1], dim=1)


def case(shape: tuple[int, int, int]) -> LabelledVolume:
    rng = np.random.default_rng(0)
    classes = rng.choice(3, shape, p=[0.6, 0.3, 0.1]).astype(np.uint8)
    image = (classes + rng.normal(0, 0.6, shape)).astype(np.float32)
    return LabelledVolume("ab" * 32, "P-1", Counted(image), Counted(classes), (1.0, 1.0, 1.0), IDENTITY_DIRECTION, "z")


def examined(held_out: LabelledVolume) -> dict[str, float]:
    lesson = SegmentationLesson([], [held_out], SETTINGS, structures=2, mean=0.5, std=0.9)
    return lesson.examine(Bright())


@pytest.mark.parametrize("shape", [(PLANES, *PLANE), (9, 40, 11)])  # the latter is smaller than a window
def test_plane_after_plane_is_scored_as_the_whole(shape: tuple[int, int, int]) -> None:
    held_out = case(shape)
    shown = Standardized(held_out.image.array, 0.5, 0.9)
    whole = torch.from_numpy(predict_windows(Bright(), shown, classes=3, window=WINDOW).answer)[None]
    answers = torch.from_numpy(held_out.classes.array.astype(np.int64))[None]
    found = examined(held_out)
    assert found["dice"] == pytest.approx(float(dice_of_classes(whole.argmax(dim=1), answers, 3)), rel=1e-6)
    assert found["loss"] == pytest.approx(float(window_losses(whole.clamp_min(1e-7).log(), answers)), rel=1e-4)
    assert 0.3 < found["dice"] < 0.95


def test_examining_reads_one_row_of_windows_at_a_time() -> None:
    held_out = case((PLANES, *PLANE))
    examined(held_out)
    assert 0 < held_out.image.most <= WINDOW[0] * math.prod(PLANE)
    assert 0 < held_out.classes.most <= WINDOW[0] * math.prod(PLANE)


def test_a_case_with_more_planes_needs_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What NumPy holds while a case is examined; tensors are torch's, and as many planes."""
    held_out = {planes: case((planes, *PLANE)) for planes in (PLANES, 4 * PLANES)}
    examined(held_out[PLANES])  # what is imported and compiled is not counted
    peaks = {}
    for planes, one in held_out.items():
        tracemalloc.start()
        examined(one)
        peaks[planes] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[4 * PLANES] < 1.2 * peaks[PLANES]
    assert peaks[4 * PLANES] < 12 * 4 * WINDOW[0] * math.prod(PLANE) < held_out[4 * PLANES].image.array.nbytes


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(segmentation_volumes, "PIECE", 16)
    return 16**3


def test_pieces_cover_a_volume_once(small_pieces: int) -> None:
    seen = np.zeros((33, 16, 20), int)
    for box in pieces(seen.shape):
        assert seen[box].size <= small_pieces
        seen[box] += 1
    assert (seen == 1).all()


def test_statistics_come_piece_by_piece(small_pieces: int) -> None:
    one = case((40, 33, 20))
    assert intensities([one]) == (pytest.approx(one.image.array.mean()), pytest.approx(one.image.array.std()))
    assert has_structure(one)
    voxels_by_class(one, 2)
    assert max(one.image.most, one.classes.most) <= small_pieces


def test_every_voxel_of_a_structure_may_be_drawn_and_each_once(
    small_pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = case((40, 33, 20))
    expected = [{tuple(at) for at in np.argwhere(one.classes.array == number).tolist()} for number in (1, 2)]
    assert [{tuple(at) for at in found.tolist()} for found in voxels_by_class(one, 2)] == expected
    monkeypatch.setattr(segmentation_volumes, "MOST_VOXELS", 3000)
    some, again = voxels_by_class(one, 2), voxels_by_class(one, 2)
    assert [len(found) for found in some] == [3000, len(expected[1])]
    drawn = {tuple(at) for at in some[0].tolist()}
    assert len(drawn) == 3000
    assert drawn < expected[0]
    assert all(np.array_equal(a, b) for a, b in zip(some, again, strict=True))
    # About as many of each half as it has: 3,000 drawn of some 8,000 vary by 22.
    assert abs(np.mean(some[0][:, 0] < 20) - np.mean([z < 20 for z, _, _ in expected[0]])) < 4 * 22 / 3000


def turned(degrees: float) -> Any:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return ((0.0, -s, c), (0.0, c, s), (1.0, 0.0, 0.0))


@pytest.mark.parametrize(
    "grid",
    [
        Volume(np.zeros((40, 33, 20)), (1.5, 1.0, 1.0)),
        Volume(np.zeros((21, 50, 40)), (3.1, 0.7, 0.6), (-3.0, 2.0, 5.0)),
        Volume(np.zeros((30, 40, 30)), (2.0, 1.0, 1.0), (9.0, -4.0, 1.0), turned(20)),
    ],
    ids=["same", "parallel", "turned"],
)
def test_a_class_map_in_pieces_is_that_in_one_piece(grid: Volume, small_pieces: int, tmp_path: Path) -> None:
    values = np.random.default_rng(0).choice([0, 3, 7], (40, 33, 20)).astype(np.uint16)
    labels = Volume(values, (1.5, 1.0, 1.0), unit="label")
    write_volume(tmp_path / "labels.zarr", labels)
    stored = open_volume(tmp_path / "labels.zarr").array
    whole = to_classes(resample_onto(labels, grid).array, STRUCTURES)
    found = np.full(grid.shape, 9, np.uint8)
    for box, part in classes_onto(stored, labels, grid, STRUCTURES):
        found[box] = part
    assert np.array_equal(found, whole)
    assert len(np.unique(found)) == 3


def put(store: ArtifactStore, number: int, shape: tuple[int, int, int]) -> tuple[dict[str, str], np.ndarray]:
    """A case in a store, as a training names it, and its label map."""
    marks: dict[str, Any] = {"subject": "C", "inputs": {}, "settings": {}, "source": "", "versions": {}}
    rng, key = np.random.default_rng(number), digest([number, shape])
    values = rng.choice([0, 3, 7], shape).astype(np.uint16)
    with store.write(stage="normalize", key=key, **marks) as folder:
        write_volume(folder / "image.zarr", Volume(rng.normal(0, 1, shape).astype(np.float32), (1.0, 1.0, 1.0)))
    with store.write(stage="annotate", key=key, **marks) as folder:
        write_volume(folder / "labels.zarr", Volume(values, (1.0, 1.0, 1.0), unit="label"))
    return {"case": f"C-{number}", "digest": key, "normalize": key, "annotate": key}, values


def opened(store: ArtifactStore, *members: dict[str, str]) -> list[LabelledVolume]:
    groups = {member["case"]: f"P-{member['case']}" for member in members}
    return labelled_volumes(store, members, STRUCTURES, groups, store.workshop("train", "k"))


def test_class_maps_of_many_voxels_lie_in_the_workshop_and_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ArtifactStore(tmp_path / "store")
    (one, values), (other, _) = (put(store, number, (40, 33, 20)) for number in range(2))
    in_memory = opened(store, one, other)
    assert not any(store.workshop("train", "k").iterdir())
    monkeypatch.setattr(segmentation_task, "IN_MEMORY", 1000)
    on_disk = opened(store, one, other)
    assert np.array_equal(in_memory[0].classes, to_classes(values, STRUCTURES))
    for lazy, held in zip(on_disk, in_memory, strict=True):
        assert isinstance(held.classes, np.ndarray)
        assert not isinstance(lazy.classes, np.ndarray)
        assert lazy.classes.dtype == held.classes.dtype == np.uint8
        assert np.array_equal(lazy.classes[...], held.classes)
    lessons = [SegmentationLesson(some, [], SETTINGS, structures=2, mean=0, std=1) for some in (on_disk, in_memory)]
    assert torch.equal(*(lesson.batch(np.array([0, 1, 3]), 2).answers for lesson in lessons))


def test_a_longer_class_map_is_written_with_no_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmentation_volumes, "PIECE", 64)
    monkeypatch.setattr(segmentation_task, "IN_MEMORY", 1000)
    store = ArtifactStore(tmp_path / "store")
    members = {planes: put(store, planes, (planes, 64, 64))[0] for planes in (128, 1024)}
    opened(store, members[128])  # what is imported and compiled is not counted
    peaks = {}
    for planes, member in members.items():
        tracemalloc.start()
        opened(store, member)
        peaks[planes] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[1024] < 1.2 * peaks[128]
    assert peaks[1024] < 32 * 64**3
