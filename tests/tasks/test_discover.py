"""Parts found by name: one file is one part."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tasks.discover import part, part_names, settings_by_name
from tasks.settings import StageSettings


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


GOOD = "from tasks.settings import StageSettings\nclass Settings(StageSettings):\n    name: str = 'ant'\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD, None),
        (GOOD.partition("    name")[0] + "    pass\n", None),  # it needs no name
        (GOOD.replace("'ant'", "'bee'"), r"some_settings\.ant: expected name = 'ant'"),
        ("class Settings: pass\n", r"some_settings\.ant: expected a class Settings\(StageSettings\)"),
        ("", r"some_settings\.ant: expected a class Settings\(StageSettings\)"),
    ],
)
def test_settings_are_found_by_name_and_what_is_none_is_refused(
    text: str, said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "some_settings"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "ant.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("some_settings", "some_settings.ant"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    if said is None:
        found = settings_by_name("some_settings", StageSettings)
        assert {name: kind.__module__ for name, kind in found.items()} == {"ant": "some_settings.ant"}
    else:
        with pytest.raises(TypeError, match=said):
            settings_by_name("some_settings", StageSettings)
    for module in ("some_settings", "some_settings.ant"):
        monkeypatch.delitem(sys.modules, module, raising=False)


def test_an_unknown_part_is_refused_with_the_choices() -> None:
    with pytest.raises(
        ValueError, match=r"no 'forest' in tasks\.models; choose from: alexnet, .*logistic, .*random_forest"
    ):
        part("tasks.models", "forest")
    with pytest.raises(ValueError, match=r"no '\.\.settings' in tasks\.models"):
        part("tasks.models", "..settings")
