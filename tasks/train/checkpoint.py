"""Checkpoints: how far a training is, in one file that is there completely or not at all.

Tensors, numbers, text, lists and dictionaries; read with ``weights_only=True``, which runs nothing that a file holds.
torch looks at no checksum of what it reads, and would go on from a flipped bit as if it were a weight: so the last four
bytes of a file are the CRC-32 of those before them.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any
from zlib import crc32

from tasks.deep.memory import is_out_of_memory

CHECKSUM = 4
"""Bytes of it."""
AT_A_TIME = 2**24
"""Bytes that are read for it."""


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint, over the one before it. A writer killed at any moment leaves the old one, or the new one."""
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".tmp-{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        with draft.open("wb") as file:
            torch.save(content, file)
            file.flush()
            file.write(_checksum(draft, file.tell()))
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

    Raises
    ------
    OSError
        When the file cannot be read now. Its training is not begun again, which would write over it; nor is it where
        memory runs out.
    """
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True) if _is_whole(path) else None
    except FileNotFoundError:
        return None
    except Exception as error:  # torch and pickle have errors of their own for another kind of file
        if isinstance(error, OSError) or is_out_of_memory(error):
            raise
        return None
    if not isinstance(content, dict) or content.get("identity") != identity:
        return None
    return content


def _is_whole(path: Path) -> bool:
    """Whether the file is as it was written: what it held otherwise is computed again."""
    length = path.stat().st_size - CHECKSUM
    with path.open("rb") as file:
        file.seek(max(0, length))
        return length > 0 and file.read() == _checksum(path, length)


def _checksum(path: Path, length: int) -> bytes:
    """Of the first bytes of a file."""
    found = 0
    with path.open("rb") as file:
        while some := file.read(min(length, AT_A_TIME)):
            found, length = crc32(some, found), length - len(some)
    return found.to_bytes(CHECKSUM, "big")
