"""Normalize: volumes on the study's grid with comparable intensities."""
