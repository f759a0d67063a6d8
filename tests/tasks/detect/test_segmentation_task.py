"""Segmentation of a case in the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.errors import StoreError
from tasks.detect.segmentation_settings import SegmentationSettings
from tasks.detect.segmentation_task import plan, segment_case
from tasks.task import hand_over


def test_a_network_that_was_changed_after_its_commit_segments_nothing(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    with store.write(
        stage="train", key="m", subject="refit", inputs={}, settings={}, source="s", versions={}
    ) as folder:
        (folder / "network.safetensors").write_bytes(b"weights")
    (store.open("train", "m") / "network.safetensors").write_bytes(b"others!")
    case = Case(id="C-1", patient="P-1", digest="d", keys={"ingest": "i", "normalize": "n"})
    work = plan(case, SegmentationSettings(), model="m", image="mr")
    with pytest.raises(StoreError, match=r"the model m is not what was committed: network\.safetensors has changed"):
        segment_case.fn(*hand_over(work, store))
