"""Resampling by cubic B-spline beside SimpleITK's, both with the prefilter that makes it interpolate."""

from __future__ import annotations

from tests.benchmarks.resampling import both
from tests.benchmarks.row import Row

ours, theirs = both("cubic")

ROW = Row(
    work="resample_cubic",
    peer="simpleitk",
    ours=ours,
    theirs=theirs,
    tolerance=0.01,
    says="1.25×0.7×0.7 mm to 1 mm, int16 to float32, compared but for the outermost voxels: beyond the old centres "
    "SimpleITK mirrors the image and ours goes on with the border",
    wanted=3.0,
    margin=1,
)
