"""Judges this machine and this installation, and says what to do where they are not enough: `lesionflow doctor`.

Nothing is started, and no data is touched.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from flows.machine import GIB, cuda_of_driver, cuda_of_torch, gpus_here, memory_here, version_of
from flows.services.background import ServiceError
from flows.services.prefect_server import get_text, is_local
from flows.services.server import PREFECT, ServiceStatus, status
from storage.mlflow import URL_VARIABLE, MlflowError, MlflowServer
from tasks.ingest import deidentify

DISTRIBUTION = "lesionflow"
DISK_TOO_LITTLE_GIB, DISK_COMFORTABLE_GIB = 1.0, 10.0
MEMORY_MINIMUM_GIB = 4.0
OPEN_FILES_MINIMUM = 1024


@dataclass(frozen=True)
class Check:
    """One fact: ``ok`` is ``None`` where it is neither good nor bad; ``advice`` says what to do, and may be empty."""

    name: str
    ok: bool | None
    text: str
    advice: str = ""


def checkup(store: Path | None, constraints: Path) -> list[Check]:
    """Look at everything a run depends on.

    Parameters
    ----------
    store
        The artifact store whose disk counts; ``None`` for the working directory's.
    constraints
        File of pins (``name==version`` a line) that the installation shall have.
    """
    gpus = gpus_here()
    return [
        _check_python(),
        _check_packages(constraints),
        _check_torch(gpus),
        _check_gpu(gpus),
        _check_cores(),
        _check_memory(),
        _check_disk(store or Path.cwd()),
        _check_open_files(),
        *_check_servers(),
        *_check_mlflow(),
        _check_key(),
    ]


def _check_python() -> Check:
    wanted = importlib.metadata.metadata(DISTRIBUTION)["Requires-Python"]
    found = platform.python_version()
    fits = Requirement(f"python{wanted}").specifier.contains(found, prereleases=True)
    return Check("python", fits, found, "" if fits else f"install Python {wanted} and run `make install`")


def _check_packages(constraints: Path) -> Check:
    """Compare what is installed with what was tried together."""
    required = [Requirement(line) for line in importlib.metadata.requires(DISTRIBUTION) or []]
    needed = [item for item in required if item.marker is None or item.marker.evaluate({"extra": ""})]
    absent = [item.name for item in needed if version_of(item.name) is None]
    if absent:
        return Check("packages", False, f"not installed: {', '.join(absent)}", "run `make install`")
    try:
        pins = list(_pins(constraints))
    except OSError as error:
        return Check("packages", None, f"no pins to compare with: {constraints.name}: {error.strerror}")
    found = [(pin, version) for pin in pins if (version := version_of(pin.name)) is not None]
    others = [f"{pin.name} {version} ({pin.specifier})" for pin, version in found if not _fits(pin, version)]
    if others:
        return Check("packages", False, f"not as pinned: {', '.join(others)}", "run `make install`")
    return Check("packages", True, f"{len(found)} installed as pinned")


def _check_torch(gpus: list[str]) -> Check:
    version = version_of("torch")
    if version is None:
        return Check("torch", False, "not installed", "run `make install`")
    cuda = cuda_of_torch()
    if cuda is None:
        advice = "this PyTorch cannot use the GPU: install a build with CUDA" if gpus else ""
        return Check("torch", not gpus, f"{version}, without CUDA", advice)
    driver = cuda_of_driver() if gpus else None
    if driver is not None and Version(driver).major < Version(cuda).major:
        advice = f"the NVIDIA driver has to be one for CUDA {cuda}, unless the study file says gpu = 'off'"
        return Check("torch", False, f"{version} for CUDA {cuda}; the driver knows CUDA {driver}", advice)
    return Check("torch", True, f"{version}, built for CUDA {cuda}")


def _check_gpu(gpus: list[str]) -> Check:
    return Check("gpu", True, "; ".join(gpus)) if gpus else Check("gpu", None, "none; GPU tasks run on CPU workers")


def _check_cores() -> Check:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Check("cores", True if count > 1 else None, f"{count}", "" if count > 1 else "two or more make a run faster")


def _check_memory() -> Check:
    total, available = (amount / GIB for amount in memory_here())
    fits = total >= MEMORY_MINIMUM_GIB
    advice = "" if fits else f"{MEMORY_MINIMUM_GIB:g} GiB are the least; use `--workers 1`"
    return Check("memory", fits, f"{total:.1f} GiB, {available:.1f} GiB of it free", advice)


def _check_disk(store: Path) -> Check:
    place = next(folder for folder in (store.absolute(), *store.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(place).free / GIB
    if not os.access(place, os.W_OK):
        return Check("disk", False, "the store's folder cannot be written", "choose another --store, or its owner")
    if free < DISK_COMFORTABLE_GIB:
        enough = None if free >= DISK_TOO_LITTLE_GIB else False
        return Check("disk", enough, f"{free:.1f} GiB free", "make room: `lesionflow gc`, or another --store")
    return Check("disk", True, f"{free:.1f} GiB free")


def _check_open_files() -> Check:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    fits = soft == resource.RLIM_INFINITY or soft >= OPEN_FILES_MINIMUM
    text = "no limit" if soft == resource.RLIM_INFINITY else f"{soft} at once"
    return Check("open files", fits, text, "" if fits else f"`ulimit -n {4 * OPEN_FILES_MINIMUM}`")


def _check_servers() -> list[Check]:
    try:
        return [_check_server(service) for service in status()]
    except ServiceError as error:
        return [Check("servers", False, str(error))]


def _check_server(service: ServiceStatus) -> Check:
    name = service.name.replace("-", " ")
    if not service.answers:
        if service.name == PREFECT and not is_local(service.url):
            text = f"PREFECT_API_URL is {service.url}, which does not answer"
            return Check(name, False, text, "start that server, or unset the variable")
        return Check(name, None, "none runs", "`lesionflow run` starts one")
    if service.name != PREFECT:
        return Check(name, True, service.url)
    server, client = get_text(f"{service.url}/admin/version").strip('"'), version_of("prefect")
    same = server == client
    advice = "" if same else "end that server and start it from this installation: `lesionflow down`"
    return Check(name, True if same else None, f"{service.url}, Prefect {server or 'of unknown version'}", advice)


def _check_mlflow() -> list[Check]:
    """Ask the site's MLflow server, where one is named; no night depends on it."""
    url = os.environ.get(URL_VARIABLE)
    if not url:
        return []
    try:
        MlflowServer(url).ask("experiments/search", max_results=1)
    except MlflowError as error:
        advice = f"trainings go on without; start that server, or correct or unset {URL_VARIABLE}"
        return [Check("mlflow", None, f"does not answer: {error}", advice)]
    return [Check("mlflow", True, f"from {URL_VARIABLE}")]


def _check_key() -> Check:
    """Look at the pseudonym key from outside: it is neither shown nor made."""
    name, needed = "pseudonym key", deidentify.KEY_BYTES_MIN
    from_environment = os.environ.get(deidentify.KEY_VARIABLE)
    if from_environment is not None:
        fits = len(from_environment.encode()) >= needed
        return Check(name, fits, f"from {deidentify.KEY_VARIABLE}", "" if fits else f"it needs at least {needed} bytes")
    path = deidentify.key_file()
    if not path.exists():
        return Check(name, None, "none yet", f"the first ingest makes {path}; keep a copy in a safe place")
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        return Check(name, False, f"{path} is open to others (mode {mode:04o})", f"chmod 600 '{path}'")
    if path.stat().st_size < needed:
        return Check(name, False, f"{path} is too short for a key", "restore the file from its copy")
    return Check(name, True, f"{path} (mode {mode:04o})")


def _pins(constraints: Path) -> Iterator[Requirement]:
    for line in constraints.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if not text or text.startswith("-"):
            continue
        try:
            pin = Requirement(text)
        except InvalidRequirement:
            continue
        if pin.marker is None or pin.marker.evaluate():
            yield pin


def _fits(pin: Requirement, version: str) -> bool:
    return pin.specifier.contains(version, prereleases=True)
