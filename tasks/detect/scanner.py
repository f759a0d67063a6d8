"""Whether a model harmonizes the scanner of a new case, or has to leave its features as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.classical.harmonization import scanner_of

NOT_HARMONIZED = "scanner_not_harmonized"
"""Flag of the findings of a case whose features were left as they are, by a model that harmonizes."""


@dataclass(frozen=True)
class SeenScanner:
    """The scanner of a case, ``None`` where its header does not tell, and whether the model was harmonized for it."""

    name: str | None
    harmonized: bool

    @property
    def flags(self) -> tuple[str, ...]:
        """Of every finding of the case."""
        return () if self.harmonized else (NOT_HARMONIZED,)


def seen_scanner(harmonization: Mapping[str, Any] | None, header: Mapping[str, Any]) -> SeenScanner | None:
    """The scanner of a case as a model knows it; ``None`` for a model that does not harmonize.

    Parameters
    ----------
    harmonization
        What the model's card says of it.
    header
        What ingest keeps of the image's header.
    """
    if harmonization is None:
        return None
    name = scanner_of(header, harmonization["by"])
    known = {one["name"] for one in harmonization["scanners"] if one["features"]} | {harmonization["reference"]}
    return SeenScanner(name, name is not None and name in known)
