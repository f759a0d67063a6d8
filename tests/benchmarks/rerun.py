"""How long a study takes the first time, and how long when nothing changed; and the peak memory of a worker.

    python tests/benchmarks/rerun.py deployments/studies/sts_pet.toml DICOM_FOLDER

The plain baseline of a run without news is the first run of the same study in the same session.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LESIONFLOW = Path(sys.executable).with_name("lesionflow")


def timed_run(study: str, data: str, store: Path) -> tuple[float, dict[str, object]]:
    """Seconds of one ``lesionflow run`` as a whole process, and its summary."""
    summary = store.parent / "summary.json"
    started = time.perf_counter()
    command = [str(LESIONFLOW), "run", study, "--data", data, "--store", str(store), "--json", str(summary)]
    code = subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode
    if code not in (0, 3):
        raise SystemExit(f"lesionflow run ended with {code}")
    return time.perf_counter() - started, json.loads(summary.read_text())


def main(study: str, data: str) -> None:
    """Run cold, then warm three times; the server should be up already (`lesionflow status`)."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        cold, first = timed_run(study, data, store)
        warm = min(timed_run(study, data, store)[0] for _ in range(3))
        commits = [json.loads(marker.read_text()) for marker in store.glob("artifacts/*/*/_COMMIT.json")]
        print(f"cold {cold:.1f} s, warm {warm:.1f} s, ratio {warm / cold:.3f}")
        print(f"largest worker: {max(commit['peak_mib'] for commit in commits):.0f} MiB")
        print(json.dumps(first["stages"], indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
