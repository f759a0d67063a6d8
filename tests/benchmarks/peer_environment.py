"""The environments of the peers, one for each work: made once, and again when its list or Python changes.

``peers.txt`` in the folder of a work lists the packages. A ``peers_from_source.txt`` beside it lists those that are
built on this machine, with what the first list has installed: they do not say themselves what that takes.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

WORKS = Path(__file__).parent
ENVIRONMENTS = Path(__file__).with_name(".peers")
LISTS: dict[str, tuple[str, ...]] = {"peers.txt": (), "peers_from_source.txt": ("--no-build-isolation",)}
"""The lists in their order, and what pip is told beside."""


class PeersError(RuntimeError):
    """The environment cannot be made; the message says what pip said."""


def python_with_peers(work: str, works: Path = WORKS, environments: Path = ENVIRONMENTS) -> Path:
    """The interpreter that has a work's peers; makes the environment where it is not there yet, or not up to date."""
    folder = environments / work
    python, stamp = folder / "bin" / "python", folder / "made-from"
    lists = {works / work / name: options for name, options in LISTS.items() if (works / work / name).is_file()}
    wanted = hashlib.sha256(sys.version.encode() + b"".join(path.read_bytes() for path in lists)).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="ascii") == wanted and python.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    _do(["venv", "--without-pip", str(folder)])
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    for path, options in lists.items():
        _do(["pip", "--python", str(python), "install", *quiet, *options, "--requirement", str(path)])
    stamp.write_text(wanted, encoding="ascii")
    return python


def _do(module: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *module], check=False, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise PeersError("the peers' environment cannot be made:\n" + "\n".join(said))
