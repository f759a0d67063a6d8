"""Services that outlive the command which started them: where they are noted, how they start, how they end.

- *service*: a server process of ours in a session of its own, known by a name.
- *state folder*: where services keep their records, logs and data; ``LESIONFLOW_STATE_DIR``, else the user's own.
- *record*: ``<name>.json`` there, with the identity and the port of the process.
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from flows.processes import Identity, identity_of, is_alive, kill_tree

LOCAL_HOST = "127.0.0.1"
LOG_TAIL_LINES = 15


class ServiceError(Exception):
    """A service cannot be started, reached or ended; the message says what to do."""


class ServiceRecord(BaseModel):
    """What is noted about a running service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    process: Identity
    port: int


def state_dir() -> Path:
    """The state folder, made for the user alone (mode 0700) when it is absent."""
    named = os.environ.get("LESIONFLOW_STATE_DIR")
    folder = Path(named).expanduser().absolute() if named else platformdirs.user_state_path("lesionflow")
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def log_path(name: str) -> Path:
    """Where a service writes what it has to say."""
    return state_dir() / f"{name}.log"


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Let one process at a time look after a service; others wait here. The system frees the lock of a killed one."""
    with (state_dir() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def find_service(name: str) -> ServiceRecord | None:
    """The service's record when its process runs."""
    try:
        record = ServiceRecord.model_validate_json(_record_path(name).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return record if is_alive(record.process) else None


def start_service(
    name: str, command: Sequence[str], env: Mapping[str, str], port: int, ready: Callable[[], bool], timeout_s: float
) -> ServiceRecord:
    """Start a service in a session of its own, note it, and wait until it answers.

    Raises
    ------
    ServiceError
        When it ends or does not answer in time; it carries the end of the log, and nothing is left running.
    """
    log = log_path(name)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    identity = identity_of(process.pid)
    if identity is None:
        raise ServiceError(f"{name} ended at once\n{_tail(log)}")
    record = ServiceRecord(process=identity, port=port)
    _record_path(name).write_text(record.model_dump_json())
    try:
        wait_until_ready(name, identity, ready, log, timeout_s)
    except BaseException:
        end_service(name)
        raise
    return record


def wait_until_ready(name: str, process: Identity, ready: Callable[[], bool], log: Path, timeout_s: float) -> None:
    """Return once ``ready()`` is true; raise `ServiceError` when the process ends before or time runs out."""
    until = time.monotonic() + timeout_s
    while not ready():
        if not is_alive(process):
            raise ServiceError(f"{name} ended while it started; the end of {log}:\n{_tail(log)}")
        if time.monotonic() > until:
            raise ServiceError(f"{name} did not answer within {timeout_s:g} s; the end of {log}:\n{_tail(log)}")
        time.sleep(0.2)


def end_service(name: str) -> ServiceRecord | None:
    """End a service with everything that it started; the record of what ended, ``None`` when it did not run."""
    record = find_service(name)
    if record is not None:
        kill_tree(*record.process, timeout_s=10.0)
    _record_path(name).unlink(missing_ok=True)
    return record


def choose_port(preferred: int) -> int:
    """The preferred port of this machine when nobody listens there, else a free one."""
    for port in (preferred, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOCAL_HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServiceError(f"no free port on {LOCAL_HOST}")


def _record_path(name: str) -> Path:
    return state_dir() / f"{name}.json"


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-LOG_TAIL_LINES:]) or "(the log is empty)"
