"""Freed memory stays with a process that keeps it, and goes when it is given back."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import pytest

from tasks.freed_memory import ENVIRONMENT

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")

PROBE = """
import json, resource, threading
import numpy as np
from tasks.freed_memory import give_back_freed

MIB = 2**20

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / MIB

def work():
    for _ in range(8):
        array = np.ones(200 * MIB // 8)  # larger than what a thread's own arena can hold
        del array

faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
thread = threading.Thread(target=work)
before, started = resident(), faults()
thread.start(); thread.join()
kept = resident() - before
give_back_freed()
print(json.dumps({"kept": kept, "left": resident() - before, "faults": faults() - started}))
"""


def probe(env: dict[str, str]) -> dict[str, float]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    # Without huge pages in numpy, which would hide how many pages are asked for.
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env=plain | {"NUMPY_MADVISE_HUGEPAGE": "0"} | env,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def test_a_worker_keeps_what_it_freed_until_the_work_is_done() -> None:
    worker, plain = probe(ENVIRONMENT), probe({})
    assert worker["kept"] > 180
    assert worker["left"] < 50
    assert plain["kept"] < 50
    assert plain["faults"] > 4 * worker["faults"]


def test_a_process_that_was_not_told_to_keep_anything_is_left_alone() -> None:
    other = probe(
        {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "999999999", "MALLOC_TRIM_THRESHOLD_": "999999999"}
    )
    assert other["left"] > 180
