"""Operations found by name: every file of these folders that has ``class Settings(Step)`` is one."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

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
        When a file has no ``Settings``, or it does not bear the file's name.
    """
    found: dict[str, type[Step]] = {}
    for folder in FOLDERS:
        package = importlib.import_module(f"tasks.imaging.{folder}")
        for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
            kind = getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "Settings", None)
            if not (isinstance(kind, type) and issubclass(kind, Step)):
                raise TypeError(f"{package.__name__}.{module.name}: expected a class Settings(Step)")
            if kind.model_fields["name"].default != module.name:
                raise TypeError(f"{package.__name__}.{module.name}: expected name = {module.name!r}")
            if module.name in found:
                raise TypeError(f"two operations are called {module.name!r}")
            found[module.name] = kind
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
