"""Loops over the voxels of a region compiled by numba; threads come from the caller."""
