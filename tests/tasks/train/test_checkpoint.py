"""Checkpoints are there completely or not at all, and run nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tasks.train import checkpoint
from tasks.train.checkpoint import read_checkpoint, write_checkpoint


def test_what_was_written_is_read_with_its_layout_in_memory(tmp_path: Path) -> None:
    tensor = torch.arange(16.0).view(1, 2, 2, 4).contiguous(memory_format=torch.channels_last)
    content = {"identity": "me", "step": 3, "deep": {"tensor": tensor, "list": [1.5, None, "text", (1, True)]}}
    write_checkpoint(tmp_path / "new" / "a.pt", content)
    found = read_checkpoint(tmp_path / "new" / "a.pt", identity="me")
    assert found is not None
    assert torch.equal(found["deep"].pop("tensor"), content["deep"].pop("tensor"))  # type: ignore[attr-defined]
    assert found == content
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.pt"]


def test_where_there_is_none_or_one_of_another_training_nothing_is_read(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path / "a.pt", identity="me") is None
    write_checkpoint(tmp_path / "a.pt", {"identity": "another"})
    assert read_checkpoint(tmp_path / "a.pt", identity="me") is None


def test_a_damaged_one_is_none(tmp_path: Path) -> None:
    file = tmp_path / "a.pt"
    write_checkpoint(file, {"identity": "me", "tensor": torch.ones(1000)})
    file.write_bytes(file.read_bytes()[:2000])
    assert read_checkpoint(file, identity="me") is None


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8, 0.9999])
def test_one_with_a_single_bit_flipped_is_none(place: float, tmp_path: Path) -> None:
    file = tmp_path / "a.pt"
    write_checkpoint(file, {"identity": "me", "tensor": torch.ones(5000)})
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] ^= 1
    file.write_bytes(content)
    assert read_checkpoint(file, identity="me") is None


@pytest.mark.parametrize("length", [0, 1, 4, 5])
def test_one_with_hardly_anything_in_it_is_none(length: int, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"\0" * length)
    assert read_checkpoint(tmp_path / "a.pt", identity="me") is None


@pytest.mark.parametrize(
    "error",
    [OSError(5, "Input/output error"), MemoryError(), RuntimeError("[..] DefaultCPUAllocator: not enough memory")],
)
def test_one_that_cannot_be_read_now_is_not_taken_for_none(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.pt"
    write_checkpoint(file, {"identity": "me"})

    def fail(*_given: object, **_named: object) -> None:
        raise error

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(type(error)):
        read_checkpoint(file, identity="me")


def test_one_that_would_run_something_is_none(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a.pt", {"identity": "me", "path": Path("x")})
    assert read_checkpoint(tmp_path / "a.pt", identity="me") is None


def test_a_writer_that_dies_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.pt"
    write_checkpoint(file, {"identity": "me", "step": 1})

    def die(_descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(checkpoint.os, "fsync", die)
    with pytest.raises(OSError, match="no space left"):
        write_checkpoint(file, {"identity": "me", "step": 2})
    assert read_checkpoint(file, identity="me") == {"identity": "me", "step": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]
