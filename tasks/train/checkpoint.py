"""Checkpoints: how far a training is, in one file that is there completely or not at all.

Tensors, numbers, text, lists and dictionaries; read with ``weights_only=True``, which runs nothing that a file holds.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint, over the one before it. A writer killed at any moment leaves the old one, or the new one."""
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".tmp-{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        with draft.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def read_checkpoint(path: Path, *, identity: str) -> dict[str, Any] | None:
    """A checkpoint, its tensors on the CPU; ``None`` where there is none, or none of this training.

    Parameters
    ----------
    identity
        What the training that wrote it said of itself: another network, data, seed or setting is another training.
    """
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except Exception:  # torch and zip have errors of their own for a damaged file; what it held is computed again
        return None
    if not isinstance(content, dict) or content.get("identity") != identity:
        return None
    return content
