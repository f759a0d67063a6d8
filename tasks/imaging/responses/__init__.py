"""Convolutional filters of the IBSI, chapter 2: one file a filter, each giving a response map of an image."""
