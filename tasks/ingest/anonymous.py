"""Errors about files: their own texts may name patients, so only what we wrote ourselves goes further."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from storage.errors import CaseError


@contextmanager
def anonymous_errors(what: str = "the inbox") -> Iterator[None]:
    """Let errors about a case through, and replace any other by its kind: its text or trace may name a patient."""
    failure: str | None = None
    try:
        yield
    except (CaseError, NotADirectoryError):
        raise
    except Exception as error:
        failure = type(error).__name__
    if failure:  # outside the handler: no trace of the original travels along
        raise RuntimeError(f"{what} cannot be read: {failure}")
