"""The environment of the peers: made once from ``peers.txt``, and again when that file or Python changes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("peers.txt")
FOLDER = Path(__file__).with_name(".peers")


class PeersError(RuntimeError):
    """The environment cannot be made; the message says what pip said."""


def python_with_peers(folder: Path = FOLDER, requirements: Path = REQUIREMENTS) -> Path:
    """The interpreter that has the peers; makes the environment where it is not there yet, or not up to date."""
    python, stamp = folder / "bin" / "python", folder / "made-from"
    wanted = hashlib.sha256(sys.version.encode() + requirements.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="ascii") == wanted and python.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    _do(["venv", "--without-pip", str(folder)])
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    _do(["pip", "--python", str(python), "install", *quiet, "--requirement", str(requirements)])
    stamp.write_text(wanted, encoding="ascii")
    return python


def _do(module: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *module], check=False, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise PeersError("the peers' environment cannot be made:\n" + "\n".join(said))
