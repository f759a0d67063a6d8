"""Trilinear resampling beside SimpleITK's: from a usual grid of CT to voxels of 1 mm, in the same place."""

from __future__ import annotations

from tests.benchmarks.resampling import both
from tests.benchmarks.row import Row

ours, theirs = both("linear")

ROW = Row(
    work="resample_linear",
    peer="simpleitk",
    ours=ours,
    theirs=theirs,
    tolerance=0.01,
    says="1.25×0.7×0.7 mm to 1 mm, int16 to float32, compared everywhere",
    wanted=8.0,
)
