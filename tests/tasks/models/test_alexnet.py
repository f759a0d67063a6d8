"""AlexNet by transfer: what is kept, what is replaced, what is trained, and which files are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torchvision.models import AlexNet

from tasks.models.alexnet import LAST_MAPS, SMALLEST_PX, BuiltNetwork, Settings, build_network, weights_file

FEATURES = [f"features.{layer}.{kind}" for layer in (0, 3, 6, 8, 10) for kind in ("weight", "bias")]
CLASSIFIER = [f"classifier.{layer}.{kind}" for layer in (1, 4, 6) for kind in ("weight", "bias")]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A torchvision cache of the test's own, without weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="session")
def imagenet() -> dict[str, torch.Tensor]:
    """Stands for ImageNet's weights: shapes of AlexNet's features, numbers that nothing else makes."""
    with torch.device("meta"):
        state = AlexNet().state_dict()
    generator = torch.Generator().manual_seed(7)
    return {
        name: torch.rand(value.shape, generator=generator)
        for name, value in state.items()
        if name.startswith("features.")
    } | {"classifier.6.weight": torch.zeros(1000, 1)}


def build(*, classes: int = 4, seed: int = 0, **options: Any) -> BuiltNetwork:
    return build_network(Settings(**{"hidden": 8, **options}), classes=classes, seed=seed)


def logits(built: BuiltNetwork, px: int = SMALLEST_PX) -> torch.Tensor:
    with torch.inference_mode():
        return built.network.eval()(torch.randn(3, 3, px, px, generator=torch.Generator().manual_seed(1)))


def test_the_classifier_has_two_hidden_layers_of_4096_each_after_dropout() -> None:
    classifier = build(hidden=Settings().hidden).network.classifier
    assert [type(layer).__name__ for layer in classifier] == [
        *("Dropout", "Linear", "ReLU"),
        *("Dropout", "Linear", "ReLU"),
        "Linear",
    ]
    assert [tuple(layer.weight.shape) for layer in classifier if hasattr(layer, "weight")] == [
        (4096, 256 * 6 * 6),
        (4096, 4096),
        (4, 4096),
    ]
    assert [layer.p for layer in classifier if hasattr(layer, "p")] == [0.5, 0.5]


def test_the_features_are_those_of_torchvision() -> None:
    with torch.device("meta"):
        original = AlexNet()
    assert str(build().network.features) == str(original.features)
    assert str(build().network.avgpool) == str(original.avgpool)


def test_a_small_and_a_large_picture_both_give_one_logit_for_each_class() -> None:
    built = build(classes=5)
    assert logits(built).shape == logits(built, 128).shape == (3, 5)
    with pytest.raises(RuntimeError, match="too small"):
        logits(built, SMALLEST_PX - 1)


def test_it_returns_logits_not_probabilities() -> None:
    found = logits(build())
    assert (found < 0).any()
    assert not torch.allclose(found.sum(dim=1), torch.ones(3), atol=0.1)


def test_the_last_maps_still_have_a_place() -> None:
    shapes = []
    built = build()
    built.network.get_submodule(LAST_MAPS).register_forward_hook(lambda *call: shapes.append(tuple(call[2].shape)))
    logits(built, 128)
    assert shapes == [(3, 256, 7, 7)]


@pytest.mark.usefixtures("empty_cache")
def test_without_weights_everything_is_trained_and_the_note_says_why() -> None:
    built = build()
    assert not built.pretrained
    assert list(built.trained) == FEATURES + CLASSIFIER
    assert built.note == (
        "no ImageNet weights in torchvision's cache; nothing is frozen, all layers are trained from scratch"
    )


def test_the_start_depends_on_the_seed_alone() -> None:
    before = torch.random.get_rng_state()
    one = build(seed=3)
    torch.rand(5)
    torch.random.set_rng_state(before)
    other, another = build(seed=3), build(seed=4)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(logits(one), logits(other))
    assert not torch.equal(logits(one), logits(another))


def test_the_signal_neither_fades_nor_grows_through_the_new_layers() -> None:
    scales = []
    built = build(hidden=512)
    for layer in built.network.modules():
        if isinstance(layer, torch.nn.ReLU):
            layer.register_forward_hook(lambda *call: scales.append(float(call[2].square().mean().sqrt())))
    logits(built, 96)
    assert len(scales) == 7
    assert all(0.3 < scale < 5 for scale in scales), scales


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_features_of_a_weights_file_are_taken_and_frozen(
    tmp_path: Path, imagenet: dict[str, torch.Tensor], suffix: str
) -> None:
    path = tmp_path / f"mine{suffix}"
    save_file(imagenet, path) if suffix == ".safetensors" else torch.save(imagenet, path)
    built = build(weights=path)
    state = built.network.state_dict()
    assert all(torch.equal(state[name], imagenet[name]) for name in FEATURES)
    assert built.pretrained
    assert list(built.trained) == CLASSIFIER
    assert built.note == (f"features from the ImageNet weights mine{suffix}, frozen; the classifier is new and trained")
    built.network(torch.rand(2, 3, 63, 63)).sum().backward()
    assert {name for name, one in built.network.named_parameters() if one.grad is not None} == set(CLASSIFIER)


def test_features_with_weights_are_trained_on_when_that_is_asked(
    tmp_path: Path, imagenet: dict[str, torch.Tensor]
) -> None:
    save_file(imagenet, tmp_path / "mine.safetensors")
    built = build(weights=tmp_path / "mine.safetensors", freeze=False)
    assert list(built.trained) == FEATURES + CLASSIFIER
    assert "trained on" in built.note


def test_weights_in_the_cache_are_found_unless_a_file_is_named(
    tmp_path: Path, empty_cache: Path, imagenet: dict[str, torch.Tensor]
) -> None:
    assert weights_file(Settings()) is None
    torch.save(imagenet, empty_cache / "alexnet-owt-7be5be79.pth")
    assert weights_file(Settings()) == empty_cache / "alexnet-owt-7be5be79.pth"
    assert "alexnet-owt-7be5be79.pth, frozen" in build().note
    assert weights_file(Settings(weights=tmp_path / "mine.pth")) == tmp_path / "mine.pth"


def test_weights_of_other_shapes_are_refused_with_both_shapes(
    tmp_path: Path, imagenet: dict[str, torch.Tensor]
) -> None:
    save_file({**imagenet, "features.3.weight": torch.zeros(192, 64, 3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(
        ValueError,
        match=r"other\.safetensors holds no weights of AlexNet: features\.3\.weight has shape \(192, 64, 3, 3\); "
        r"expected \(192, 64, 5, 5\)",
    ):
        build(weights=tmp_path / "other.safetensors")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "resnet.safetensors")
    with pytest.raises(ValueError, match=r"no weights of AlexNet: features\.0\.bias, .* missing"):
        build(weights=tmp_path / "resnet.safetensors")


class Code:
    """What a malicious file holds: something that is called when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("code of a weights file was run",))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.onnx", b"", r"unknown kind; choose from: \.safetensors, \.pth, \.pt"),
        ("a.pth", None, "there are no weights at .*a.pth"),
        ("a.pth", b"not a zip", r"a\.pth cannot be read as weights"),
        ("a.safetensors", b"short", r"a\.safetensors cannot be read as weights"),
        ("a.pth", [1, 2], "something else than named tensors"),
        ("a.pth", {"epoch": 3}, "something else than named tensors"),
        ("a.pth", {"features.0.weight": Code()}, r"a\.pth cannot be read as weights"),
    ],
)
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, name: str, content: Any, said: str) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(ValueError, match=said):
        build(weights=path)


def test_a_single_class_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 classes; got 1"):
        build(classes=1)


def test_settings_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Settings(pretrained=True)  # type: ignore[call-arg]
