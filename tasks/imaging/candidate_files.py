"""Candidate sets on disk: written by sample, read by every stage after it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.imaging.candidate_set import CandidateSet
from tasks.imaging.consensus import dice_matrix


def write_candidates(folder: Path, candidates: CandidateSet) -> None:
    """Write table, masks, and how far they overlap each other."""
    table, bits, offsets = candidates.to_arrays()
    table.to_parquet(folder / "candidates.parquet")
    dice = dice_matrix(list(candidates.masks()))
    np.savez_compressed(folder / "masks.npz", bits=bits, offsets=offsets, dice=dice)


def read_candidates(folder: Path) -> CandidateSet:
    """The candidates of a sample artifact."""
    with np.load(folder / "masks.npz", allow_pickle=False) as arrays:
        return CandidateSet.from_arrays(
            pd.read_parquet(folder / "candidates.parquet"), arrays["bits"], arrays["offsets"]
        )


def read_overlaps(folder: Path) -> npt.NDArray[np.float32]:
    """Dice coefficient of every pair of candidates of a sample artifact, ``(n, n)``."""
    with np.load(folder / "masks.npz", allow_pickle=False) as arrays:
        return np.asarray(arrays["dice"], dtype=np.float32)
