"""Commands that describe: ``settings``, ``schema``, ``steps``."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.console import StudyFile, console, exit_codes, print_table

if TYPE_CHECKING:
    from tasks.imaging.step import Step


def settings(study: StudyFile) -> None:
    """Print a study's settings with every default filled in, as JSON."""
    from flows.settings import load_study

    with exit_codes():
        print(load_study(study).model_dump_json(indent=2))  # noqa: T201 - plain JSON on stdout, for pipes


def schema(
    what: Annotated[
        str, typer.Argument(help="study, picture_study, segmentation_study, summary, finding, commit; all by default.")
    ] = "all",
) -> None:
    """Print the JSON Schemas of study files, the run summary, findings and commit markers."""
    from pydantic import BaseModel

    from flows.settings import PictureStudySettings, SegmentationStudySettings, StudySettings
    from flows.summary import RunSummary
    from storage.artifacts import Commit
    from storage.finding import Finding

    models: dict[str, type[BaseModel]] = {
        "study": StudySettings,
        "picture_study": PictureStudySettings,
        "segmentation_study": SegmentationStudySettings,
        "summary": RunSummary,
        "finding": Finding,
        "commit": Commit,
    }
    if what != "all" and what not in models:
        raise typer.BadParameter(f"'{what}'; choose from: all, {', '.join(models)}")
    schemas = {name: model.model_json_schema() for name, model in models.items()}
    print(json.dumps(schemas if what == "all" else schemas[what], indent=2))  # noqa: T201 - plain JSON on stdout, for pipes


def steps(
    name: Annotated[str | None, typer.Argument(help="An operation, to see its settings; all by default.")] = None,
) -> None:
    """List the operations that ``[[normalize.steps]]`` may name, or the settings of one of them."""
    from rich.markup import escape

    from tasks.imaging.catalog import step_named
    from tasks.imaging.catalog import steps as every_step

    with exit_codes():
        if name is None:
            rows = [
                [kind.__module__.split(".")[2], step, escape(_first_line(kind))] for step, kind in every_step().items()
            ]
            print_table("Operations", ["", "name", "what it does"], rows)
            return
        try:
            kind = step_named(name)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        console.print(inspect.cleandoc(kind.__doc__ or ""), highlight=False, markup=False)
        if kind.whole:
            console.print("Needs the whole image at once.", highlight=False)
        chosen = kind(name=name).model_dump(mode="json")
        print_table(name, ["setting", "default"], [[key, escape(json.dumps(value))] for key, value in chosen.items()])


def _first_line(kind: type[Step]) -> str:
    return inspect.cleandoc(kind.__doc__ or "").partition("\n")[0]
