"""Selectors of features, one file each, found by name: a class Settings(Selector)."""
