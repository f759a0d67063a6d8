"""The gallery: every operation on images at work, before and after, on one HTML page that holds all it shows."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from tasks.imaging.step import Step
from tasks.report.demonstration import Panel, demonstrate
from tasks.report.example import EXAMPLE_KINDS, Example, ExampleKind
from tasks.report.plots import TEMPLATES, environment
from tasks.report.shown_on import example_for, folder_of, shown_on
from tasks.report.strips import Strip, strips

FOLDER_NAMES: Mapping[str, str] = {
    "repair": "Repair",
    "denoise": "Denoise",
    "edges": "Edges and sharpening",
    "contrast": "Contrast, brightness and colour",
    "standardize": "Standardization",
    "geometry": "Geometry",
    "fourier": "Fourier",
}


@dataclass(frozen=True)
class Operation:
    """One operation on the page; without panels there was no example that it works on."""

    name: str
    sentence: Markup
    panels: tuple[Panel, ...]

    @property
    def failed(self) -> bool:
        """Whether any panel shows a fault."""
        return any(panel.fault for panel in self.panels)


@dataclass(frozen=True)
class Gallery:
    """What the page shows.

    Attributes
    ----------
    folders
        Operations by the folder that they lie in.
    absent
        Kinds of example that were not found.
    strips
        What is no operation.
    organs
        Organs, fields and candidates, see :mod:`tasks.report.organ_strips`.
    """

    folders: Mapping[str, Sequence[Operation]]
    absent: Sequence[ExampleKind]
    strips: Sequence[Strip] = ()
    organs: Sequence[Strip] = ()

    @property
    def failed(self) -> list[str]:
        """Names of what failed."""
        rows = (*self.strips, *self.organs)
        return [o.name for o in self.operations if o.failed] + [strip.name for strip in rows if strip.fault]

    @property
    def operations(self) -> list[Operation]:
        """All of them."""
        return [operation for operations in self.folders.values() for operation in operations]


def make_gallery(
    steps: Mapping[str, type[Step]],
    examples: Mapping[ExampleKind, list[Example]],
    *,
    tell: Callable[[str], object] = lambda _: None,
) -> Gallery:
    """Show every operation at work.

    Parameters
    ----------
    steps
        Operations by name, as :func:`tasks.imaging.catalog.steps` has them.
    examples
        By kind, perhaps none of some.
    tell
        Called with the name of each operation before it is shown.
    """
    folders: dict[str, list[Operation]] = {}
    for name, kind in steps.items():
        tell(name)
        chosen = [(shown, example_for(shown, kind, examples)) for shown in shown_on(name, kind)]
        panels = tuple(demonstrate(kind, shown, example) for shown, example in chosen if example is not None)
        folders.setdefault(folder_of(kind), []).append(Operation(name, first_sentence(kind), panels))
    tell("pyramids and maps")
    volume = next((examples[kind][0] for kind in ("CT", "MR", "PET") if examples.get(kind)), None)
    absent = [kind for kind in EXAMPLE_KINDS if not examples.get(kind)]
    return Gallery(folders, absent, tuple(strips(volume)) if volume is not None else ())


def render_gallery(gallery: Gallery) -> str:
    """The page as HTML, to be written as UTF-8."""
    style = "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in ("page.css", "steps_gallery.css"))
    return (
        environment()
        .get_template("steps_gallery.html.j2")
        .render(gallery=gallery, style=Markup(style), names=FOLDER_NAMES)  # noqa: S704 - our own files
    )


def first_sentence(kind: type[Step]) -> Markup:
    """What an operation says of itself first, with ``code`` as such."""
    text = " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
    sentence = re.split(r"(?<=[.!?])\s+(?=[A-Z])", text)[0]
    marked = re.sub(r"``(.+?)``", r"<code>\1</code>", str(escape(re.sub(r":\w+:`~?(.+?)`", r"``\1``", sentence))))
    return Markup(marked)  # noqa: S704 - escaped above
