"""Files of network weights that a hospital has put somewhere: read without running what they hold, never downloaded."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

WEIGHT_FILES = (".safetensors", ".pth", ".pt")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Named tensors of a file, by its suffix, on the CPU.

    Raises
    ------
    ValueError
        When the file is absent, of another kind, damaged, or holds something else.
    """
    import torch
    from safetensors.torch import load_file

    if path.suffix not in WEIGHT_FILES:
        raise ValueError(f"weights '{path.name}' are of an unknown kind; choose from: {', '.join(WEIGHT_FILES)}")
    if not path.is_file():
        raise ValueError(f"there are no weights at {path}")
    try:
        found: Any = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except Exception as error:  # safetensors, torch, zip and pickle each have errors of their own for a damaged file
        raise ValueError(f"{path.name} cannot be read as weights: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise ValueError(f"{path.name} holds something else than named tensors")
    return found


def weights_sha256(path: Path) -> str:
    """Hex SHA-256 of a file; ``ValueError`` when there is none. Reckoned again when the file changes."""
    if not path.is_file():
        raise ValueError(f"there are no weights at {path}")
    facts = path.stat()
    return _sha256(path, facts.st_size, facts.st_mtime_ns)


@cache
def _sha256(path: Path, size: int, changed_ns: int) -> str:  # noqa: ARG001 - another size or time is another file
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
