"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public research data; skips where it is absent."""
    folder = Path(os.environ.get("LESIONFLOW_TEST_DATA", CHECKOUT.parent / "shared" / "data")).resolve()
    if not (folder / "README.md").is_file():
        pytest.skip(f"real data not found at {folder}; set LESIONFLOW_TEST_DATA")
    return folder
