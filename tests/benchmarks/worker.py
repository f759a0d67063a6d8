"""One side of one row, in a process of its own that stays until its last repeat.

    python -m tests.benchmarks.worker WORK ROW ours|theirs SUBJECT RESULT.npy

It loads the subject from its folder, prepares, does the work once (what is compiled is compiled then, unless it was
kept), leaves the result in ``RESULT.npy``, and says so with a line of JSON. Then it does the work once for every line
that it is sent, and answers with the seconds it took, and those of the processor.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import cast

import numpy as np

from tests.benchmarks.row import PEERS, Side, as_array, rows_of, subject_of


def peak_mib() -> float:
    """Most memory that this process had so far, without what it inherited from the one that started it."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main(work: str, name: str, side: Side, folder: Path, result: Path) -> None:
    """Work until nothing more is asked."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # libraries that print must not be taken for answers
    row = next(row for row in rows_of(work) if row.name == name)
    subject = subject_of(work).load(folder)
    started = time.perf_counter()
    do = (row.ours if side == "ours" else row.theirs)(subject)
    made = do()
    first = time.perf_counter() - started
    peak = peak_mib()
    np.save(result, as_array(made))
    package = "numba" if side == "ours" else PEERS[row.peer]
    version = f"{package} {importlib.metadata.version(package)}"
    print(json.dumps({"version": version, "peak_mib": peak, "seconds": first}), file=answers)
    del made
    for _ in sys.stdin:
        started, cpu_started = time.perf_counter(), time.process_time()
        made = do()
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
        del made
        print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds}), file=answers)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], cast(Side, sys.argv[3]), Path(sys.argv[4]), Path(sys.argv[5]))
