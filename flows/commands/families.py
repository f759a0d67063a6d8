"""``lesionflow families``: what a study can measure."""

from __future__ import annotations

import inspect
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.console import console, exit_codes, print_table

if TYPE_CHECKING:
    from tasks.settings import StageSettings


def families(
    name: Annotated[
        str | None, typer.Argument(help="A family or a filter, to see all of it; a list by default.")
    ] = None,
) -> None:
    """List the feature families and filters that a study may name, or show one of them with its features."""
    from rich.markup import escape

    from tasks.extract.registry import family_names, load_family
    from tasks.imaging.response import filters

    with exit_codes():
        if name is None:
            rows = [
                [one, str(len(load_family(one).features(load_family(one).settings()))), escape(load_family(one).says)]
                for one in family_names()
            ]
            print_table("Feature families", ["name", "features", "what they are"], rows)
            rows = [[one, escape(_says(kind))] for one, kind in filters().items()]
            print_table("Filters, before any family: \\[\\[extract.filters]]", ["name", "what it answers to"], rows)
        elif name in family_names():
            family = load_family(name)
            chosen = family.settings()
            console.print(family.says, highlight=False, markup=False)
            _print_settings(name, chosen)
            rows = [
                [feature, info.ibsi_code or "", info.unit, escape(info.description)]
                for feature, info in family.features(chosen).items()
            ]
            print_table("Features", ["name", "IBSI", "unit", "what it is"], rows)
        elif name in filters():
            kind = filters()[name]
            console.print(_says(kind), highlight=False, markup=False)
            console.print(inspect.cleandoc(kind.__doc__ or ""), highlight=False, markup=False)
            _print_settings(name, kind(name=name))
        else:
            known = ", ".join([*family_names(), *filters()])
            raise typer.BadParameter(f"no family or filter '{name}'; choose from: {known}")


def _print_settings(name: str, settings: StageSettings) -> None:
    from rich.markup import escape

    rows = [[key, escape(json.dumps(value))] for key, value in settings.model_dump(mode="json").items()]
    print_table(name, ["setting", "default"], rows)


def _says(kind: type) -> str:
    """The first line of the file of a filter."""
    return (sys.modules[kind.__module__].__doc__ or "").partition("\n")[0]
