"""Processes are told apart, end with all that they started, and leave in order when asked to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from flows.processes import identity_of, interruptible, is_alive, kill_tree, own_identity

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
SLEEP = "import time; print('up', flush=True); time.sleep(60)"
PARENT = f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); {SLEEP}"


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a Python process; whatever is left of it is killed after the test."""
    started: list[tuple[subprocess.Popen[str], list[psutil.Process]]] = []

    def run(code: str, **options: object) -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload]
        started.append((process, []))
        process.stdout.readline()
        started[-1][1].extend(psutil.Process(process.pid).children(recursive=True))
        return process

    yield run
    for process, children in started:
        for victim in (process, *children):
            if isinstance(victim, subprocess.Popen) or victim.is_running():
                victim.kill()
        process.wait()
        process.stdout.close()


def ends(process: psutil.Process, within_s: float = 5.0) -> bool:
    """Whether a process ends soon (a zombie has ended)."""
    until = time.monotonic() + within_s
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def wait_for_children(process: subprocess.Popen[str], count: int) -> list[psutil.Process]:
    until = time.monotonic() + 5
    while len(children := psutil.Process(process.pid).children(recursive=True)) < count and time.monotonic() < until:
        time.sleep(0.02)
    return children


def test_this_process_is_alive_and_known_by_its_pid() -> None:
    assert identity_of(os.getpid()) == own_identity()
    assert is_alive(own_identity())


def test_a_process_with_the_same_pid_but_another_birth_is_another_process() -> None:
    pid, created = own_identity()
    assert not is_alive(own_identity()._replace(create_time=created - 10))
    assert kill_tree(pid, created - 10) == []


def test_a_zombie_has_ended(start: Callable[..., subprocess.Popen[str]]) -> None:
    process = start("print('up', flush=True); input()", stdin=subprocess.PIPE)
    identity = identity_of(process.pid)
    assert identity is not None
    assert is_alive(identity)
    process.stdin.close()
    assert ends(psutil.Process(process.pid))
    assert not is_alive(identity)


def test_killing_a_tree_ends_the_children_too(start: Callable[..., subprocess.Popen[str]]) -> None:
    process = start(PARENT)
    [child] = wait_for_children(process, 1)
    ended = kill_tree(*identity_of(process.pid), timeout_s=5)
    assert sorted(ended) == sorted([process.pid, child.pid])
    assert process.wait(1) == -signal.SIGTERM
    assert ends(child, within_s=0.5)


def test_a_process_that_ignores_sigterm_is_killed_later(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    process = start(STUBBORN + SLEEP)
    before = time.monotonic()
    assert kill_tree(*identity_of(process.pid), timeout_s=0.3) == [process.pid]
    assert 0.3 <= time.monotonic() - before < 3
    assert process.wait(1) == -signal.SIGKILL


def test_killing_what_is_gone_does_nothing(start: Callable[..., subprocess.Popen[str]]) -> None:
    process = start(SLEEP)
    identity = identity_of(process.pid)
    process.kill()
    process.wait()
    assert kill_tree(*identity) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_becomes_a_keyboard_interrupt_and_one_line(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interruptible("study 'demo'"):
        signal.raise_signal(number)
    assert capfd.readouterr().err == "\nstopping: study 'demo' (Ctrl-C again kills)\n"
    assert signal.getsignal(number) is before


DRIVER = """
import subprocess, sys, time
from flows.processes import interruptible
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
mine = subprocess.Popen(sleep, stdout=subprocess.DEVNULL)
staying = subprocess.Popen(sleep, stdout=subprocess.DEVNULL, start_new_session=True)
try:
    with interruptible():
        try:
            print("up", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            print("leaving", flush=True)
            time.sleep(60)
finally:
    print("never", flush=True)
"""


def test_the_second_signal_kills_the_process_and_its_children_but_no_server_that_stays(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    process = start(DRIVER, stderr=subprocess.DEVNULL, start_new_session=True)
    children = {os.getsid(child.pid) == process.pid: child for child in wait_for_children(process, 2)}
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "leaving\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == -signal.SIGKILL
    assert "never" not in process.stdout.read()
    assert ends(children[True])
    assert not ends(children[False], within_s=0.3)


def test_signals_can_only_be_handled_in_the_main_thread() -> None:
    raised: list[BaseException] = []

    def enter() -> None:
        try:
            with interruptible():
                pass
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert "main thread" in str(raised[0])


TIED = "from flows.processes import end_with_input; end_with_input(); " + SLEEP
HOLDER = (
    "import subprocess, sys; child = subprocess.Popen"
    f"([sys.executable, '-c', {TIED!r}], stdin=subprocess.PIPE, start_new_session=True); child.wait()"
)


def test_a_process_that_ends_with_its_input_does_not_outlive_a_killed_parent(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    process = start(HOLDER)
    [child] = wait_for_children(process, 1)
    process.kill()
    assert ends(child)


WORKERS = """
import os, sys, time
from distributed import Client, LocalCluster
def hold_the_interpreter():
    import ctypes
    ctypes.PyDLL(None).sleep(60)  # PyDLL keeps the lock that every other thread needs
if __name__ == "__main__":
    preload = ["flows.processes"] if sys.argv[1] == "guarded" else []
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, preload=preload)
    client = Client(cluster)
    [pid] = client.run(os.getpid).values()
    future = client.submit(hold_the_interpreter)
    time.sleep(1)
    print(pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.server
@pytest.mark.parametrize(("guard", "is_orphan"), [("bare", True), ("guarded", False)])
def test_only_a_guarded_dask_worker_inside_c_code_dies_with_a_killed_driver(
    guard: str, is_orphan: bool, tmp_path: Path
) -> None:
    script = tmp_path / "driver.py"
    script.write_text(WORKERS, encoding="utf-8")
    driver = subprocess.Popen([sys.executable, str(script), guard], stdout=subprocess.PIPE, text=True)
    worker = psutil.Process(int(driver.stdout.readline()))
    driver.kill()
    driver.wait()
    try:
        assert ends(worker, within_s=2.0) is not is_orphan
    finally:
        if worker.is_running():
            worker.kill()
        driver.stdout.close()
