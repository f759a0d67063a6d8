"""Windows over a volume: the same as MONAI's, plane by plane, whatever memory there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from monai.data.utils import compute_importance_map
from monai.inferers import sliding_window_inference
from torch import Tensor, nn

from tasks.deep.windows import (
    EMPTY_LOGIT,
    blend_weights,
    labels_of,
    logits_of,
    predict_windows,
    probabilities_of,
    window_starts,
)


class Places(nn.Module):
    """Says of each voxel where it lies in its window: neighbours disagree, so that blending shows."""

    def __init__(
        self,
        *,
        most: int | None = None,
        error: type[Exception] = torch.OutOfMemoryError,
        tell: Callable[[int], object] = int,
    ) -> None:
        super().__init__()
        self.most, self.error, self.tell = most, error, tell
        self.scale = nn.Conv3d(1, 2, 1)
        nn.init.constant_(self.scale.weight, 1.5)
        nn.init.constant_(self.scale.bias, 0.25)

    def forward(self, windows: Tensor) -> Tensor:
        if self.most is not None and len(windows) > self.most:
            raise self.error("DefaultCPUAllocator: can't allocate memory")
        self.tell(len(windows))
        places = torch.arange(windows[0].numel(), dtype=torch.float32).view_as(windows[0]) / 100
        return self.scale(windows) + torch.stack([places[0], -places[0]])


def image_of(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)


def monais(network: nn.Module, image: np.ndarray[Any, Any], window: Sequence[int], overlap: float) -> Any:
    with torch.inference_mode():
        inputs = torch.from_numpy(image)[None]
        return sliding_window_inference(inputs, window, 1, network, overlap=overlap, mode="gaussian")[0].numpy()


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.6])
@pytest.mark.parametrize("shape", [(1, 20, 17, 23), (1, 8, 8, 8), (1, 5, 30, 7), (1, 9, 8, 16)])
def test_the_answer_is_that_of_monai(shape: tuple[int, ...], overlap: float) -> None:
    image, window = image_of(*shape), (8, 8, 8)
    asked: dict[str, Any] = {"classes": 2, "window": window, "finish": logits_of, "precision": "float32"}
    found = predict_windows(Places(), image, overlap=overlap, **asked)
    np.testing.assert_allclose(found.answer, monais(Places(), image, window, overlap), rtol=1e-5, atol=1e-5)


def test_pictures_have_windows_too() -> None:
    network = nn.Conv2d(3, 2, 3, padding=1)
    image = image_of(3, 21, 18)
    found = predict_windows(network, image, classes=2, window=(8, 12), finish=logits_of, precision="float32")
    np.testing.assert_allclose(found.answer, monais(network, image, (8, 12), 0.25), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", [3, 16, 64])
def test_weights_are_those_of_monai(side: int) -> None:
    peer = compute_importance_map((side, 5, 8), mode="gaussian", sigma_scale=0.125)
    torch.testing.assert_close(blend_weights((side, 5, 8)), peer.float(), rtol=1e-4, atol=1e-6)


def test_windows_begin_by_steps_and_the_last_ends_at_the_end() -> None:
    assert window_starts(8, 8, 0.25) == [0]
    assert window_starts(20, 8, 0.25) == [0, 6, 12]
    assert window_starts(21, 8, 0.25) == [0, 6, 12, 13]
    assert window_starts(10, 8, 0.99) == [0, 1, 2]


def test_numbers_of_fewer_bits_give_nearly_the_same() -> None:
    image = image_of(1, 20, 17, 23)
    exact, fast = (
        predict_windows(Places(), image, classes=2, window=(8, 8, 8), finish=logits_of, precision=precision)
        for precision in ("float32", "bfloat16")
    )
    assert fast.precision == "bfloat16"
    assert 0 < np.abs(exact.answer - fast.answer).max() < 2**-7 * np.abs(exact.answer).max()


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
def test_short_memory_makes_batches_smaller_and_changes_no_answer(error: type[Exception]) -> None:
    image = image_of(1, 14, 20, 20)
    asked: dict[str, Any] = {"classes": 2, "window": (8, 8, 8), "finish": logits_of, "precision": "float32", "batch": 4}
    batches: list[int] = []
    plenty = predict_windows(Places(), image, **asked)
    short = predict_windows(Places(most=3, error=error, tell=batches.append), image, **asked)
    assert (plenty.batch, short.batch) == (4, 2)
    assert sum(batches) == short.windows == plenty.windows == 18
    np.testing.assert_array_equal(short.answer, plenty.answer)


def test_another_error_is_none_of_memory() -> None:
    class Broken(nn.Module):
        def forward(self, windows: Tensor) -> Tensor:
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        predict_windows(Broken(), image_of(1, 8, 8, 8), classes=2, window=(8, 8, 8), batch=4)


def test_memory_too_short_for_one_window_is_told() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        predict_windows(Places(most=0), image_of(1, 8, 8, 8), classes=2, window=(8, 8, 8), batch=1)


def test_empty_windows_are_passed_over_only_when_asked_and_are_background() -> None:
    image = np.zeros((1, 8, 8, 40), np.float32)
    image[..., 35:] = 1
    asked: dict[str, Any] = {"classes": 2, "window": (8, 8, 8), "overlap": 0.0, "precision": "float32"}
    looked = predict_windows(Places(), image, **asked)
    assert (looked.windows, looked.skipped) == (5, 0)
    skipped = predict_windows(Places(), image, empty_below=0.5, finish=logits_of, **asked)
    assert (skipped.windows, skipped.skipped) == (1, 4)
    assert np.unique(skipped.answer[0, ..., :32]) == 0
    assert np.unique(skipped.answer[1, ..., :32]) == EMPTY_LOGIT
    everywhere = predict_windows(Places(), image, finish=logits_of, **asked)
    np.testing.assert_array_equal(skipped.answer[..., 32:], everywhere.answer[..., 32:])
    nothing = predict_windows(Places(), image * 0, empty_below=0.5, finish=labels_of, **asked)
    assert nothing.windows == 0
    assert not nothing.answer.any()


def test_finished_planes_are_labels_or_probabilities_at_once() -> None:
    image, asked = image_of(1, 20, 9, 9), {"classes": 2, "window": (8, 8, 8), "precision": "float32"}
    logits = predict_windows(Places(), image, finish=logits_of, **asked).answer
    shares = predict_windows(Places(), image, finish=probabilities_of, **asked).answer
    labels = predict_windows(Places(), image, finish=labels_of, **asked).answer
    np.testing.assert_allclose(shares.sum(axis=0), 1, rtol=1e-6)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, logits.argmax(axis=0))


def test_of_an_image_in_zarr_one_row_is_read_at_a_time() -> None:
    image, read = zarr.array(image_of(1, 40, 8, 8), chunks=(1, 8, 8, 8)), []

    class Watched:
        shape = image.shape

        def __getitem__(self, where: Any) -> Any:
            read.append(where[1].stop - where[1].start)
            return image[where]

    found = predict_windows(Places(), Watched(), classes=2, window=(8, 8, 8), precision="float32")
    assert max(read) == 8
    whole = predict_windows(Places(), np.asarray(image[...]), classes=2, window=(8, 8, 8), precision="float32")
    np.testing.assert_array_equal(found.answer, whole.answer)


def test_a_network_goes_on_learning_as_if_it_had_not_been_asked() -> None:
    network = nn.Sequential(nn.Conv3d(2, 4, 3, padding=1), nn.Dropout(0.5)).to(memory_format=torch.channels_last_3d)
    before = {name: (value.clone(), value.stride()) for name, value in network.named_parameters()}
    with torch.inference_mode():
        found = predict_windows(network, image_of(2, 8, 8, 8), classes=4, window=(8, 8, 8), precision="bfloat16")
    assert np.isfinite(found.answer).all()
    for name, value in network.named_parameters():
        assert torch.equal(value, before[name][0])
        assert value.stride() == before[name][1]
    assert network.training
    network(torch.ones(1, 2, 8, 8, 8)).sum().backward()
    assert network[0].weight.grad is not None


@pytest.mark.parametrize(
    ("shape", "window", "overlap", "said"),
    [((8, 8, 8), (8, 8, 8), 0.25, "axes"), ((1, 8), (8,), 0.25, "axes"), ((1, 8, 8, 8), (8, 8, 8), 1.0, "overlap")],
)
def test_what_does_not_fit_is_refused(shape: Any, window: Any, overlap: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        predict_windows(Places(), np.zeros(shape, np.float32), classes=2, window=window, overlap=overlap)


def test_a_network_of_other_classes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected logits \(3, 8, 8, 8\)"):
        predict_windows(Places(), image_of(1, 8, 8, 8), classes=3, window=(8, 8, 8))
