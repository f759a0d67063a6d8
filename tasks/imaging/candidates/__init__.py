"""Finders of candidate regions: one file each, found by its name (`tasks.imaging.finder`)."""
