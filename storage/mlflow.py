"""Curves of trainings on a site's MLflow server, over its REST API 2.0 (https://mlflow.org/docs/latest/rest-api.html).

A site that has one names it in ``LESIONFLOW_MLFLOW_URL``, with user and password where it asks for them:
``https://user:password@mlflow.example.org``. There a study is an *experiment*, and a training one of its *runs*, found
again by the key of what is trained: a training that was killed goes on in the same run.

These are seven documented calls, made with httpx, which Prefect brings. MLflow's own client is left out: mlflow-skinny
3.17 has 21 requirements, and one of them excludes the importlib_metadata that is pinned here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from httpx import Response

Ending = Literal["FINISHED", "FAILED"]

URL_VARIABLE = "LESIONFLOW_MLFLOW_URL"
KEY_TAG = "training_key"
TIMEOUT_S = 5.0
"""For each call: a training waits for it."""
MOST_METRICS, MOST_PARAMS = 1000, 100
"""In one ``runs/log-batch``."""


class MlflowError(Exception):
    """The server is out of reach, or refuses, with a code of its own perhaps.

    The message holds nothing of the URL, in which there may be a password.
    """

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(f"{reason} {code}".rstrip())
        self.code = code


@dataclass(frozen=True)
class About:
    """What a run says of its training beside the curve; ``key`` is that of the artifact which is trained."""

    key: str
    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]


class Point(NamedTuple):
    """One number of an epoch; ``time_ms`` since 1970."""

    key: str
    value: float
    step: int
    time_ms: int


class MlflowServer:
    """A server by its URL.

    Raises
    ------
    MlflowError
        When that is none, here; when the server is out of reach or refuses, at each call.
    """

    def __init__(self, url: str) -> None:
        import httpx

        try:
            place = httpx.URL(url)
        except httpx.InvalidURL:
            place = httpx.URL("")
        if place.scheme not in ("http", "https") or not place.host or "@" in place.path:
            raise MlflowError(f"{URL_VARIABLE} is no URL such as https://host or https://user:p%40ss@host:5000")
        # Without userinfo: httpx logs the addresses that it asks.
        api = f"{place.copy_with(userinfo=b'', query=None, fragment=None)}".rstrip("/") + "/api/2.0/mlflow/"
        self._client = httpx.Client(
            base_url=api,
            auth=(place.username, place.password) if place.userinfo else None,
            timeout=TIMEOUT_S,
            # None is kept open: there may be minutes between two calls.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def ask(self, call: str, **told: Any) -> dict[str, Any]:
        """The answer to a call that takes JSON, such as ``runs/search``."""
        return self._answer("POST", call, json=told)

    def look_up(self, call: str, **told: str) -> dict[str, Any]:
        """The answer to a call that only reads."""
        return self._answer("GET", call, params=told)

    def _answer(self, method: str, call: str, **given: Any) -> dict[str, Any]:
        import httpx

        try:
            answer = self._client.request(method, call, **given)
            if answer.is_success:
                found: dict[str, Any] = answer.json()
                return found
        except (httpx.HTTPError, ValueError) as error:
            raise MlflowError(type(error).__name__) from None
        raise MlflowError(f"status {answer.status_code}", _code(answer))


class MlflowRun:
    """The run of one training: found by its key, or made. Raises `MlflowError`."""

    def __init__(self, server: MlflowServer, experiment: str, about: About) -> None:
        where = _experiment_id(server, experiment)
        wanted = f"tags.{KEY_TAG} = '{about.key}'"
        found = server.ask("runs/search", experiment_ids=[where], filter=wanted, max_results=1).get("runs")
        run = found[0] if found else _new_run(server, where, about)
        self._server, self._id, data = server, run["info"]["run_id"], run.get("data", {})
        self._last = {one["key"]: int(one.get("step", 0)) for one in data.get("metrics", [])}
        if run["info"].get("status") != "RUNNING":
            server.ask("runs/update", run_id=self._id, status="RUNNING")
        known = {one["key"] for one in data.get("params", [])}
        self._log("params", MOST_PARAMS, _pairs({k: v for k, v in about.params.items() if k not in known}))

    def draw(self, points: Iterable[Point]) -> None:
        """Add to the curve what it does not have yet."""
        new = [one for one in points if one.step > self._last.get(one.key, -1)]
        self._log("metrics", MOST_METRICS, [_metric(one) for one in new])
        self._last |= {one.key: one.step for one in new}

    def end(self, status: Ending) -> None:
        """Say how the training ended."""
        self._server.ask("runs/update", run_id=self._id, status=status, end_time=now_ms())

    def _log(self, kind: str, most: int, rows: list[dict[str, Any]]) -> None:
        for first in range(0, len(rows), most):
            self._server.ask("runs/log-batch", run_id=self._id, **{kind: rows[first : first + most]})


def _experiment_id(server: MlflowServer, name: str) -> str:
    try:
        return _id_by_name(server, name)
    except MlflowError as error:
        if error.code != "RESOURCE_DOES_NOT_EXIST":
            raise
    try:
        return str(server.ask("experiments/create", name=name)["experiment_id"])
    except MlflowError as error:  # another fold was faster
        if error.code != "RESOURCE_ALREADY_EXISTS":
            raise
        return _id_by_name(server, name)


def _id_by_name(server: MlflowServer, name: str) -> str:
    return str(server.look_up("experiments/get-by-name", experiment_name=name)["experiment"]["experiment_id"])


def _new_run(server: MlflowServer, experiment_id: str, about: About) -> dict[str, Any]:
    tags = _pairs({**about.tags, KEY_TAG: about.key})
    made = server.ask("runs/create", experiment_id=experiment_id, run_name=about.name, start_time=now_ms(), tags=tags)
    run: dict[str, Any] = made["run"]
    return run


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _metric(point: Point) -> dict[str, Any]:
    # JSON has no word for these; protobuf's has (https://protobuf.dev/programming-guides/json).
    words = {math.inf: "Infinity", -math.inf: "-Infinity"}
    value = "NaN" if math.isnan(point.value) else words.get(point.value, point.value)
    return {"key": point.key, "value": value, "timestamp": point.time_ms, "step": point.step}


def _code(answer: Response) -> str:
    """MLflow's own code of an error; empty where something else answers in its place."""
    try:
        return str(answer.json()["error_code"])
    except (ValueError, KeyError, TypeError):
        return ""


def now_ms() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)
