"""Files of weights: what is read, and what is refused."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tasks.deep.weights import read_weights, weights_sha256

STATE = {"layer.weight": torch.arange(6.0).reshape(2, 3)}


def test_both_kinds_of_files_hold_the_same_tensors(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "a.safetensors")
    torch.save(STATE, tmp_path / "a.pth")
    for name in ("a.safetensors", "a.pth"):
        found = read_weights(tmp_path / name)
        assert list(found) == ["layer.weight"]
        assert torch.equal(found["layer.weight"], STATE["layer.weight"])


def test_what_is_absent_unknown_damaged_or_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there are no weights at"):
        read_weights(tmp_path / "none.pth")
    with pytest.raises(ValueError, match="unknown kind"):
        read_weights(tmp_path / "a.onnx")
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot be read as weights"):
        read_weights(tmp_path / "bad.safetensors")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="something else"):
        read_weights(tmp_path / "list.pth")


def test_the_digest_follows_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(b"one")
    assert weights_sha256(path) == hashlib.sha256(b"one").hexdigest()
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert weights_sha256(path) == hashlib.sha256(b"two").hexdigest()
    with pytest.raises(ValueError, match="there are no weights"):
        weights_sha256(tmp_path / "none.pth")
