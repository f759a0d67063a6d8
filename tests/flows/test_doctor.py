"""The doctor's judgement follows the facts, and its advice says what to do."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from flows import doctor, machine
from flows.doctor import Check, checkup
from flows.services.server import PREFECT, REPORTS, ServiceStatus
from tests.storage.fake_mlflow import RefusedError, serving

GIB = 2**30
H200 = ["NVIDIA H200 (143771 MiB, driver 570.1)"]


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No server, key or GPU of the machine that runs the tests plays a part."""
    monkeypatch.setenv("LESIONFLOW_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("LESIONFLOW_PSEUDONYM_KEY", raising=False)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.delenv("LESIONFLOW_MLFLOW_URL", raising=False)
    monkeypatch.setattr(doctor, "gpus_here", list)
    monkeypatch.setattr(doctor, "cuda_of_torch", lambda: "13.0")


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    """Constraints that this installation meets."""
    path = tmp_path / "constraints.txt"
    names = ["numpy", "pydantic"]
    path.write_text("".join(f"{name}=={importlib.metadata.version(name)}  # why\n" for name in names))
    return path


def check(name: str, store: Path | None, constraints: Path) -> Check:
    [found] = [check for check in checkup(store, constraints) if check.name == name]
    return found


def test_the_checkup_has_one_line_for_everything_a_run_depends_on(pins: Path) -> None:
    assert [found.name for found in checkup(None, pins)] == [
        "python",
        "packages",
        "torch",
        "gpu",
        "cores",
        "memory",
        "disk",
        "open files",
        "prefect server",
        "report server",
        "pseudonym key",
    ]


def test_packages_as_pinned_are_counted(pins: Path) -> None:
    with pins.open("a") as file:
        file.write('not-installed==1.0\n-r more.txt\nnumpy==0; sys_platform == "win32"\nhttps://no.pin/here\n')
    assert check("packages", None, pins) == Check("packages", True, "2 installed as pinned")


def test_a_package_of_another_version_than_pinned_is_named(pins: Path) -> None:
    with pins.open("a") as file:
        file.write("zarr==1.0\n")
    found = check("packages", None, pins)
    assert found.ok is False
    assert found.text == f"not as pinned: zarr {importlib.metadata.version('zarr')} (==1.0)"
    assert found.advice == "run `make install`"


def test_a_missing_file_of_pins_is_neither_good_nor_bad(tmp_path: Path) -> None:
    found = check("packages", None, tmp_path / "constraints.txt")
    assert (found.ok, found.text) == (None, "no pins to compare with: constraints.txt: No such file or directory")


def test_a_required_package_that_is_absent_is_named(pins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        importlib.metadata, "requires", lambda _: ["numpy>=2", "nosuchthing>=1", 'dev-only; extra == "dev"']
    )
    assert check("packages", None, pins).text == "not installed: nosuchthing"


@pytest.mark.parametrize(
    ("gpus", "cuda", "driver", "ok"),
    [([], None, None, True), (H200, None, "13.0", False), (H200, "13.0", "12.8", False), (H200, "13.0", "13.1", True)],
)
def test_torch_has_to_fit_the_gpu_and_its_driver(
    gpus: list[str], cuda: str | None, driver: str | None, ok: bool, pins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "gpus_here", lambda: gpus)
    monkeypatch.setattr(doctor, "cuda_of_torch", lambda: cuda)
    monkeypatch.setattr(doctor, "cuda_of_driver", lambda: driver)
    found = check("torch", None, pins)
    assert found.ok is ok
    assert bool(found.advice) is not ok


def test_gpus_are_read_from_what_nvidia_smi_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: object) -> SimpleNamespace:
        table = "| NVIDIA-SMI 570.1   Driver Version: 570.1   CUDA Version: 12.8     |"
        return SimpleNamespace(stdout="NVIDIA H200, 143771 MiB, 570.1\n" if len(command) > 1 else table)

    monkeypatch.setattr(subprocess, "run", run)
    assert machine.gpus_here() == H200
    assert machine.cuda_of_driver() == "12.8"


def test_a_machine_without_nvidia_smi_has_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert machine.gpus_here() == []
    assert machine.cuda_of_driver() is None


@pytest.mark.parametrize(("free_gib", "ok"), [(0.5, False), (5, None), (50, True)])
def test_disk_is_judged_by_what_is_free(
    free_gib: float, ok: bool | None, pins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=free_gib * GIB))
    found = check("disk", tmp_path / "store" / "not" / "yet", pins)
    assert (found.ok, found.text) == (ok, f"{free_gib:.1f} GiB free")


@pytest.mark.parametrize(("total_gib", "ok"), [(2, False), (16, True)])
def test_memory_is_judged_by_what_there_is(
    total_gib: float, ok: bool, pins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "memory_here", lambda: (total_gib * GIB, GIB))
    assert check("memory", None, pins).ok is ok


@pytest.mark.parametrize(("limit", "ok"), [(256, False), (1024, True), (-1, True)])
def test_few_open_files_at_once_are_too_few(limit: int, ok: bool, pins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.resource, "getrlimit", lambda _: (limit, limit))
    assert check("open files", None, pins).ok is ok


@pytest.mark.parametrize(
    ("url", "answering", "version", "ok"),
    [
        ("http://127.0.0.1:4200/api", False, "", None),
        ("https://prefect.hospital.example/api", False, "", False),
        ("http://127.0.0.1:4200/api", True, importlib.metadata.version("prefect"), True),
        ("http://127.0.0.1:4200/api", True, "3.0.0", None),
    ],
)
def test_a_server_is_judged_by_its_answer_and_its_version(
    url: str, answering: bool, version: str, ok: bool | None, pins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [ServiceStatus(PREFECT, url, None, answering), ServiceStatus(REPORTS, "http://127.0.0.1:4280", 1, True)]
    monkeypatch.setattr(doctor, "status", lambda: there)
    monkeypatch.setattr(doctor, "get_text", lambda _: f'"{version}"')
    assert check("prefect server", None, pins).ok is ok
    assert check("report server", None, pins) == Check("report server", True, "http://127.0.0.1:4280")


@pytest.mark.parametrize(
    ("content", "mode", "ok"), [("k" * 64, 0o600, True), ("k" * 64, 0o644, False), ("k", 0o600, False), (None, 0, None)]
)
def test_the_key_file_has_to_be_long_and_closed_to_others(
    content: str | None, mode: int, ok: bool | None, pins: Path, tmp_path: Path
) -> None:
    path = tmp_path / "config" / "lesionflow" / "pseudonym.key"
    path.parent.mkdir(parents=True)
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    found = check("pseudonym key", None, pins)
    assert found.ok is ok
    assert path.exists() is (content is not None)  # looking does not make one
    assert "kkkk" not in found.text


@pytest.mark.parametrize(("key", "ok"), [("a key of some length", True), ("short", False)])
def test_a_key_from_the_environment_is_measured_and_not_shown(
    key: str, ok: bool, pins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LESIONFLOW_PSEUDONYM_KEY", key)
    found = check("pseudonym key", None, pins)
    assert found.ok is ok
    assert key not in found.text + found.advice


def test_a_site_with_mlflow_learns_whether_it_answers_and_not_its_password(
    pins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as server:
        monkeypatch.setenv("LESIONFLOW_MLFLOW_URL", server.url.replace("//", "//night:secret@"))
        assert check("mlflow", None, pins) == Check("mlflow", True, "from LESIONFLOW_MLFLOW_URL")
        server.faults["experiments/search"] = [("before", RefusedError(401))]
        found = check("mlflow", None, pins)
    assert (found.ok, found.text) == (None, "does not answer: status 401")
    assert "secret" not in found.advice


def test_the_doctor_does_not_import_torch_or_prefect(pins: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from flows.doctor import checkup; checkup(None, Path(sys.argv[1])); "
        "print({'torch', 'prefect', 'distributed'} & set(sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(pins)], capture_output=True, text=True, env=os.environ, check=True
    )
    assert found.stdout == "set()\n"
