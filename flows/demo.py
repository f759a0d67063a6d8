"""The demonstration: a generated cohort as real DICOM, then the same command that a hospital would give."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from rich.console import Console

from tasks.phantom.cohort import write_cohort

CHECKOUT = Path(__file__).parents[1]
STUDY = CHECKOUT / "deployments" / "studies" / "demo.toml"
PATIENTS = 12


def main() -> int:
    """Make the cohort, run the study, say where everything is. Returns the exit code of ``lesionflow run``."""
    from flows import cli

    console = Console(stderr=True, highlight=False)
    home = CHECKOUT / "runs" / "demo"
    inbox = home / "inbox"
    shutil.rmtree(inbox, ignore_errors=True)
    console.print(f"writing {PATIENTS} phantom patients as DICOM to {inbox}")
    started = time.perf_counter()
    write_cohort(inbox, patients=PATIENTS, seed=0)
    console.print(f"inbox ready in {time.perf_counter() - started:.0f} s")
    command = ["run", str(STUDY), "--data", str(inbox), "--store", str(home / "store")]
    return int(cli.app([*command, "--json", str(home / "summary.json")], standalone_mode=False))


if __name__ == "__main__":
    sys.exit(main())
