"""Keeps a service running: ``python -m flows.services.supervisor COMMAND …`` starts a command again whenever it ends.

A night must not be lost because a worker was killed for memory at midnight. What an ended command leaves behind is
ended too before the next start: a flow whose worker is gone can be neither cancelled nor read, and would work beside
its successor.
"""

from __future__ import annotations

import ctypes
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

import psutil

from flows.processes import die_with_parent, identity_of, kill_tree

PR_SET_CHILD_SUBREAPER = 36
"""From <sys/prctl.h>."""

PAUSES_S = (1.0, 2.0, 5.0, 15.0, 60.0)
"""Before the first, second, … start in a row."""

LONG_ENOUGH_S = 120.0
"""A command that ran for so long is not counted as failing at its start."""

log = logging.getLogger("supervisor")


def supervise(command: Sequence[str]) -> None:
    """Run a command for ever. Ends with SIGTERM, and takes everything along that the command started."""
    adopt_orphans()
    failures = 0
    try:
        while True:
            started = time.monotonic()
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
            log.warning("started (pid %d)", child.pid)
            code = child.wait()
            end_descendants()
            failures = 0 if time.monotonic() - started > LONG_ENOUGH_S else failures + 1
            pause = PAUSES_S[min(max(failures - 1, 0), len(PAUSES_S) - 1)]
            log.warning("ended with code %d; next start in %g s", code, pause)
            time.sleep(pause)
    finally:
        end_descendants()


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, so that none gets out of sight (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_descendants() -> None:
    """End every process below this one."""
    for child in psutil.Process().children():
        identity = identity_of(child.pid)
        if identity is not None:
            kill_tree(*identity)
        try:
            child.wait(0)  # collect it; the one that the command itself was is collected already
        except (psutil.TimeoutExpired, psutil.NoSuchProcess):
            continue


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s supervisor: %(message)s")
    signal.signal(signal.SIGTERM, _stop)
    supervise(sys.argv[1:])
