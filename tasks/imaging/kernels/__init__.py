"""Loops over voxels compiled by numba; threads come from the caller."""
