"""Edges and ridges are found or sharpened."""
