"""``lesionflow models``: which model goes by which name, and which one is in production."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.console import StoreFolder, console, exit_codes, open_store, print_table

if TYPE_CHECKING:
    from storage.models import RegisteredModel

app = typer.Typer(help="The models of a store: list, show, promote, rollback.", no_args_is_help=True)

CARDS = ("card.json", "network.json")
"""What a classical model, several models together, and a network say of themselves."""

ModelName = Annotated[str, typer.Argument(help="Name of the model, as its study is called.")]


@app.command("list")
def list_models(store: StoreFolder) -> None:
    """List the models and what their aliases stand for."""
    from storage.models import ModelRegistry

    with exit_codes():
        registry = ModelRegistry(open_store(store).root)
        rows = [
            [model.name, alias, key[:12], _moved(model, alias)]
            for model in map(registry.get, registry.names())
            for alias, key in sorted(model.aliases.items())
        ]
        print_table("Models", ["name", "alias", "key", "since (UTC)"], rows)


@app.command()
def show(
    name: ModelName,
    store: StoreFolder,
    key: Annotated[str, typer.Option(help="Key, its beginning, or an alias.")] = "production",
) -> None:
    """Print a model as JSON: key, aliases, history, its card (data, metrics, use, limits), and what was fitted."""
    from storage.models import ModelRegistry

    with exit_codes():
        found = open_store(store)
        model = ModelRegistry(found.root).get(name)
        whole = dict(model.aliases).get(key) or model.resolve(key)  # type: ignore[call-overload]
        folder = found.open("train", whole)
        [fitted] = [json.loads(path.read_text()) for path in folder.glob("*.json") if path.name in CARDS]
        about = model.model_dump(mode="json", include={"name", "aliases", "history"})
        card = model.cards[whole].model_dump(mode="json") if whole in model.cards else None
        print(json.dumps({**about, "key": whole, "card": card, "fitted": fitted}, indent=1))  # noqa: T201 - plain JSON, for pipes


@app.command()
def promote(
    name: ModelName,
    store: StoreFolder,
    key: Annotated[
        str | None, typer.Argument(help="Key or its beginning; by default the candidate of the last run.")
    ] = None,
) -> None:
    """Put a model into production: from now on `screen` and the nightly run use it."""
    from storage.models import ModelRegistry
    from storage.verify import open_model

    with exit_codes():
        found = open_store(store)
        registry = ModelRegistry(found.root)
        model = registry.get(name)
        whole = model.resolve(key or model.aliases["candidate"])
        open_model(found, whole)  # raises when it was collected, or is not what was committed
        _tell(registry.promote(name, whole))


@app.command()
def rollback(name: ModelName, store: StoreFolder) -> None:
    """Give production back to the model that held it before; once more, to the one before that."""
    from storage.models import ModelRegistry
    from storage.verify import open_model

    with exit_codes():
        found = open_store(store)
        registry = ModelRegistry(found.root)
        open_model(found, registry.previous(name))
        _tell(registry.rollback(name))


def _moved(model: RegisteredModel, alias: str) -> str:
    return max(f"{move.when:%Y-%m-%d %H:%M}" for move in model.history if move.alias == alias)


def _tell(model: RegisteredModel) -> None:
    console.print(f"{model.name}: production is {model.aliases['production'][:12]}", highlight=False)
