"""Phantoms: the generated cohort that demo and tests use."""
