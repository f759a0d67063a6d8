"""``lesionflow predict``: one picture, at once."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.console import StoreFolder, console, exit_codes, open_store, print_table


def predict(
    image: Annotated[
        Path, typer.Argument(help="A picture: JPEG, PNG, BMP, TIFF or WebP.", dir_okay=False, exists=True)
    ],
    store: StoreFolder,
    model: Annotated[
        str | None, typer.Option(help="Name of the model; not needed while the store has only one.")
    ] = None,
    saliency: Annotated[
        Path | None, typer.Option(help="Where to write the picture with what spoke for the class (PNG).")
    ] = None,
) -> None:
    """Say the class of one picture, with probabilities and a picture of what spoke for it."""
    from rich.markup import escape

    from flows.predict import classify_picture
    from tasks.report.gallery import glowing, png

    with exit_codes():
        found = classify_picture(image, store=open_store(store).root, model=model)
        print_table(
            f"{escape(found.label)} ({found.index})",
            ["class", "probability"],
            [[escape(name), f"{p:.3f}"] for name, p in sorted(found.probabilities.items(), key=lambda pair: -pair[1])],
        )
        if found.saliency is None:
            console.print("saliency: none, since no network is among the models", highlight=False)
        else:
            # The picture's own name may be a patient's.
            target = saliency or Path.cwd() / f"saliency-{sha256(image.read_bytes()).hexdigest()[:12]}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(png(glowing(found.framed, found.saliency)))
            console.print(f"saliency: {target}", highlight=False, markup=False, soft_wrap=True)
        console.print(f"model:    {found.model[:12]} · research use only", highlight=False)
