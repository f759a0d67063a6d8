"""Contrast, brightness and colour."""
