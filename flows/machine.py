"""Facts about this machine and what is installed on it, read without importing or starting anything heavy."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import subprocess
from pathlib import Path

import psutil

GIB = 2**30


def version_of(distribution: str) -> str | None:
    """Installed version of a package, ``None`` when it is absent."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def cuda_of_torch() -> str | None:
    """CUDA version that the installed PyTorch was built for, from its files; ``None`` for a build without CUDA."""
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return None
    text = Path(found.origin).with_name("version.py").read_text(encoding="utf-8")
    cuda = re.search(r"^cuda\b[^=]*=\s*'([\d.]+)'", text, re.MULTILINE)
    return cuda[1] if cuda else None


def cuda_of_driver() -> str | None:
    """Newest CUDA version that the NVIDIA driver knows."""
    found = re.search(r"CUDA (?:UMD )?Version:\s*([\d.]+)", _nvidia_smi())
    return found[1] if found else None


def gpus_here() -> list[str]:
    """Name, memory and driver of each GPU."""
    listed = _nvidia_smi("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    rows = [[part.strip() for part in line.split(",")] for line in listed.splitlines() if line.count(",") == 2]
    return [f"{name} ({memory}, driver {driver})" for name, memory, driver in rows]


def memory_here() -> tuple[float, float]:
    """Memory that this process and its kin may use at most, and what of it is free, in bytes."""
    memory = psutil.virtual_memory()
    total = min(float(memory.total), _container_limit())
    return total, min(float(memory.available), total)


def _container_limit() -> float:
    """Limit that a container sets (cgroup v2), in bytes; infinite without one."""
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return float("inf")
    return float("inf") if limit == "max" else float(limit)


def _nvidia_smi(*arguments: str) -> str:
    """Output of ``nvidia-smi``; empty on a machine without an NVIDIA driver."""
    try:
        command = ["nvidia-smi", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
