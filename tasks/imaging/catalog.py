"""Operations found by name: every file of these folders that has ``class Settings(Step)`` is one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from tasks.discover import settings_by_name
from tasks.imaging.step import Kind, Step

NAMES: dict[Kind, str] = {"2-D": "slices", "3-D": "volumes", "colour": "coloured pictures"}

FOLDERS = ("repair", "denoise", "edges", "contrast", "standardize", "geometry", "fourier")
"""Folders of this room with operations, in the order in which an expert thinks of them."""


@cache
def steps() -> dict[str, type[Step]]:
    """Every operation by name, folder by folder.

    Raises
    ------
    TypeError
        When a file has no ``Settings(Step)`` that bears its name, or two have the same name.
    """
    found: dict[str, type[Step]] = {}
    for folder in FOLDERS:
        operations: dict[str, type[Step]] = settings_by_name(f"tasks.imaging.{folder}", Step)
        if twice := found.keys() & operations.keys():
            raise TypeError(f"two operations are called {', '.join(sorted(twice))}")
        found |= operations
    return found


def step_named(name: str) -> type[Step]:
    """The operation of this name.

    Raises
    ------
    ValueError
        For an unknown name: it names the nearest ones and lists the choices.
    """
    known = steps()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        meant = f" Did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"no operation '{name}'.{meant} Choose from: {', '.join(sorted(known))}")
    return known[name]


def modules_of(chain: Iterable[Step]) -> tuple[str, ...]:
    """The files of some steps, as dotted names, sorted: their source belongs to the key of what they make."""
    return tuple(sorted({type(step).__module__ for step in chain}))


def refuse_unfit(step: Step, kind: Kind) -> None:
    """``ValueError`` where a step is not for images of this kind, or not for images of patients as they are."""
    if step.for_augmentation:
        raise ValueError(f"'{step.name}' moves the patient: findings would lie elsewhere; it is for augmentation")
    if kind not in step.kinds:
        raise ValueError(f"'{step.name}' is for {' and '.join(sorted(step.kinds))} images, not for {NAMES[kind]}")


if TYPE_CHECKING:
    AnyStep = Step
else:
    AnyStep = Annotated[Union[tuple(steps().values())], Field(discriminator="name")]  # noqa: UP007 - made at run time
