"""The ``lesionflow`` command.

Exit codes: 0 done, 3 done with exclusions, 2 bad settings or input, 1 failed, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import atexit
from gc import freeze, set_threshold

import typer

from flows.commands import (
    compliance,
    describe,
    families,
    features,
    gallery,
    models,
    normalize,
    predict,
    running,
    services,
    similar,
    stores,
)

app = typer.Typer(
    help="A hospital's night shift for medical images: DICOM in, lesion findings and their evidence out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for command in (
    running.run,
    running.screen,
    predict.predict,
    normalize.normalize,
    similar.similar,
    features.features,
    stores.ledger,
    stores.verify,
    stores.gc,
    services.doctor,
    services.up,
    services.status,
    services.down,
    describe.settings,
    describe.schema,
    describe.steps,
    families.families,
    gallery.gallery,
):
    app.command()(command)
app.add_typer(models.app, name="models")
app.add_typer(compliance.app, name="compliance")


def main() -> None:
    """Entry point of the console script."""
    set_threshold(50_000)  # importing makes a million objects that stay: looking through them again costs 0.7 s,
    atexit.register(freeze)  # and once more at the end 0.9 s
    app()
