"""Models of pictures from the store: the one file that opens it and is no task, since three stages load them alike."""

from __future__ import annotations

from storage.artifacts import ArtifactStore
from storage.picture_cards import MODEL, CombinationCard, load_picture_card
from storage.verify import open_model
from tasks.picture_model import Combination, NetworkModel, PictureModel, PipelineModel


def needs_features(store: ArtifactStore, key: str) -> bool:
    """Whether a model of pictures, or a member of it, asks for hand-made features: its card says so."""
    from storage.deep import CARD as NETWORK_CARD

    folder = store.open("train", key)
    if (folder / NETWORK_CARD).is_file():
        return False
    card = load_picture_card(folder)
    if isinstance(card, CombinationCard):
        return any(needs_features(store, member) for member in card.members.values())
    return card.columns is not None


def load_picture_model(store: ArtifactStore, key: str) -> PictureModel:
    """The model of an artifact of ``train``. Raises ``StoreError`` when it, or a member, is damaged or was changed."""
    from storage.deep import CARD as NETWORK_CARD

    folder = open_model(store, key)
    if (folder / NETWORK_CARD).is_file():
        from storage.deep import load_network
        from tasks.deep.networks import FittedNetwork

        state, network = load_network(folder)
        return NetworkModel(FittedNetwork.from_facts(state, network.facts()), network.class_names)
    card = load_picture_card(folder)
    if isinstance(card, CombinationCard):
        members = {name: load_picture_model(store, member) for name, member in card.members.items()}
        return Combination(members, card.weights, card.class_names)
    from storage.classical import load_model

    return PipelineModel(card.model, load_model(folder / MODEL), card.class_names, card.columns, card.temperature)
