"""Organs and fields, one a file; see :mod:`tasks.imaging.organ`."""
