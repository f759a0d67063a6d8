"""Metrics as pure functions, shared by all stages."""
