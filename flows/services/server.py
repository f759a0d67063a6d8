"""The two local servers: Prefect with its dashboard, and the reports. Call `ensure_server` before Prefect is imported.

A command uses the Prefect server that it finds: the one that ``PREFECT_API_URL`` names, the one that an earlier command
left running, or one on Prefect's usual port. Only without any of these it starts one: on 127.0.0.1, with its own
database in the state folder, phoning nobody. That one stays; a *temporary* server belongs to one process and ends
with it.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from flows.services.background import (
    LOCAL_HOST,
    ServiceError,
    choose_port,
    end_service,
    find_service,
    log_path,
    one_at_a_time,
    start_service,
    state_dir,
    wait_until_ready,
)
from flows.services.prefect_server import (
    NO_PHONE_HOME,
    START_TIMEOUT_S,
    answers,
    api_url_of,
    get_text,
    is_local,
    is_prefect,
    server_arguments,
    server_environment,
    start_temporary,
)
from flows.services.report_server import GREETING, publish

PREFECT = "prefect-server"
REPORTS = "report-server"
PREFECT_PORT = 4200
REPORTS_PORT = 4280

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Server:
    """A Prefect server that answers.

    Attributes
    ----------
    api_url
        Where its API is.
    started_here
        Whether this call started it.
    temporary
        Whether it ends with this process; `stop` ends it earlier, and so does leaving ``with``.
    home
        ``PREFECT_HOME`` of a server of ours, ``None`` for one that is somebody else's.
    """

    api_url: str
    started_here: bool = False
    temporary: bool = False
    home: Path | None = None
    _undo: ExitStack = field(default_factory=ExitStack, repr=False)

    @property
    def ui_url(self) -> str:
        """Where its dashboard is."""
        return self.api_url.removesuffix("/api")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End a temporary server, delete its data and restore the environment; a server that stays is left alone."""
        if self.temporary:
            _send_what_is_held_back()
        self._undo.close()


@dataclass(frozen=True)
class ServiceStatus:
    """One line of `status`: ``pid`` is ``None`` for a server that is not ours or does not run."""

    name: str
    url: str
    pid: int | None
    answers: bool


def ensure_server(*, temporary: bool = False, adopt: bool = True) -> Server:
    """Find or start a Prefect server, and point this process at it through its environment variables.

    Parameters
    ----------
    temporary
        Start one of its own in any case, with an empty database; it is gone when this process is.
    adopt
        Whether a server of somebody else may be used only because it is at Prefect's usual port. Whoever schedules
        work must not: it would begin, and stay, on a server that nobody named.

    Raises
    ------
    ServiceError
        When no server can be started, or when ``PREFECT_API_URL`` names another machine whose server does not answer.
    """
    if temporary:
        url, home, undo = start_temporary()
        server = Server(url, started_here=True, temporary=True, home=home, _undo=undo)
        undo.callback(_set_environment, {name: os.environ.get(name) for name in client_environment(server)})
    else:
        with one_at_a_time(PREFECT):
            server = _named_server() or _own_server() or (_usual_server() if adopt else None) or _start_own()
    _set_environment(client_environment(server))
    return server


def client_environment(server: Server) -> dict[str, str]:
    """Variables with which any process (a Dask worker, a sub-command) reaches this server, and no other."""
    home = {} if server.home is None else {"PREFECT_HOME": str(server.home)}
    # Else a client that cannot reach its server starts a temporary one of its own, in silence.
    no_other = {"PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false"}
    return {"PREFECT_API_URL": server.api_url, **home, **no_other, **NO_PHONE_HOME}


def ensure_report_server() -> str:
    """Find or start the report server; its base URL, without a slash at the end."""
    with one_at_a_time(REPORTS):
        record = find_service(REPORTS)
        if record is None or not _greets(record.port):
            end_service(REPORTS)
            port = choose_port(REPORTS_PORT)
            command = [sys.executable, "-m", "flows.services.report_server", str(_reports_dir()), "--port", str(port)]
            record = start_service(REPORTS, command, os.environ, port, lambda: _greets(port), START_TIMEOUT_S)
    return _base_url(record.port)


@contextmanager
def report_server(*, temporary: bool = False) -> Iterator[str]:
    """Have a report server; a temporary one ends with the block, unless it was there before."""
    was_there = find_service(REPORTS) is not None
    try:
        yield ensure_report_server()
    finally:
        if temporary and not was_there:
            with one_at_a_time(REPORTS):
                end_service(REPORTS)


def publish_reports(outbox: Path) -> str:
    """Make a folder of reports readable in the browser of this machine; its URL, with a slash at the end."""
    base_url = ensure_report_server()
    return f"{base_url}/{publish(_reports_dir(), outbox)}/"


def down() -> list[str]:
    """End the servers that earlier commands left running; a sentence for each."""
    done = []
    for name in (PREFECT, REPORTS):
        with one_at_a_time(name):
            record = end_service(name)
        if record is None:
            done.append(f"no {name} of ours was running")
        else:
            done.append(f"{name} ended (pid {record.process.pid}, port {record.port})")
    return done


def status() -> list[ServiceStatus]:
    """Which servers a command would use now. Starts nothing."""
    prefect, reports = find_service(PREFECT), find_service(REPORTS)
    api_url = os.environ.get("PREFECT_API_URL") or api_url_of(prefect.port if prefect else PREFECT_PORT)
    is_ours = prefect is not None and api_url == api_url_of(prefect.port)
    port = reports.port if reports else REPORTS_PORT
    return [
        ServiceStatus(PREFECT, api_url, prefect.process.pid if prefect and is_ours else None, answers(api_url)),
        ServiceStatus(REPORTS, _base_url(port), reports.process.pid if reports else None, _greets(port)),
    ]


def _named_server() -> Server | None:
    url = os.environ.get("PREFECT_API_URL", "").rstrip("/")
    if not url:
        return None
    if answers(url):
        record = find_service(PREFECT)
        return Server(url, home=_own_home() if record and url == api_url_of(record.port) else None)
    if not is_local(url):
        raise ServiceError(
            f"PREFECT_API_URL is {url}, where no Prefect server answers; start that one, or unset the variable to use "
            "a server on this machine"
        )
    return None


def _own_server() -> Server | None:
    record = find_service(PREFECT)
    if record is None:
        return None
    url = api_url_of(record.port)
    try:
        # It may still be starting, when the command that started it was killed meanwhile.
        wait_until_ready(PREFECT, record.process, lambda: answers(url), log_path(PREFECT), START_TIMEOUT_S)
    except ServiceError as error:
        log.warning("starting another one, since %s", error)
        end_service(PREFECT)
        return None
    return Server(url, home=_own_home())


def _usual_server() -> Server | None:
    url = api_url_of(PREFECT_PORT)
    return Server(url) if is_prefect(url) else None


def _start_own() -> Server:
    named = urlsplit(os.environ.get("PREFECT_API_URL", "")).port
    port = choose_port(named or PREFECT_PORT)
    url = api_url_of(port)
    command = [sys.executable, "-m", "prefect", *server_arguments(port)]
    environment = server_environment(port, _own_home())
    start_service(PREFECT, command, environment, port, lambda: answers(url), START_TIMEOUT_S)
    return Server(url, started_here=True, home=_own_home())


def _own_home() -> Path:
    return state_dir() / "prefect"


def _reports_dir() -> Path:
    folder = state_dir() / "reports"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _base_url(port: int) -> str:
    return f"http://{LOCAL_HOST}:{port}"


def _greets(port: int) -> bool:
    return get_text(f"{_base_url(port)}/") == GREETING.decode().strip()


def _send_what_is_held_back() -> None:
    """Let Prefect's client send its last logs and events, which at exit it offers to a server that is gone for 70 s."""
    for module, worker in (("prefect.logging.handlers", "APILogWorker"), ("prefect.events.worker", "EventsWorker")):
        if module in sys.modules:
            getattr(sys.modules[module], worker).drain_all(timeout=5.0)


def _set_environment(variables: dict[str, str | None] | dict[str, str]) -> None:
    for name, value in variables.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    # An already imported Prefect has to read the environment again.
    if "prefect.context" in sys.modules:
        sys.modules["prefect.context"].refresh_global_settings_context()
