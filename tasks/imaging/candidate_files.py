"""Candidate sets on disk: written by sample, read by every stage after it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tasks.imaging.candidate_set import CandidateSet
from tasks.imaging.morphology import BoolArray
from tasks.imaging.suppress import overlapping


def write_candidates(folder: Path, candidates: CandidateSet) -> None:
    """Write table, masks, and which candidates overlap each other."""
    table, bits, offsets = candidates.to_arrays()
    table.to_parquet(folder / "candidates.parquet")
    overlaps = np.packbits(overlapping(list(candidates.masks())))
    np.savez_compressed(folder / "masks.npz", bits=bits, offsets=offsets, overlaps=overlaps)


def read_candidates(folder: Path) -> CandidateSet:
    """The candidates of a sample artifact."""
    with np.load(folder / "masks.npz", allow_pickle=False) as arrays:
        return CandidateSet.from_arrays(pd.read_parquet(folder / "candidates.parquet"), arrays["bits"], arrays["offsets"])


def read_overlaps(folder: Path, count: int) -> BoolArray:
    """Which of the ``count`` candidates of a sample artifact share a voxel, ``(count, count)``."""
    with np.load(folder / "masks.npz", allow_pickle=False) as arrays:
        return np.unpackbits(arrays["overlaps"], count=count * count).astype(bool).reshape(count, count)
