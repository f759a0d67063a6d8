"""The night's services on one machine, beside the two of `flows.services.server`: the Dask cluster and the worker.

- *worker*: Prefect's process that starts a flow when its time has come.
- Both are supervised (`flows.services.supervisor`): they come back when they are killed.

Runs of the worker work on the cluster that stays, and not on workers of their own, so that all work on this machine,
scheduled or by hand with ``--scheduler``, shares one set of workers and one limit of memory. What a cluster of their
own would give them besides, `flows.shared_cluster` gives them here: fresh processes at their start, and workers that
stop what nobody waits for any more.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from flows.services.background import (
    LOCAL_HOST,
    ServiceRecord,
    choose_port,
    end_service,
    find_service,
    one_at_a_time,
    start_service,
)
from flows.services.dask_service import look_at
from flows.services.deploying import POOL, Plan, deploy, remember, worker_environment
from flows.services.prefect_server import get_text
from flows.services.server import (
    PREFECT,
    REPORTS,
    Server,
    ServiceStatus,
    client_environment,
    ensure_report_server,
    ensure_server,
)
from flows.services.server import down as end_servers
from flows.services.server import status as server_status

CLUSTER = "dask-cluster"
WORKER = "worker"
SCHEDULER_PORT, CLUSTER_PORT, WORKER_PORT = 8786, 8787, 4290
START_TIMEOUT_S = 120.0
PATIENCE_S = 10.0
"""How long a service may be silent before `up` calls it unhealthy: a worker that was killed is coming back."""


@dataclass(frozen=True)
class Brought:
    """What `up` has to say about one service: where it is, and whether anything was done about it."""

    name: str
    where: str
    changed: bool


def up(plan: Plan) -> list[Brought]:
    """Start what does not run, restart what is not healthy, deploy what changed, and leave the rest alone.

    Raises
    ------
    ServiceError
        When something cannot be started; what runs by then is left running.
    """
    server = ensure_server(adopt=False)
    had_reports = find_service(REPORTS) is not None
    reports = ensure_report_server()
    cluster, cluster_is_new = _ensure(CLUSTER, server, plan, _start_cluster)
    health = look_at(cluster.port)
    address = health.address if health else ""
    is_deployed_anew = deploy(plan, server.api_url, address)
    worker, worker_is_new = _ensure(WORKER, server, plan, _start_worker)
    remember(plan)
    return [
        Brought(PREFECT, server.api_url, server.started_here),
        Brought("dashboard", server.ui_url, server.started_here),
        Brought(REPORTS, reports, not had_reports),
        Brought(CLUSTER, address, cluster_is_new),
        Brought("deployments", f"{server.ui_url}/deployments", is_deployed_anew),
        Brought(WORKER, _url(worker.port), worker_is_new),
    ]


def down() -> list[str]:
    """End everything that `up` started, the worker first, so that the server still hears of a run's end."""
    done = []
    for name in (WORKER, CLUSTER):
        with one_at_a_time(name):
            record = end_service(name)
        said = f"ended (pid {record.process.pid}, port {record.port})" if record else "of ours was not running"
        done.append(f"{name} {said}")
    return [*done, *end_servers()]


def status() -> list[ServiceStatus]:
    """All five services, and whether they are in good health. Starts nothing."""
    prefect, reports = server_status()
    ui_url = prefect.url.removesuffix("/api")
    dashboard = ServiceStatus("dashboard", ui_url, prefect.pid, "<html" in get_text(f"{ui_url}/").lower())
    cluster, worker = find_service(CLUSTER), find_service(WORKER)
    health = look_at(cluster.port) if cluster else None
    return [
        prefect,
        dashboard,
        reports,
        ServiceStatus(
            CLUSTER,
            f"{health.address}, {health.cpu_workers} CPU and {health.gpu_workers} GPU workers" if health else "",
            cluster.process.pid if cluster else None,
            health is not None and health.cpu_workers > 0,
        ),
        ServiceStatus(
            WORKER,
            f"{_url(worker.port)}, work pool {POOL}" if worker else "",
            worker.process.pid if worker else None,
            worker is not None and _polls(worker.port),
        ),
    ]


def _ensure(
    name: str, server: Server, plan: Plan, start: Callable[[dict[str, str], Plan], ServiceRecord]
) -> tuple[ServiceRecord, bool]:
    """The service as it should be, and whether it had to be started for that."""
    with one_at_a_time(name):
        record = find_service(name)
        environment = {**client_environment(server), **worker_environment()}
        if record is not None and _serves(record, environment) and _is_healthy(name, record, plan):
            return record, False
        end_service(name)
        return start({**os.environ, **environment}, plan), True


def _serves(record: ServiceRecord, environment: dict[str, str]) -> bool:
    """Whether a service belongs to the server that is used now."""
    try:
        return environment.items() <= psutil.Process(record.process.pid).environ().items()
    except psutil.Error:
        return False


def _is_healthy(name: str, record: ServiceRecord, plan: Plan) -> bool:
    until = time.monotonic() + PATIENCE_S
    while True:
        if _has_workers(record.port, plan.workers) if name == CLUSTER else _polls(record.port):
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.5)


def _start_cluster(environment: dict[str, str], plan: Plan) -> ServiceRecord:
    port, http_port = choose_port(SCHEDULER_PORT), choose_port(CLUSTER_PORT)
    options = ["--port", str(port), "--http-port", str(http_port)]
    options += ["--workers", str(plan.workers)] if plan.workers else []
    command = _supervised("-m", "flows.services.dask_service", *options)
    return start_service(
        CLUSTER, command, environment, http_port, lambda: _has_workers(http_port, plan.workers), START_TIMEOUT_S
    )


def _start_worker(environment: dict[str, str], _: Plan) -> ServiceRecord:
    port = choose_port(WORKER_PORT)
    command = _supervised("-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process", "--with-healthcheck")
    own = {"PREFECT_WORKER_WEBSERVER_HOST": LOCAL_HOST, "PREFECT_WORKER_WEBSERVER_PORT": str(port)}
    return start_service(WORKER, command, {**environment, **own}, port, lambda: _polls(port), START_TIMEOUT_S)


def _supervised(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "flows.services.supervisor", sys.executable, *arguments]


def _has_workers(http_port: int, wanted: int | None) -> bool:
    health = look_at(http_port)
    if health is None:
        return False
    return health.cpu_workers == wanted if wanted else health.cpu_workers > 0


def _polls(port: int) -> bool:
    """Whether a worker says that it asks the server for work."""
    return '"OK"' in get_text(f"{_url(port)}/health")


def _url(port: int) -> str:
    return f"http://{LOCAL_HOST}:{port}"
