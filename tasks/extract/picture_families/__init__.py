"""Families of features of pictures, one file each; see :mod:`tasks.extract.picture_registry`."""
