"""Deployments: what the operator decides about the nights, and how Prefect comes to know it.

- *plan*: inbox, store, schedule and workers, as `lesionflow up` was told. Kept in the state folder, so that `up` alone
  brings everything back after a reboot.
- ``deployments/prefect.yaml`` is the template; Prefect fills its ``{{ $LESIONFLOW_… }}`` from the environment.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, model_validator

from flows.services.background import ServiceError, state_dir
from flows.services.prefect_server import is_local

CHECKOUT = Path(__file__).parents[2]
TEMPLATE = CHECKOUT / "deployments" / "prefect.yaml"
POOL = "lesionflow"
DEPLOYMENTS = ("run_nightly/nightly", "run_study/study")
FILLED_IN = ("data", "store", "model", "study")
"""Parts of a plan that the template asks for as ``LESIONFLOW_<NAME>``, beside the scheduler's address."""

TIMEOUT_S = 180.0

_VARIABLE = re.compile(r"\{\{ \$(\w+) \}\}")


class Plan(BaseModel):
    """What `lesionflow up` was told. ``None``: as in ``prefect.yaml``, or as the flow has it by default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str | None = None
    store: str | None = None
    model: str | None = None
    study: str | None = None
    cron: str | None = None
    timezone: str | None = None
    workers: int | None = None
    quiet_seconds: float | None = None

    @model_validator(mode="after")
    def _check_schedule(self) -> Plan:
        if self.cron or self.timezone:
            from prefect.client.schemas.schedules import CronSchedule

            CronSchedule(cron=self.cron or "0 0 * * *", timezone=self.timezone)
        return self

    @property
    def runs_at_night(self) -> bool:
        """Whether it says enough for scheduled runs."""
        return self.data is not None and self.store is not None


def remembered_plan() -> Plan:
    """The plan of the last `up`; an empty one before the first."""
    path = state_dir() / "plan.json"
    return Plan.model_validate_json(path.read_bytes()) if path.exists() else Plan()


def remember(plan: Plan) -> None:
    """Keep a plan for the next `up`."""
    (state_dir() / "plan.json").write_text(plan.model_dump_json(indent=1))


def worker_environment() -> dict[str, str]:
    """What runs started by a worker need beside the server's address."""
    return {
        "LESIONFLOW_CHECKOUT": str(CHECKOUT),
        # Else Prefect replaces this installation by `uv run` wherever uv is on the path.
        "PREFECT_RUNNER_AUTO_INSTALL_DEPENDENCIES": "false",
    }


def deploy(plan: Plan, api_url: str, scheduler: str) -> bool:
    """Make work pool and deployments as planned. Returns whether there was anything to do.

    Raises
    ------
    ServiceError
        With what Prefect said, when it refused.
    """
    values = _values(plan, scheduler)
    text = yaml.safe_dump(filled_in(plan, set(values)), sort_keys=False)
    mark = hashlib.sha256(json.dumps([api_url, text, sorted(values.items())]).encode()).hexdigest()
    known = state_dir() / "deployed"
    there = all(_exists(f"{api_url}/deployments/name/{name}") for name in DEPLOYMENTS)
    if there and known.exists() and known.read_text() == mark:
        return False
    if not _exists(f"{api_url}/work_pools/{POOL}"):
        _prefect("work-pool", "create", POOL, "--type", "process")
    written = state_dir() / "prefect.yaml"
    written.write_text(text)
    _prefect("deploy", "--all", "--no-prompt", "--prefect-file", str(written), values=values)
    known.write_text(mark)
    return True


def filled_in(plan: Plan, known: set[str]) -> dict[str, Any]:
    """The template as planned: without parameters that nobody gave, which Prefect would turn into empty texts.

    Without a plan for nights the schedule is there, and inactive.
    """
    content: dict[str, Any] = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    for deployment in content["deployments"]:
        asked = {name: _VARIABLE.search(str(text)) for name, text in deployment["parameters"].items()}
        for name in [name for name, variable in asked.items() if variable and variable[1] not in known]:
            del deployment["parameters"][name]
        if plan.quiet_seconds is not None and "quiet_seconds" in deployment["parameters"]:
            deployment["parameters"]["quiet_seconds"] = plan.quiet_seconds  # a number, which a variable cannot be
        for schedule in deployment.get("schedules", []):
            schedule["cron"], schedule["timezone"] = (
                plan.cron or schedule["cron"],
                plan.timezone or schedule["timezone"],
            )
            schedule["active"] = plan.runs_at_night
    return content


def _values(plan: Plan, scheduler: str) -> dict[str, str]:
    wanted = {**plan.model_dump(include=set(FILLED_IN)), "scheduler": scheduler}
    return {f"LESIONFLOW_{name.upper()}": value for name, value in wanted.items() if value is not None}


def _exists(url: str) -> bool:
    return httpx.get(url, timeout=10.0, trust_env=not is_local(url)).status_code == httpx.codes.OK


def _prefect(*arguments: str, values: dict[str, str] | None = None) -> None:
    """Do a ``prefect`` command from the checkout. Of our variables it sees the given values alone."""
    ours = {f"LESIONFLOW_{name.upper()}" for name in (*FILLED_IN, "scheduler")}
    environment = {name: text for name, text in os.environ.items() if name not in ours}
    done = subprocess.run(
        [sys.executable, "-m", "prefect", *arguments],
        env={**environment, **(values or {})},
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise ServiceError(f"`prefect {' '.join(arguments[:2])}` failed:\n{(done.stdout + done.stderr)[-2000:]}")
