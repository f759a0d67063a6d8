"""A command uses the Prefect server that is there, starts one only when there is none, and never two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.processes import own_identity
from flows.services import server as module
from flows.services.background import (
    ServiceError,
    ServiceRecord,
    choose_port,
    end_service,
    find_service,
    one_at_a_time,
    start_service,
    state_dir,
)
from flows.services.prefect_server import answers, api_url_of
from flows.services.server import PREFECT, Server, client_environment, down, ensure_server, status

SLEEP = [sys.executable, "-c", "import time; print('boom', flush=True); time.sleep(60)"]


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state folder and a usual port of this test's own, and an environment that is put back."""
    monkeypatch.setenv("LESIONFLOW_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(module, "PREFECT_PORT", choose_port(0))
    before = dict(os.environ)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def fake_prefect() -> Iterator[Any]:
    """Something that answers like a Prefect server of a given version."""
    started = []

    def start(version: str = "3.8.8", port: int = 0) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = {"/api/health": True, "/api/admin/version": version}
                self.send_response(200 if self.path in known else 404)
                self.end_headers()
                self.wfile.write(json.dumps(known.get(self.path)).encode())

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        started.append((server, thread))
        return server.server_port

    yield start
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def no_start(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Instead of starting a server, note with what it would be started."""
    calls: list[dict[str, Any]] = []

    def note(name: str, command: list[str], env: dict[str, str], port: int, *_: object) -> None:
        calls.append({"name": name, "command": command, "env": env, "port": port})

    monkeypatch.setattr(module, "start_service", note)
    return calls


def test_the_server_that_the_environment_names_is_used(
    fake_prefect: Any, no_start: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", api_url_of(fake_prefect()))
    server = ensure_server()
    assert server == Server(os.environ["PREFECT_API_URL"], _undo=server._undo)
    assert no_start == []


def test_a_dead_server_of_another_machine_is_an_error_and_not_replaced(
    no_start: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.2:9/api")
    with pytest.raises(ServiceError, match="no Prefect server answers; start that one, or unset the variable"):
        ensure_server()
    assert no_start == []


def test_a_dead_server_of_this_machine_is_started_at_its_port(
    no_start: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = choose_port(0)
    monkeypatch.setenv("PREFECT_API_URL", f"http://localhost:{port}/api")
    server = ensure_server()
    assert server.started_here
    assert [call["port"] for call in no_start] == [port]


def test_a_prefect_server_at_the_usual_port_is_used(fake_prefect: Any, no_start: list[Any]) -> None:
    port = fake_prefect(port=module.PREFECT_PORT)
    server = ensure_server()
    assert (server.api_url, server.ui_url, server.started_here, server.home) == (
        f"http://127.0.0.1:{port}/api",
        f"http://127.0.0.1:{port}",
        False,
        None,
    )
    assert os.environ["PREFECT_API_URL"] == server.api_url
    assert no_start == []


def test_what_is_not_our_prefect_at_the_usual_port_is_avoided(fake_prefect: Any, no_start: list[Any]) -> None:
    taken = fake_prefect(version="2.20.0", port=module.PREFECT_PORT)
    server = ensure_server()
    assert server.started_here
    assert no_start[0]["port"] != taken
    assert server.api_url == api_url_of(no_start[0]["port"])


def test_a_server_of_ours_keeps_its_data_in_the_state_folder_and_phones_nobody(
    no_start: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "sqlite+aiosqlite:////elsewhere.db")
    server = ensure_server()
    env, port = no_start[0]["env"], no_start[0]["port"]
    assert {name: value for name, value in env.items() if name.startswith(("PREFECT", "DO_NOT"))} == {
        "DO_NOT_TRACK": "1",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_HOME": str(state_dir() / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_UI_API_URL": f"http://127.0.0.1:{port}/api",
    }
    assert " ".join(no_start[0]["command"][1:]) == f"-m prefect server start --host 127.0.0.1 --port {port}"
    assert client_environment(server).items() <= os.environ.items()
    assert os.environ["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] == "false"


def test_a_service_that_ends_at_its_start_is_reported_with_the_end_of_its_log() -> None:
    command = [sys.executable, "-c", "print('a'); print('no such table'); raise SystemExit(3)"]
    with pytest.raises(ServiceError, match=r"(?s)x ended while it started.*no such table"):
        start_service("x", command, os.environ, 1, lambda: False, timeout_s=5)
    assert find_service("x") is None


def test_a_service_that_never_answers_is_reported_and_not_left_running() -> None:
    before = set(psutil.Process().children())
    with pytest.raises(ServiceError, match=r"(?s)x did not answer within 0\.5 s.*boom"):
        start_service("x", SLEEP, os.environ, 1, lambda: False, timeout_s=0.5)
    assert all(not is_running(child) for child in set(psutil.Process().children()) - before)


def test_a_started_service_has_a_session_of_its_own_and_a_record_until_it_ends() -> None:
    record = start_service("x", SLEEP, os.environ, 4711, lambda: True, timeout_s=5)
    try:
        assert find_service("x") == record
        assert os.getsid(record.process.pid) == record.process.pid
    finally:
        assert end_service("x") == record
    assert find_service("x") is None
    assert end_service("x") is None


def test_the_record_of_a_process_that_is_gone_counts_for_nothing() -> None:
    dead = own_identity()._replace(create_time=1.0)
    (state_dir() / "x.json").write_text(ServiceRecord(process=dead, port=1).model_dump_json())
    assert find_service("x") is None
    (state_dir() / "x.json").write_text("{")
    assert find_service("x") is None


def test_the_state_folder_is_for_the_user_alone() -> None:
    assert state_dir().stat().st_mode & 0o777 == 0o700


def test_a_free_port_is_chosen_when_the_preferred_one_is_taken(fake_prefect: Any) -> None:
    taken = fake_prefect()
    assert choose_port(taken) != taken
    free = choose_port(0)
    assert choose_port(free) == free


def test_only_one_looks_after_a_service_at_a_time() -> None:
    order = []

    def second() -> None:
        with one_at_a_time("x"):
            order.append("second")

    with one_at_a_time("x"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_nothing_runs_and_nothing_is_started_by_asking() -> None:
    prefect, _ = status()
    assert (prefect.pid, prefect.answers) == (None, False)
    assert down() == ["no prefect-server of ours was running", "no report-server of ours was running"]


def is_running(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


ENSURE = """
import sys
from flows.services import server as module
module.PREFECT_PORT = int(sys.argv[1])
server = module.ensure_server()
if "prefect" in sys.modules: raise SystemExit("Prefect was imported too early")
print(server.started_here, server.api_url)
"""


@pytest.mark.server
@pytest.mark.slow
def test_two_commands_at_once_start_one_server_that_stays_until_down() -> None:
    url = api_url_of(module.PREFECT_PORT)
    command = [sys.executable, "-c", ENSURE, str(module.PREFECT_PORT)]
    commands = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        said = sorted(command.communicate(timeout=100)[0].split()[0] for command in commands)
        assert said == ["False", "True"]
        assert answers(url)
        assert [child for child in psutil.Process().children() if is_running(child)] == []
        record = find_service(PREFECT)
        assert record is not None
        assert (state_dir() / "prefect" / "prefect.db").is_file()
        assert status()[0].pid == record.process.pid
        found = ensure_server()
        assert (found.api_url, found.started_here, found.home) == (url, False, state_dir() / "prefect")
    finally:
        done = down()
    assert done[0].startswith("prefect-server ended (pid ")
    assert not answers(url)


@pytest.mark.server
@pytest.mark.slow
def test_a_temporary_server_ends_with_its_data_and_gives_the_environment_back() -> None:
    with ensure_server(temporary=True) as server:
        home, process = server.home, psutil.Process().children()
        assert answers(server.api_url)
        assert os.environ["PREFECT_API_URL"] == server.api_url
        assert home is not None
        assert home.is_dir()
    assert not answers(server.api_url)
    assert not home.exists()
    assert "PREFECT_API_URL" not in os.environ
    assert all(not is_running(child) for child in process)
    assert find_service(PREFECT) is None


@pytest.mark.server
def test_a_temporary_server_does_not_outlive_a_killed_command() -> None:
    code = "from flows.services.server import ensure_server; ensure_server(temporary=True)"
    command = subprocess.Popen([sys.executable, "-c", code])
    until = time.monotonic() + 20
    while not (servers := psutil.Process(command.pid).children()) and time.monotonic() < until:
        time.sleep(0.05)
    [server] = servers
    while "PREFECT_HOME" not in server.environ() and time.monotonic() < until:
        time.sleep(0.05)
    home = Path(server.environ()["PREFECT_HOME"])
    assert home.is_dir()
    command.kill()
    command.wait()
    while (is_running(server) or home.exists()) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(server)
    assert not home.exists()
