"""Intensities made comparable between images."""
