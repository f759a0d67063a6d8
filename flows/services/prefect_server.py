"""One Prefect server process on this machine: its command, its environment, its health, and a temporary one.

This module and its users never import Prefect: a client reads where its server is when it is first imported.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from flows.processes import identity_of, kill_tree
from flows.services.background import LOCAL_HOST, ServiceError, choose_port, wait_until_ready

START_TIMEOUT_S = 90.0

NO_PHONE_HOME = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
}

_PREFECT_WHILE_INPUT_IS_OPEN = (
    "import os, pathlib, runpy, sys; from flows.processes import end_with_input; "
    "end_with_input(and_delete=pathlib.Path(os.environ['PREFECT_HOME'])); "
    "sys.argv[0] = 'prefect'; runpy.run_module('prefect', run_name='__main__')"
)


def api_url_of(port: int) -> str:
    """API of the server at a port of this machine."""
    return f"http://{LOCAL_HOST}:{port}/api"


def is_local(url: str) -> bool:
    """Whether a URL names this machine."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def get_text(url: str) -> str:
    """Body of a page; empty when there is no such page or nobody answers."""
    try:
        # A proxy from the environment must not stand between this machine and itself.
        answer = httpx.get(url, timeout=3.0, trust_env=not is_local(url))
    except httpx.HTTPError:
        return ""
    return answer.text.strip() if answer.status_code == httpx.codes.OK else ""


def answers(api_url: str) -> bool:
    """Whether a server says that it is in good health."""
    return get_text(f"{api_url}/health") == "true"


def is_prefect(api_url: str) -> bool:
    """Whether it is a healthy Prefect server of the major version that we speak to."""
    return answers(api_url) and get_text(f"{api_url}/admin/version").startswith('"3.')


def server_arguments(port: int) -> list[str]:
    """Arguments of the ``prefect`` command."""
    return ["server", "start", "--host", LOCAL_HOST, "--port", str(port)]


def server_environment(port: int, home: Path) -> dict[str, str]:
    """Environment of a server: ours, without any ``PREFECT_…`` that was meant for clients or for another server."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    url = api_url_of(port)
    own = {"PREFECT_HOME": str(home), "PREFECT_API_URL": url, "PREFECT_UI_API_URL": url}
    return {**inherited, **own, **NO_PHONE_HOME}


def start_temporary() -> tuple[str, Path, ExitStack]:
    """Start a server with an empty database that ends when this process does, even by SIGKILL.

    Returns
    -------
    api_url, home, undo
        Closing ``undo`` ends the server and deletes its ``home``.
    """
    with ExitStack() as undo:
        home = Path(tempfile.mkdtemp(prefix="lesionflow-prefect-"))
        undo.callback(shutil.rmtree, home, ignore_errors=True)
        port = choose_port(0)
        log = home / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", _PREFECT_WHILE_INPUT_IS_OPEN, *server_arguments(port)],
                env=server_environment(port, home),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        undo.callback(process.communicate)
        identity = identity_of(process.pid)
        if identity is None:
            raise ServiceError("the temporary Prefect server ended at once")
        undo.callback(kill_tree, *identity, timeout_s=0)  # nothing of it is kept
        url = api_url_of(port)
        wait_until_ready("the temporary Prefect server", identity, lambda: answers(url), log, START_TIMEOUT_S)
        return url, home, undo.pop_all()
