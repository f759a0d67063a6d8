"""What every network of pictures promises: a new file in ``tasks/models`` is tried by all of these without more."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import get_model

from storage.deep import NetworkCard, load_network, save_network
from tasks.deep.networks import FittedNetwork, predict_network
from tasks.deep.saliency import saliency
from tasks.deep.transfer import BuiltNetwork, TransferSettings, weights_file
from tasks.discover import MODELS, part, part_names

NETWORKS = part_names(MODELS, with_function="build_network")
FROM_IMAGENET = tuple(name for name in NETWORKS if issubclass(part(MODELS, name).Settings, TransferSettings))
KINDS = [(name, grey) for name in NETWORKS for grey in (False, True)]


@pytest.fixture(autouse=True)
def _one_thread_and_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def settings(name: str, **options: Any) -> Any:
    """Settings of a network, with a small classifier where its size may be chosen."""
    own = part(MODELS, name).Settings
    small = {"hidden": 32} if issubclass(own, TransferSettings) else {}
    return own(**{**small, **options})


def build(name: str, *, classes: int = 3, seed: int = 0, **options: Any) -> BuiltNetwork:
    built: BuiltNetwork = part(MODELS, name).build_network(settings(name, **options), classes=classes, seed=seed)
    return built


def shown(name: str, count: int = 2, *, wider: int = 0) -> torch.Tensor:
    """Noise at the smallest size that the network takes, or so many pixels wider."""
    px = part(MODELS, name).SMALLEST_PX
    return torch.randn(count, 3, px, px + wider, generator=torch.Generator().manual_seed(1))


def logits(built: BuiltNetwork, inputs: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = built.network.eval()(inputs)
    return found


def grey(inputs: torch.Tensor) -> torch.Tensor:
    return inputs[:, :1].expand_as(inputs)


def teach(built: BuiltNetwork, inputs: torch.Tensor) -> None:
    """One step of gradient descent on what may change, in the mode that the engine sets before each epoch."""
    trained = [parameter for parameter in built.network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    built.network.train()
    torch.manual_seed(0)
    torch.nn.functional.cross_entropy(built.network(inputs), torch.tensor([0, 1])).backward()
    optimizer.step()


@cache
def shared(name: str, grey: bool = False) -> BuiltNetwork:
    """Built once, for tests that only look at it."""
    return build(name, grey=grey)


@cache
def fitted_once(name: str, grey: bool) -> FittedNetwork:
    """After a step of learning, so that no number is as it was made; it sees twice the smallest size."""
    built = build(name, grey=grey)
    teach(built, shown(name))
    return FittedNetwork(
        state={one: value.detach() for one, value in built.network.state_dict().items()},
        model=name,
        options=settings(name, grey=grey).model_dump(mode="json"),
        classes=3,
        input_px=2 * part(MODELS, name).SMALLEST_PX,
        mean=(0.5, 0.5, 0.5),
        std=(0.3, 0.3, 0.3),
        temperature=1.0,
        average_flips=False,
        pictures=2,
        held_out=0,
        history=(),
        note=built.note,
    )


@cache
def originals(name: str) -> tuple[str, dict[str, torch.Tensor]]:
    """Stands for ImageNet's weights: torchvision's own names and shapes, and numbers that nothing else makes.

    With them what torchvision calls the network, and without its classifier: half a gigabyte that nobody looks at.
    """
    theirs = settings(name).original.cached.split("-")[0]
    with torch.device("meta"):
        state = get_model(theirs).state_dict()
    generator = torch.Generator().manual_seed(7)

    def numbers(shape: torch.Size) -> torch.Tensor:
        if len(shape) == 1:  # biases, and what normalization scales by
            return torch.rand(shape, generator=generator) + 0.5
        return torch.randn(shape, generator=generator) * (2 / shape[1:].numel()) ** 0.5

    return theirs, {
        one: numbers(value.shape)
        for one, value in state.items()
        if not one.startswith(("classifier.", "fc.")) and value.ndim
    }


@pytest.fixture
def weights(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Weights of the network that the test's parameter names, saved by the test itself."""
    save_file(originals(request.param)[1], tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors"


def test_the_networks_of_the_article_are_there() -> None:
    assert {"alexnet", "vgg", "resnet18", "small_cnn"} <= set(NETWORKS)
    assert {"alexnet", "vgg", "resnet18"} <= set(FROM_IMAGENET)


@pytest.mark.parametrize(("name", "grey"), KINDS)
@pytest.mark.parametrize("wider", [0, 9])
def test_the_smallest_picture_and_one_that_is_no_square_give_a_logit_for_each_class(
    name: str, grey: bool, wider: int
) -> None:
    found = logits(shared(name, grey), shown(name, wider=wider))
    assert found.shape == (2, 3)
    assert torch.isfinite(found).all()
    assert not torch.allclose(found.sum(dim=1), torch.ones(2), atol=0.1)  # neither softmax nor sigmoid


@pytest.mark.parametrize("name", NETWORKS)
def test_it_has_features_and_a_classifier_and_nothing_else_that_learns(name: str) -> None:
    children = dict(shared(name).network.named_children())
    learning = {kind for kind, child in children.items() if any(True for _ in child.parameters())}
    assert learning == {"features", "classifier"}


@pytest.mark.parametrize(("name", "grey"), KINDS)
def test_everything_may_change_and_all_weights_do_in_one_step(name: str, grey: bool) -> None:
    built = build(name, grey=grey)
    before = {one: value.detach().clone() for one, value in built.network.named_parameters()}
    assert set(built.trained) == set(before)
    teach(built, shown(name))
    # A bias that normalization takes away again stays as it is.
    assert all(not torch.equal(value, before[one]) for one, value in built.network.named_parameters() if value.ndim > 1)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_start_depends_on_the_seed_alone(name: str) -> None:
    before = torch.random.get_rng_state()
    one = shared(name)
    torch.random.set_rng_state(before)
    torch.rand(5)
    state = torch.random.get_rng_state()
    other, another = build(name, seed=0, grey=False), build(name, seed=4, grey=False)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(one.network.parameters(), other.network.parameters(), strict=True))
    assert not torch.equal(logits(one, shown(name)), logits(another, shown(name)))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_single_class_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="at least 2 classes; got 1"):
        build(name, classes=1)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_grey_network_looks_at_one_channel_the_mean_of_those_shown(name: str) -> None:
    built = shared(name, grey=True)
    first = next(layer for layer in built.network.modules() if isinstance(layer, torch.nn.Conv2d))
    assert first.weight.shape[1] == first.in_channels == 1
    inputs = shown(name)
    mean = inputs.mean(dim=1, keepdim=True)
    assert torch.equal(logits(built, inputs), logits(built, mean))
    torch.testing.assert_close(logits(built, inputs), logits(built, mean.expand_as(inputs)))


@pytest.mark.parametrize(("name", "grey"), KINDS)
def test_a_saved_network_predicts_the_same_after_reading(name: str, grey: bool, tmp_path: Path) -> None:
    fitted = fitted_once(name, grey)
    names = ("a", "b", "c")
    save_network(tmp_path, fitted.state, NetworkCard(**fitted.facts(), class_names=names))
    state, card = load_network(tmp_path)
    read = FittedNetwork.from_facts(state, card.facts())
    pictures = np.random.default_rng(0).integers(0, 256, size=(2, 70, 70, 3), dtype=np.uint8)
    assert np.array_equal(predict_network(read, pictures), predict_network(fitted, pictures))


@pytest.mark.parametrize(("name", "grey"), KINDS)
def test_grad_cam_says_where_it_looked(name: str, grey: bool) -> None:
    fitted = fitted_once(name, grey)
    px = fitted.input_px
    picture = np.random.default_rng(0).integers(0, 256, size=(px, px, 3), dtype=np.uint8)
    seen = [saliency(fitted, picture, label=label) for label in range(fitted.classes)]
    assert all(one.shape == (px, px) and one.min() >= 0 for one in seen)
    assert max(float(one.max()) for one in seen) == 1.0  # something speaks for one of the classes
    assert any(np.ptp(one) > 0 for one in seen)  # and not from everywhere alike


@pytest.mark.parametrize("name", NETWORKS)
def test_without_weights_there_is_no_digest_and_the_note_says_so(name: str) -> None:
    built = shared(name)
    assert not built.pretrained
    assert built.blocks == ()
    assert "without ImageNet weights" in built.note
    assert part(MODELS, name).weights_digest(settings(name)) is None


@pytest.mark.parametrize(("name", "weights"), [(name, name) for name in FROM_IMAGENET], indirect=["weights"])
class TestWithWeights:
    def test_the_features_are_those_of_the_file_and_part_of_the_key(self, name: str, weights: Path) -> None:
        built = build(name, weights=weights)
        assert built.pretrained
        expected = originals(name)[1].values()  # in the order of the layers, as ours
        found = [
            value for one, value in built.network.state_dict().items() if one.startswith("features.") and value.ndim
        ]
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
        digest = part(MODELS, name).weights_digest(settings(name, weights=weights))
        assert digest is not None
        assert len(digest) == 64

    def test_the_cache_of_torchvision_is_looked_into_unless_a_file_is_named(
        self, name: str, weights: Path, tmp_path: Path
    ) -> None:
        theirs, state = originals(name)
        place = tmp_path / "torch" / "hub" / "checkpoints" / f"{theirs}-0123abcd.pth"
        place.parent.mkdir(parents=True)
        torch.save(state, place)
        assert f"ImageNet weights {place.name}, frozen" in build(name).note
        assert weights_file(settings(name, weights=weights)) == weights

    def test_what_is_frozen_does_not_move_and_its_statistics_neither(self, name: str, weights: Path) -> None:
        built = build(name, weights=weights)
        assert built.blocks == ()
        before = {one: value.clone() for one, value in built.network.state_dict().items()}
        teach(built, shown(name))
        after = built.network.state_dict()
        moved = {one for one in before if not torch.equal(before[one], after[one])}
        assert moved == set(built.trained)
        assert all(one.startswith("classifier.") for one in moved)

    def test_blocks_are_freed_from_the_last_to_the_first_until_all_learns(self, name: str, weights: Path) -> None:
        built = build(name, weights=weights, freeze="progressive")
        assert all(one.startswith("classifier.") for one in built.trained)
        free = {one for one, value in built.network.named_parameters() if value.requires_grad}
        order = [one for one, _ in built.network.get_submodule("features").named_parameters(prefix="features")]
        for block in built.blocks:
            built.network.get_submodule(block).requires_grad_(True)
            newly = {one for one, value in built.network.named_parameters() if value.requires_grad} - free
            assert newly
            assert {order.index(one) for one in newly} == set(range(len(order) - len(newly), len(order)))
            order = order[: -len(newly)]
            free |= newly
        assert not order
        before = {one: value.clone() for one, value in built.network.state_dict().items()}
        teach(built, shown(name))
        after = built.network.state_dict()
        # A bias that normalization takes away again stays as it is.
        assert all(not torch.equal(before[one], after[one]) for one in before if before[one].ndim > 1)
        assert all(not torch.equal(before[one], after[one]) for one in before if "running" in one)

    def test_nothing_is_frozen_when_that_is_asked(self, name: str, weights: Path) -> None:
        built = build(name, weights=weights, freeze="none")
        assert set(built.trained) == {one for one, _ in built.network.named_parameters()}
        assert "trained on" in built.note

    def test_grey_sums_the_kernels_so_that_a_grey_picture_gives_the_same_logits(self, name: str, weights: Path) -> None:
        colour, one = build(name, weights=weights), build(name, weights=weights, grey=True)
        with torch.no_grad():  # the new layers come from other places in the same random numbers
            for ours, theirs in zip(
                one.network.get_submodule("classifier").parameters(),
                colour.network.get_submodule("classifier").parameters(),
                strict=True,
            ):
                ours.copy_(theirs)
        inputs = grey(shown(name))
        torch.testing.assert_close(logits(one, inputs[:, :1]), logits(colour, inputs), rtol=1e-4, atol=1e-5)

    def test_weights_of_another_network_are_refused(self, name: str, weights: Path, tmp_path: Path) -> None:
        del weights
        save_file({"conv9.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
        with pytest.raises(ValueError, match=r"other\.safetensors holds no weights of .* missing"):
            build(name, weights=tmp_path / "other.safetensors")
