"""Commands that describe: ``settings``, ``schema``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from flows.commands.console import StudyFile, exit_codes


def settings(study: StudyFile) -> None:
    """Print a study's settings with every default filled in, as JSON."""
    from flows.settings import load_study

    with exit_codes():
        print(load_study(study).model_dump_json(indent=2))  # noqa: T201 - plain JSON on stdout, for pipes


def schema(
    what: Annotated[
        str, typer.Argument(help="study, picture_study, summary, finding or commit; all by default.")
    ] = "all",
) -> None:
    """Print the JSON Schemas of study files, the run summary, findings and commit markers."""
    from pydantic import BaseModel

    from flows.settings import PictureStudySettings, StudySettings
    from flows.summary import RunSummary
    from storage.artifacts import Commit
    from storage.finding import Finding

    models: dict[str, type[BaseModel]] = {
        "study": StudySettings,
        "picture_study": PictureStudySettings,
        "summary": RunSummary,
        "finding": Finding,
        "commit": Commit,
    }
    if what != "all" and what not in models:
        raise typer.BadParameter(f"'{what}'; choose from: all, {', '.join(models)}")
    schemas = {name: model.model_json_schema() for name, model in models.items()}
    print(json.dumps(schemas if what == "all" else schemas[what], indent=2))  # noqa: T201 - plain JSON on stdout, for pipes
