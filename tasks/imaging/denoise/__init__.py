"""Noise is taken off, structure kept."""
