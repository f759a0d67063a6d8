"""AlexNet by transfer: what is kept, what is replaced, and which files are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torchvision.models import AlexNet

from tasks.deep.transfer import BuiltNetwork
from tasks.models.alexnet import LAST_MAPS, SMALLEST_PX, Settings, build_network


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A torchvision cache of the test's own, without weights; and no more threads than the test's own."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
        found: torch.Tensor = built.network.eval()(
            torch.randn(3, 3, px, px, generator=torch.Generator().manual_seed(1))
        )
    return found


def test_the_classifier_has_two_hidden_layers_of_4096_each_after_dropout() -> None:
    classifier = build(hidden=Settings().hidden).network.get_submodule("classifier")
    assert [type(layer).__name__ for layer in classifier.children()] == [
        *("Dropout", "Linear", "ReLU"),
        *("Dropout", "Linear", "ReLU"),
        "Linear",
    ]
    assert [tuple(layer.weight.shape) for layer in classifier.children() if hasattr(layer, "weight")] == [
        (4096, 256 * 6 * 6),
        (4096, 4096),
        (4, 4096),
    ]
    assert [layer.p for layer in classifier.children() if hasattr(layer, "p")] == [0.5, 0.5]


def test_a_study_file_can_leave_out_the_hidden_layers() -> None:
    classifier = build(hidden=0).network.get_submodule("classifier")
    assert [type(layer).__name__ for layer in classifier.children()] == ["Dropout", "Linear"]


def test_the_features_are_those_of_torchvision() -> None:
    with torch.device("meta"):
        original = AlexNet()
    assert str(build().network.features) == str(original.features)
    assert str(build().network.avgpool) == str(original.avgpool)


def test_a_picture_that_does_not_survive_the_strides_is_too_small() -> None:
    with pytest.raises(RuntimeError, match="too small"):
        logits(build(), SMALLEST_PX - 1)


def test_the_last_maps_still_have_a_place() -> None:
    shapes = []
    built = build()
    built.network.get_submodule(LAST_MAPS).register_forward_hook(lambda *call: shapes.append(tuple(call[2].shape)))
    logits(built, 128)
    assert shapes == [(3, 256, 7, 7)]


def test_the_start_is_the_one_that_it_has_always_had() -> None:
    """Sums of the first numbers that this seed gave when studies were first published."""
    state = build(seed=3, hidden=4096).network.state_dict()
    found = [round(float(state[f"{name}.weight"].double().sum()), 4) for name in ("features.0", "classifier.6")]
    assert found == [13.8773, 0.9522]


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
def test_a_file_of_either_kind_gives_the_features(
    tmp_path: Path, imagenet: dict[str, torch.Tensor], suffix: str
) -> None:
    path = tmp_path / f"mine{suffix}"
    save_file(imagenet, path) if suffix == ".safetensors" else torch.save(imagenet, path)
    built = build(weights=path)
    state = built.network.state_dict()
    assert all(torch.equal(state[name], value) for name, value in imagenet.items() if name.startswith("features."))
    assert built.note == f"features from the ImageNet weights mine{suffix}, frozen; the classifier is new and trained"


def test_without_weights_the_note_says_which_file_was_looked_for() -> None:
    assert build().note == (
        "without ImageNet weights: no alexnet-*.pth in torchvision's cache; nothing is frozen, "
        "all layers are trained from scratch"
    )


@pytest.mark.parametrize(("said", "meant"), [(True, "all"), (False, "none"), ("progressive", "progressive")])
def test_networks_that_were_saved_with_yes_or_no_can_still_be_read(said: Any, meant: str) -> None:
    assert Settings(freeze=said).freeze == meant


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


@pytest.mark.parametrize("wrong", [{"pretrained": True}, {"freeze": "some"}, {"freeze": 2}, {"hidden": -1}])
def test_settings_refuse_what_they_do_not_know(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Settings(**wrong)
