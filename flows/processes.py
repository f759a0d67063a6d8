"""Processes of this machine: who they are, how they end, and that none is left behind.

- *identity*: a pid and the time at which that process was created. The system reuses pids; the pair is unique.
- *tree*: a process and everything that descends from it.
- *guard*: what a Dask worker does at its start, so that it never outlives the driver. Distributed already lets a worker
  exit when the pipe to its parent closes; a worker inside C code that holds the interpreter's lock notices that only
  afterwards. The kernel's parent-death signal has no such gap.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

import psutil

CREATED_TOLERANCE_S = 2.0
"""psutil adds the boot time to a tick counter; the boot time moves a little when the system's clock is corrected."""

PR_SET_PDEATHSIG = 1
"""From <sys/prctl.h>."""


class Identity(NamedTuple):
    """A process, not to be mistaken for a later one with its pid; ``create_time`` in seconds since the epoch."""

    pid: int
    create_time: float


def identity_of(pid: int) -> Identity | None:
    """Identity of a running process, ``None`` when there is none with this pid."""
    try:
        return Identity(pid, psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def own_identity() -> Identity:
    """Identity of this process."""
    return Identity(os.getpid(), psutil.Process().create_time())


def is_alive(identity: Identity) -> bool:
    """Whether exactly this process still runs. A zombie has ended: it only waits to be collected by its parent."""
    return _find(identity) is not None


def kill_tree(pid: int, create_time: float, timeout_s: float = 5.0) -> list[int]:
    """End a process and all its descendants: asked first, killed after ``timeout_s``.

    Parameters
    ----------
    pid, create_time
        Identity of the root; a process that only has the same pid is left alone.
    timeout_s
        How long a process may take to end after SIGTERM, and again after SIGKILL, in seconds. 0 kills at once.

    Returns
    -------
    list of int
        Pids that were ended; empty when the process was already gone.

    Raises
    ------
    TimeoutError
        When a process survives SIGKILL, e.g. one that hangs in a broken network mount.
    """
    root = _find(Identity(pid, create_time))
    if root is None:
        return []
    tree = [root, *_descendants(root)]
    alive = tree
    if timeout_s > 0:
        _signal_all(tree, signal.SIGTERM)
        alive = _still_running(tree, timeout_s)
        # A process that was ending may have started others.
        alive = [*alive, *(child for process in alive for child in _descendants(process))]
    _signal_all(alive, signal.SIGKILL)
    survivors = [process.pid for process in _still_running(alive, max(timeout_s, 5.0))]
    if survivors:
        raise TimeoutError(f"processes {survivors} did not end within {max(timeout_s, 5.0):g} s of SIGKILL")
    return [process.pid for process in tree]


@contextmanager
def interruptible(what: str = "the run") -> Iterator[None]:
    """Leave in order at the first SIGINT or SIGTERM, at once at the second.

    The first raises ``KeyboardInterrupt`` in the main thread, so that everything on the way out is closed. The second
    kills this process and its descendants without another word; the next run finds the lease and tidies up.
    Descendants in a session of their own (the Prefect server that stays) are not part of that.

    A running Prefect flow replaces the SIGTERM handler, marks its run as Crashed, and then sends SIGTERM to itself
    again: it arrives here as the first one.

    Parameters
    ----------
    what
        Names what is being stopped in the line that the user sees.
    """
    received = 0

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal received
        received += 1
        if received > 1:
            _kill_own_tree()
        # To the descriptor of stderr: print is not safe inside a signal handler.
        os.write(2, f"\nstopping: {what} (Ctrl-C again kills)\n".encode())
        raise KeyboardInterrupt(signal.Signals(number).name)

    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("interruptible() needs the main thread: only that one receives signals")
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def die_with_parent() -> None:
    """Let the kernel kill this process when the thread that started it ends (Linux; elsewhere nothing happens).

    Distributed keeps that thread until the worker has ended, so for its workers *thread* means *driver*.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")


def end_with_input(*, and_delete: Path | None = None) -> None:
    """End this process's whole group when its standard input closes, i.e. when whoever holds the other end is gone.

    Parameters
    ----------
    and_delete
        Folder that nobody needs then.
    """

    def watch() -> None:
        sys.stdin.buffer.read()
        if and_delete is not None:
            shutil.rmtree(and_delete, ignore_errors=True)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="end-with-input", daemon=True).start()


def dask_setup(worker: object) -> None:
    """Guard a Dask worker; Distributed calls this at its start when the cluster gets ``preload=["flows.processes"]``.

    Ctrl-C reaches every process of the terminal. Workers ignore it: the driver decides, and ends them.
    """
    del worker
    die_with_parent()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _find(identity: Identity) -> psutil.Process | None:
    try:
        process = psutil.Process(identity.pid)
        same = abs(process.create_time() - identity.create_time) <= CREATED_TOLERANCE_S
    except psutil.NoSuchProcess:
        return None
    return process if same and _runs(process) else None


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _still_running(processes: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Those that have not ended after ``timeout_s``. (`psutil.wait_procs` would also wait for zombies)."""
    until = time.monotonic() + timeout_s
    while alive := [process for process in processes if _runs(process)]:
        if time.monotonic() >= until:
            break
        time.sleep(0.05)
    return alive


def _signal_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def _kill_own_tree() -> NoReturn:
    session = os.getsid(0)
    for process in _descendants(psutil.Process()):
        try:
            if os.getsid(process.pid) == session:
                process.kill()
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    os.kill(os.getpid(), signal.SIGKILL)
    while True:  # SIGKILL is on its way
        time.sleep(1)
