"""One side of one row, in a process of its own that stays until its last repeat.

    python -m tests.benchmarks.worker WORK ROW ours|theirs VOLUME.npy RESULT.npy

It prepares, does the work once (what is compiled is compiled then), leaves the result in ``RESULT.npy``, and says so
with a line of JSON. Then it does the work once for every line that it is sent, and answers with the seconds it took.
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

from tests.benchmarks.row import PEERS, Side, as_array, rows_of


def main(work: str, name: str, side: Side, volume: Path, result: Path) -> None:
    """Work until nothing more is asked."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # libraries that print must not be taken for answers
    row = next(row for row in rows_of(work) if row.name == name)
    do = (row.ours if side == "ours" else row.theirs)(np.load(volume))
    made = do()
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    np.save(result, as_array(made))
    package = "numba" if side == "ours" else PEERS[row.peer]
    version = f"{package} {importlib.metadata.version(package)}"
    print(json.dumps({"version": version, "peak_mib": peak_mib}), file=answers)
    del made
    for _ in sys.stdin:
        started = time.perf_counter()
        made = do()
        seconds = time.perf_counter() - started
        del made
        print(json.dumps({"seconds": seconds}), file=answers)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], cast(Side, sys.argv[3]), Path(sys.argv[4]), Path(sys.argv[5]))
