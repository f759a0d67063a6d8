"""``lesionflow families``: what a study can measure."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.console import console, exit_codes, print_table

if TYPE_CHECKING:
    from tasks.extract.picture_registry import PictureFamily
    from tasks.extract.registry import Family
    from tasks.settings import StageSettings


def families(
    name: Annotated[
        str | None, typer.Argument(help="A family or a filter, to see all of it; a list by default.")
    ] = None,
) -> None:
    """List the feature families and filters that a study may name, or show one of them with its features."""
    from rich.markup import escape

    from tasks.extract.picture_registry import load_picture_family, picture_family_names
    from tasks.extract.registry import family_names, load_family
    from tasks.imaging.response import filters

    with exit_codes():
        of_volumes: list[Family | PictureFamily] = [load_family(one) for one in family_names()]
        of_pictures: list[Family | PictureFamily] = [load_picture_family(one) for one in picture_family_names()]
        if name is None:
            _print_families("Feature families", of_volumes)
            rows = [[one, escape(_says(kind))] for one, kind in filters().items()]
            print_table("Filters, before any family: \\[\\[extract.filters]]", ["name", "what it answers to"], rows)
            _print_families("Feature families of pictures", of_pictures)
            return
        found = [one for one in (*of_volumes, *of_pictures) if one.name == name]
        for family in found:
            _print_family(family, "of pictures" if family in of_pictures else "of volumes")
        if name in filters():
            kind = filters()[name]
            console.print(_says(kind), highlight=False, markup=False)
            console.print(inspect.cleandoc(kind.__doc__ or ""), highlight=False, markup=False)
            _print_settings(name, kind(name=name))
        elif not found:
            known = ", ".join(dict.fromkeys([*family_names(), *filters(), *picture_family_names()]))
            raise typer.BadParameter(f"no family or filter '{name}'; choose from: {known}")


def _print_families(title: str, families: Sequence[Family | PictureFamily]) -> None:
    from rich.markup import escape

    rows = [[one.name, str(len(one.features(one.settings()))), escape(one.says)] for one in families]
    print_table(title, ["name", "features", "what they are"], rows)


def _print_family(family: Family | PictureFamily, of: str) -> None:
    from rich.markup import escape

    chosen = family.settings()
    console.print(family.says, highlight=False, markup=False)
    _print_settings(f"{family.name} {of}", chosen)
    rows = [
        [feature, info.ibsi_code or "", info.unit, escape(info.description)]
        for feature, info in family.features(chosen).items()
    ]
    print_table("Features", ["name", "IBSI", "unit", "what it is"], rows)


def _print_settings(name: str, settings: StageSettings) -> None:
    from rich.markup import escape

    rows = [[key, escape(json.dumps(value))] for key, value in settings.model_dump(mode="json").items()]
    print_table(name, ["setting", "default"], rows)


def _says(kind: type) -> str:
    """The first line of the file of a filter."""
    return (sys.modules[kind.__module__].__doc__ or "").partition("\n")[0]
