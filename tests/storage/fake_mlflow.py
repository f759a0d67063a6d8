"""What of MLflow's tracking server the curves of trainings use, in memory, with its limits and its errors."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class RefusedError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str = "") -> None:
        super().__init__(status, code)
        self.status, self.code = status, code


Fault = tuple[str, RefusedError | None]
NO_FAULT: Fault = ("", None)


@dataclass
class FakeMlflow:
    """The server, and what it was told.

    Attributes
    ----------
    faults
        What befalls the next calls of a name: an error, before or after they have done what they ask.
    """

    url: str = ""
    experiments: list[str] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)
    faults: dict[str, list[Fault]] = field(default_factory=dict)

    def curve(self, name: str, run: int = 0) -> list[tuple[int, Any]]:
        return [(one["step"], one["value"]) for one in self.runs[run]["metrics"] if one["key"] == name]

    def answer(self, call: str, told: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(call)
        when, fault = self.faults[call].pop(0) if self.faults.get(call) else NO_FAULT
        if fault and when == "before":
            raise fault
        found: dict[str, Any] = getattr(self, "_" + call.replace("/", "_").replace("-", "_"))(**told)
        if fault:
            raise fault
        return found

    def _experiments_get_by_name(self, experiment_name: str) -> dict[str, Any]:
        if experiment_name not in self.experiments:
            raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST")
        return {"experiment": {"experiment_id": str(self.experiments.index(experiment_name))}}

    def _experiments_create(self, name: str) -> dict[str, Any]:
        if name in self.experiments:
            raise RefusedError(400, "RESOURCE_ALREADY_EXISTS")
        self.experiments.append(name)
        return {"experiment_id": str(self.experiments.index(name))}

    def _experiments_search(self, max_results: int) -> dict[str, Any]:
        return {"experiments": [{"name": name} for name in self.experiments[:max_results]]}

    def _runs_create(self, experiment_id: str, run_name: str, start_time: int, tags: list[Any]) -> dict[str, Any]:
        about = {"experiment_id": experiment_id, "name": run_name, "start_time": start_time, "status": "RUNNING"}
        self.runs.append({**about, "tags": _plain(tags), "params": {}, "metrics": []})
        return {"run": self._shown(len(self.runs) - 1)}

    def _runs_search(self, experiment_ids: list[str], filter: str, max_results: int) -> dict[str, Any]:  # noqa: A002
        asked = re.fullmatch(r"tags\.(\w+) = '(\w+)'", filter)
        assert asked
        name, value = asked.groups()
        found = [
            self._shown(number)
            for number, run in enumerate(self.runs)
            if run["experiment_id"] in experiment_ids and run["tags"].get(name) == value
        ]
        return {"runs": found[:max_results]} if found else {}

    def _runs_update(self, run_id: str, status: str, end_time: int | None = None) -> dict[str, Any]:
        self.runs[int(run_id)] |= {"status": status, "end_time": end_time}
        return {}

    def _runs_log_batch(self, run_id: str, metrics: Any = (), params: Any = ()) -> dict[str, Any]:
        if len(metrics) > 1000 or len(params) > 100:
            raise RefusedError(400, "INVALID_PARAMETER_VALUE")
        run = self.runs[int(run_id)]
        run["metrics"] += metrics  # as MLflow: the same point twice is twice there
        run["params"] |= _plain(params)
        return {}

    def _shown(self, number: int) -> dict[str, Any]:
        run = self.runs[number]
        last: dict[str, Any] = {}
        for one in run["metrics"]:
            last[one["key"]] = max(one, last.get(one["key"], one), key=lambda point: point["step"])
        params = [{"key": name, "value": value} for name, value in run["params"].items()]
        info = {"run_id": str(number), "status": run["status"]}
        return {"info": info, "data": {"metrics": list(last.values()), "params": params}}


@contextmanager
def serving() -> Iterator[FakeMlflow]:
    """A server at any free port of this machine, which ends with the block."""
    fake = FakeMlflow()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say({name: value for name, [value] in parse_qs(urlsplit(self.path).query).items()})

        def do_POST(self) -> None:
            self._say(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

        def _say(self, told: dict[str, Any]) -> None:
            fake.authorizations.add(self.headers.get("Authorization"))
            call = urlsplit(self.path).path.removeprefix("/api/2.0/mlflow/")
            try:
                status, body = 200, json.dumps(fake.answer(call, told))
            except RefusedError as refused:
                said = json.dumps({"error_code": refused.code, "message": f"{call} {told}"})
                status, body = refused.status, said if refused.code else "<html>Sign in</html>"
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        fake.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()


def _plain(pairs: list[dict[str, str]]) -> dict[str, str]:
    return {one["key"]: one["value"] for one in pairs}
