"""Layers that several networks are built from; no models themselves."""
