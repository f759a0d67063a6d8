"""Networks on disk: ``network.safetensors`` with the numbers, ``network.json`` with what they mean; never pickle.

safetensors holds named arrays and nothing that could run. The card beside it says how to build the network that takes
them, how to show it a picture, and which tensors there have to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from storage.artifacts import write_atomically
from storage.errors import StoreError

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "network.safetensors"
CARD = "network.json"
FORMAT = 1

Spread = Annotated[float, Field(gt=0)]


class NetworkCard(BaseModel):
    """What a saved network is; written once, refused when a later version of this software would read it otherwise.

    Attributes
    ----------
    model, options
        The file of ``tasks/models`` that builds it, and its settings.
    class_names
        One for each logit, in their order.
    input_px
        Side of the square that it sees.
    mean, std
        Per channel (red, green, blue), of intensities in 0..1.
    temperature
        By which logits are divided before the softmax.
    average_flips
        Whether the logits of a picture and of its mirror image are averaged.
    pictures, held_out
        How many pictures it learned from, and how many were kept out for the temperature.
    synthetic
        How many synthetic pictures it learned from beside these.
    inner_loss
        Calibrated cross-entropy in nats on the pictures kept out; ``None`` without any.
    history
        One record per epoch.
    note
        One sentence on where its first weights came from.
    phases
        How each phase of its training ended.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    options: dict[str, JsonValue]
    classes: int = Field(ge=2)
    class_names: tuple[str, ...]
    input_px: int = Field(ge=1)
    mean: tuple[float, float, float]
    std: tuple[Spread, Spread, Spread]
    temperature: float = Field(gt=0)
    average_flips: bool
    pictures: int = Field(ge=0)
    held_out: int = Field(ge=0)
    history: tuple[dict[str, JsonValue], ...]
    note: str
    phases: tuple[dict[str, JsonValue], ...] = ()
    synthetic: int = Field(default=0, ge=0)
    inner_loss: float | None = None

    @model_validator(mode="after")
    def _names_fit(self) -> NetworkCard:
        if len(set(self.class_names)) != self.classes:
            raise ValueError(f"{self.classes} classes need as many different names; got {list(self.class_names)}")
        return self

    def facts(self) -> dict[str, Any]:
        """Everything but the names of the classes: what a fitted network is made of, beside its tensors."""
        return self.model_dump(exclude={"class_names"})


Card = TypeVar("Card", bound=BaseModel)


class _Saved(BaseModel, Generic[Card]):
    """The JSON file: the card, and which tensors belong to it, by name and shape."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1]
    card: Card
    tensors: dict[str, tuple[int, ...]]


def save_network(folder: Path, state: Mapping[str, Tensor], card: BaseModel) -> None:
    """Write a network's tensors and its card into an existing folder.

    Parameters
    ----------
    state
        Finite float32 tensors; single int64 numbers too, as batch normalization counts its steps.
    card
        A `NetworkCard`, or the card of another kind of network, which `load_saved` is then asked for.

    Raises
    ------
    StoreError
        For a tensor of another kind, or one that holds something else than finite numbers.
    """
    import torch
    from safetensors.torch import save_file

    for name, value in state.items():
        if str(value.dtype) not in _kinds(tuple(value.shape)) or not bool(torch.isfinite(value).all()):
            raise StoreError(f"{name} cannot be saved: expected finite float32 numbers; got {value.dtype}")
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    saved: _Saved[BaseModel] = _Saved(format=FORMAT, card=card, tensors=shapes)
    save_file({name: value.detach().cpu().contiguous() for name, value in state.items()}, folder / WEIGHTS)
    write_atomically(folder / CARD, saved.model_dump_json(indent=1).encode())


def load_card(folder: Path) -> NetworkCard:
    """What a saved network is, without its tensors and without torch. Raises ``StoreError`` as `load_network` does."""
    return _saved(folder, NetworkCard).card


def load_network(folder: Path) -> tuple[dict[str, Tensor], NetworkCard]:
    """A network's tensors, on the CPU, and its card. Raises ``StoreError`` as `load_saved` does."""
    return load_saved(folder, NetworkCard)


def load_saved(folder: Path, kind: type[Card]) -> tuple[dict[str, Tensor], Card]:
    """A network's tensors, on the CPU, and its card of this kind.

    Raises
    ------
    StoreError
        When a file is absent or damaged, of another format, holds keys that nobody named, tensors other than the
        card's, or numbers that are not finite: a network of these would answer with its first class.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    saved = _saved(folder, kind)
    try:
        # Not load_file: it maps the file, and a file that is then cut by others ends the process with SIGBUS.
        state: dict[str, Tensor] = load((folder / WEIGHTS).read_bytes())
    except (OSError, SafetensorError) as error:
        raise StoreError(f"{WEIGHTS} cannot be read: {error}") from error
    if unknown := sorted(set(state) - set(saved.tensors)):
        raise StoreError(f"{WEIGHTS} holds tensors that {CARD} does not name: {', '.join(unknown)}")
    if missing := sorted(set(saved.tensors) - set(state)):
        raise StoreError(f"{WEIGHTS} lacks tensors that {CARD} names: {', '.join(missing)}")
    for name, value in state.items():
        if str(value.dtype) not in _kinds(saved.tensors[name]) or tuple(value.shape) != saved.tensors[name]:
            raise StoreError(
                f"{WEIGHTS} does not fit {CARD}: {name} is {value.dtype} of shape {tuple(value.shape)}; "
                f"expected torch.float32 of shape {saved.tensors[name]}"
            )
        if not bool(torch.isfinite(value).all()):
            raise StoreError(f"{WEIGHTS} holds numbers in {name} that are not finite")
    return state, saved.card


def _kinds(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Which numbers a tensor of this shape may hold."""
    return ("torch.float32",) if shape else ("torch.float32", "torch.int64")


def _saved(folder: Path, kind: type[Card]) -> _Saved[Card]:
    try:
        return _Saved[kind].model_validate_json((folder / CARD).read_bytes())  # type: ignore[valid-type]
    except OSError as error:
        raise StoreError(f"{CARD} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise StoreError(f"{CARD} is not a network's card of format {FORMAT}: {said}") from error
