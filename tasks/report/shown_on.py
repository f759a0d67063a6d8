"""On which examples each operation is shown, and with which settings: where a name is missing, its folder decides."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.imaging.step import Step
from tasks.report.demonstration import Shown
from tasks.report.example import Example, ExampleKind

BY_FOLDER: Mapping[str, Shown] = {
    "repair": Shown(("CT", "MR", "picture")),
    "denoise": Shown(("CT", "ultrasound", "picture")),
    "edges": Shown(("CT", "ultrasound", "picture")),
    "contrast": Shown(("ultrasound", "picture", "MR")),
    "standardize": Shown(("MR", "CT", "PET"), overview=True),
    "geometry": Shown(("CT", "MR", "picture"), overview=True),
    "fourier": Shown(("MR", "CT", "picture")),
}

BY_NAME: Mapping[str, tuple[Shown, ...]] = {}
"""Operations that need other images or settings than their folder's."""

IN_COLOUR: tuple[ExampleKind, ...] = ("retina",)


def shown_on(name: str, kind: type[Step]) -> tuple[Shown, ...]:
    """How an operation is shown."""
    return BY_NAME.get(name) or (BY_FOLDER[folder_of(kind)],)


def folder_of(kind: type[Step]) -> str:
    """The folder of operations that it lies in."""
    return kind.__module__.split(".")[2]


def example_for(shown: Shown, kind: type[Step], examples: Mapping[ExampleKind, list[Example]]) -> Example | None:
    """The first example of the first kind that is there and that the operation works on; ``None`` if there is none."""
    from tasks.imaging.step import kind_of

    for wanted in (*shown.on, *examples):
        for example in examples.get(wanted, []):
            if kind_of(example.array, example.spacing_mm) in kind.kinds:
                return example
    return None
