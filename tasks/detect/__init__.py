"""Detect: from candidates to findings."""
