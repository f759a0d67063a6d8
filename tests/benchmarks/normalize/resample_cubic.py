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
    tolerance=0.1,
    says="1.25×0.7×0.7 mm to 1 mm, int16 to float32, mirrored at the border by both, compared everywhere",
    wanted=3.0,
)
