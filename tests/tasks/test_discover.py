"""Parts found by name: one file is one part."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tasks.discover import part, part_names


def test_every_file_of_a_folder_is_a_part_in_the_order_of_the_alphabet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "some_parts"
    folder.mkdir()
    for name in ("__init__", "zebra", "ant"):
        (folder / f"{name}.py").write_text(f"NAME = '{name}'\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert part_names("some_parts") == ("ant", "zebra")
    assert part("some_parts", "zebra").NAME == "zebra"
    (folder / "bee.py").touch()
    (folder / "built_from").mkdir()
    (folder / "built_from" / "__init__.py").touch()  # a folder holds what parts are built from, and is none
    assert part_names("some_parts") == ("ant", "bee", "zebra")
    for module in [name for name in sys.modules if name.startswith("some_parts")]:
        monkeypatch.delitem(sys.modules, module)


def test_an_unknown_part_is_refused_with_the_choices() -> None:
    with pytest.raises(
        ValueError, match=r"no 'forest' in tasks\.models; choose from: alexnet, .*logistic, .*random_forest"
    ):
        part("tasks.models", "forest")
    with pytest.raises(ValueError, match=r"no '\.\.settings' in tasks\.models"):
        part("tasks.models", "..settings")
