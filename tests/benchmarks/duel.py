"""Two workers side by side: they take turns, so that what disturbs the machine disturbs both, and medians are taken."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

import numpy as np

from tasks.freed_memory import ENVIRONMENT
from tests.benchmarks.row import Row, Scale, Side, largest_difference

CHECKOUT = Path(__file__).parents[2]
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)
PATIENCE_S = 20.0
SCALES: dict[Scale, str] = {
    "absolute": "",
    "relative": " of the larger value",
    "of range": " of the range of the peer's values",
}
"""As the note says it."""


class RowError(RuntimeError):
    """A side of a row did not do its work; the message says which, and what it said last."""


@dataclass(frozen=True)
class Outcome:
    """A row of the JSON file.

    Attributes
    ----------
    ours_s, peer_s
        Median seconds with one thread.
    equal
        Whether the results agree to the row's tolerance.
    """

    work: str
    peer: str
    ours_s: float
    peer_s: float
    equal: bool
    note: str

    def as_json(self) -> dict[str, Any]:
        """With seconds to four digits."""
        return {**asdict(self), "ours_s": float(f"{self.ours_s:.4g}"), "peer_s": float(f"{self.peer_s:.4g}")}


@dataclass(frozen=True)
class Duel:
    """Medians of both sides; of their first turn, with imports and preparation, time and peak memory; the peer's
    version, and how far apart the results are."""

    ours_s: float
    peer_s: float
    ours_cpu_s: float
    peer_cpu_s: float
    ours_first_s: float
    peer_first_s: float
    ours_mib: float
    peer_mib: float
    version: str
    difference: float


class Worker:
    """A process that does one side of a row whenever it is told to."""

    def __init__(
        self, python: Path, work: str, row: Row, side: Side, threads: int, subject: Path, folder: Path
    ) -> None:
        self.name = f"{row.name}, {side}"
        self.result = folder / f"{side}.npy"
        self._said = (folder / f"{side}.log").open("w+", encoding="utf-8")
        limits = dict.fromkeys(THREAD_VARIABLES, str(threads))
        self._process = subprocess.Popen(
            [str(python), "-m", "tests.benchmarks.worker", work, row.name, side, str(subject), str(self.result)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            cwd=CHECKOUT,
            env={**os.environ, **limits, "OMP_WAIT_POLICY": "passive", **(ENVIRONMENT if side == "ours" else {})},
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._process.communicate(timeout=PATIENCE_S)  # it ends with its input, and lets go of what it started
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._said.close()

    def answer(self) -> dict[str, Any]:
        """The next line that it says."""
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            self._process.wait()
            self._said.seek(0)
            last = self._said.read().strip().splitlines()[-3:]
            raise RowError(f"{self.name}: ended with {self._process.returncode}: " + " ".join(last))
        answer: dict[str, Any] = json.loads(line)
        return answer

    def turn(self) -> tuple[float, float]:
        """Let it do its work once; seconds, and those of the processor."""
        if self._process.stdin:
            self._process.stdin.write("again\n")
            self._process.stdin.flush()
        answer = self.answer()
        return answer["seconds"], answer["cpu_seconds"]


def duel(
    work: str,
    row: Row,
    peers_python: Path,
    subject: Path,
    *,
    threads: int,
    repeats: int,
    tell: Callable[[], object] = lambda: None,
) -> Duel:
    """Let both sides of a row do their work in turns, each first every other time.

    Parameters
    ----------
    subject
        Folder with what they work on.
    tell
        Called after each pair of turns, for whoever waits.

    Raises
    ------
    RowError
        A side failed.
    """
    with (
        TemporaryDirectory() as name,
        Worker(Path(sys.executable), work, row, "ours", threads, subject, Path(name)) as ours,
        Worker(peers_python, work, row, "theirs", threads, subject, Path(name)) as theirs,
    ):
        first = {side: side.answer() for side in (ours, theirs)}
        tell()
        made, expected = (np.load(side.result, mmap_mode="r") for side in (ours, theirs))
        difference = largest_difference(made, expected, row.margin, row.scale)
        turns: dict[Worker, list[tuple[float, float]]] = {ours: [], theirs: []}
        for repeat in range(repeats):
            for side in (ours, theirs) if repeat % 2 == 0 else (theirs, ours):
                turns[side].append(side.turn())
            tell()
    medians = {side: [statistics.median(kind) for kind in zip(*taken, strict=True)] for side, taken in turns.items()}
    return Duel(
        ours_s=medians[ours][0],
        peer_s=medians[theirs][0],
        ours_cpu_s=medians[ours][1],
        peer_cpu_s=medians[theirs][1],
        ours_first_s=first[ours]["seconds"],
        peer_first_s=first[theirs]["seconds"],
        ours_mib=first[ours]["peak_mib"],
        peer_mib=first[theirs]["peak_mib"],
        version=first[theirs]["version"],
        difference=difference,
    )


def outcome_of(row: Row, single: Duel, double: Duel) -> Outcome:
    """The row of the file, from the duels with one thread and with two."""
    difference = max(single.difference, double.difference)
    # What the first process of all compiled, the second finds.
    first, peer_first = min(single.ours_first_s, double.ours_first_s), min(single.peer_first_s, double.peer_first_s)
    note = (
        f"{row.says}; largest difference {difference:.3g}{SCALES[row.scale]}, tolerance {row.tolerance:g}"
        f"; {single.peer_s / single.ours_s:.3g} times as fast, wanted {row.wanted:g}"
        f"; of the processor {single.ours_cpu_s:.3g} s against {single.peer_cpu_s:.3g} s"
        f"; 2 threads: {double.ours_s:.3g} s against {double.peer_s:.3g} s"
        f"; first turn of a process {first:.3g} s against {peer_first:.3g} s"
        f"; peak {single.ours_mib:.0f} MiB against {single.peer_mib:.0f} MiB; {single.version}"
    )
    return Outcome(row.work, row.peer, single.ours_s, single.peer_s, difference <= row.tolerance, note)
