"""When a file came to the inbox, and whether it is complete: the same for files of every kind."""

from __future__ import annotations

import os
import time


def arrived(status: os.stat_result) -> float:
    """When a file came, in seconds since the epoch.

    A file that is moved or copied with its times keeps its modification time; the change time tells when it came.
    """
    return max(status.st_mtime, status.st_ctime)


def unopened(error: OSError) -> tuple[float, str]:
    """When a file came that cannot be opened, and what is wrong with it.

    What vanished while we looked is being moved about: that counts as just arrived.
    """
    came = time.time() if isinstance(error, FileNotFoundError) else 0.0
    return came, f"it cannot be opened ({type(error).__name__})"


def still_arrives(came: float, *, now: float, quiet_seconds: float) -> bool:
    """Whether a file came less than so many seconds ago.

    An arrival in the future is a clock that is wrong, not a file that is young.
    """
    return abs(now - came) < quiet_seconds
