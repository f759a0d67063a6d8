"""Training a network: it learns what is to be learned, the same each time, and says how sure it may be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torchvision.models import AlexNet

from tasks.deep.networks import FittedNetwork, planes_of, predict_network, standardized
from tasks.deep.saliency import saliency
from tasks.models.alexnet import build_network
from tasks.train.hold_out import hold_out
from tasks.train.network import fit_network
from tasks.train.network_augment import augmented
from tasks.train.network_learn import PictureLesson, lesson_of, phases
from tasks.train.network_settings import Augmentation, NetworkSettings
from tasks.train.network_start import even_out, plain_head
from tasks.train.record import EpochRecord
from tasks.train.temperature import fit_temperature

PX = 64
STILL = Augmentation(flip=False, rotation_degrees=0, shift=0, scale=0, brightness=0)


def squares(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise with one square in it, red (0) or blue (1), and its centre (y, x) as parts of the side."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 40, size=(count, PX, PX, 3), dtype=np.uint8)
    labels = np.arange(count) % 2
    centres = rng.integers(12, PX - 12, size=(count, 2))
    for picture, label, (y, x) in zip(pictures, labels, centres, strict=True):
        picture[y - 10 : y + 10, x - 10 : x + 10, 2 * label] = 220
    return pictures, labels, centres / PX


def settings(**change: Any) -> NetworkSettings:
    small = {"options": {"hidden": 32, "dropout": 0.1}, "input_px": PX, "batch": 8, "epochs": 6, "learning_rate": 1e-3}
    return NetworkSettings(
        **{**small, "precision": "float32", "feature_share": 0, "held_out": 0.2, "augmentation": STILL, **change}
    )


def fit(pictures: np.ndarray, labels: np.ndarray, *, seed: int = 0, **change: Any) -> FittedNetwork:
    return fit_network(pictures, labels, np.arange(len(labels)), settings(**change), classes=2, seed=seed)


def weights_file(folder: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """Features of an AlexNet, as torchvision starts them, in a file."""
    torch.manual_seed(4)
    network = AlexNet().features
    state = {f"features.{name}": value for name, value in network.state_dict().items()}
    save_file(state, folder / "mine.safetensors")
    return folder / "mine.safetensors", state


def lesson_about(labels: np.ndarray, *, classes: int, **change: Any) -> PictureLesson:
    planes = planes_of(squares(len(labels))[0], PX)
    rows, chosen = np.arange(len(labels)), settings(**{"label_smoothing": 0, **change})
    return lesson_of(planes, labels, rows, rows[:0], classes=classes, settings=chosen, seed=0, device="cpu")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> FittedNetwork:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))
        pictures, labels, _ = squares(80)
        return fit(pictures, labels, epochs=12)


class TestFitting:
    def test_red_and_blue_squares_are_told_apart(self, learned: FittedNetwork) -> None:
        pictures, labels, _ = squares(60, seed=1)
        assert np.mean(predict_network(learned, pictures).argmax(axis=1) == labels) > 0.9

    def test_the_history_has_a_record_for_each_epoch_and_the_loss_falls(self, learned: FittedNetwork) -> None:
        assert [record.epoch for record in learned.history] == list(range(1, 13))
        first, last = learned.history[0], learned.history[-1]
        assert last.training_loss < 0.5 < first.training_loss
        assert last.training_accuracy > 0.9
        assert last.held_out_accuracy is not None
        assert last.held_out_accuracy > 0.8
        assert learned.pictures + learned.held_out == 80
        assert learned.held_out == 16

    def test_each_epoch_is_told_while_training_goes_on(self) -> None:
        pictures, labels, _ = squares(12)
        told: list[EpochRecord] = []
        fitted = fit_network(
            pictures, labels, np.arange(12), settings(epochs=2), classes=2, seed=0, on_epoch=told.append
        )
        assert [(one.epoch, one.training["loss"]) for one in told] == [
            (one.epoch, one.training_loss) for one in fitted.history
        ]

    def test_the_same_seed_gives_the_same_network_and_leaves_torch_as_it_was(self) -> None:
        pictures, labels, _ = squares(16)
        before, threads = torch.random.get_rng_state(), torch.get_num_threads()
        one = fit(pictures, labels, seed=5, epochs=2, augmentation=Augmentation())
        torch.rand(7)
        torch.random.set_rng_state(before)
        other = fit(pictures, labels, seed=5, epochs=2, augmentation=Augmentation())
        another = fit(pictures, labels, seed=6, epochs=2, augmentation=Augmentation())
        assert torch.equal(torch.random.get_rng_state(), before)
        assert torch.get_num_threads() == threads
        assert one.facts() == other.facts()
        assert all(torch.equal(one.state[name], other.state[name]) for name in one.state)
        assert one.history != another.history

    def test_the_names_of_groups_decide_nothing(self) -> None:
        pictures, labels, _ = squares(12)
        one, other = (
            fit_network(pictures, labels, names, settings(epochs=1), classes=2, seed=0).facts()
            for names in ([f"a{i}" for i in range(12)], [f"z{99 - i}" for i in range(12)])
        )
        assert one == other

    def test_statistics_are_those_of_the_pictures_that_teach(self) -> None:
        pictures = np.zeros((4, PX, PX, 3), dtype=np.uint8)
        pictures[:2, ..., 0] = 51  # red: half the pictures 0.2, half 0
        pictures[..., 1] = 255
        fitted = fit(pictures, np.array([0, 0, 1, 1]), epochs=1, held_out=0)
        assert fitted.mean == pytest.approx((0.1, 1.0, 0.0), abs=1e-6)
        assert fitted.std == pytest.approx((0.1, 1 / 255, 1 / 255), abs=1e-6)  # a constant channel is not blown up

    def test_pictures_that_are_kept_out_change_nothing_that_is_learned(self) -> None:
        pictures, labels, _ = squares(20)
        _, kept = hold_out(labels, np.arange(20), 0.2, seed=0)
        other = pictures.copy()
        other[kept] = 255 - other[kept]
        one, two = fit(pictures, labels, epochs=1), fit(other, labels, epochs=1)
        assert one.mean == two.mean
        assert all(torch.equal(one.state[name], two.state[name]) for name in one.state)
        assert one.history[0].held_out_loss != two.history[0].held_out_loss

    def test_without_held_out_pictures_nothing_is_calibrated_and_the_record_says_none(self) -> None:
        pictures, labels, _ = squares(8)
        fitted = fit(pictures, labels, epochs=1, held_out=0)
        assert (fitted.temperature, fitted.held_out, fitted.pictures) == (1.0, 0, 8)
        assert fitted.history[0].held_out_loss is fitted.history[0].held_out_accuracy is None

    def test_frozen_features_stay_as_the_weights_file_has_them(self, tmp_path: Path) -> None:
        path, weights = weights_file(tmp_path)
        pictures, labels, _ = squares(12)
        options = {"hidden": 8, "weights": str(path)}
        fitted = fit(pictures, labels, epochs=2, options=options)
        assert all(torch.equal(fitted.state[name], weights[name]) for name in weights)
        assert "mine.safetensors, frozen" in fitted.note
        path.unlink()  # what is fitted no longer needs the file
        assert saliency(fitted, pictures[0]).shape == (PX, PX)

    def test_a_rare_class_weighs_more_when_balanced(self) -> None:
        labels = np.repeat([0, 1, 1], [20, 1, 3])
        lesson = lesson_about(labels, classes=3)
        assert lesson.weights.tolist() == pytest.approx([24 / 2 / 20, 24 / 2 / 4, 0])  # nothing is known of the third
        assert lesson.weight(np.array([0, 1, 22])) == pytest.approx(0.6 + 0.6 + 3)
        plain = lesson_about(labels, classes=3, balanced=False)
        assert plain.weights.tolist() == [1, 1, 1]
        logits, answers = torch.zeros(2, 3), torch.tensor([0, 1])
        assert float(lesson.loss(logits, answers)) > float(plain.loss(logits, answers)) == pytest.approx(2 * np.log(3))

    def test_a_record_tells_plain_means_whatever_is_learned_from(self) -> None:
        lesson = lesson_about(np.array([0, 1]), classes=2, label_smoothing=0.3, focal=2.0)
        told = lesson.tally(torch.tensor([[0.0, 0.0], [9.0, 0.0]]), torch.tensor([0, 1]))
        assert float(told["loss"]) == pytest.approx(np.log(2) + np.log(1 + np.exp(9)))
        assert int(told["accuracy"]) == 1  # of two equal the first

    def test_a_killed_training_goes_on_to_the_same_network(self, tmp_path: Path) -> None:
        pictures, labels, _ = squares(16)
        chosen = settings(epochs=4, feature_share=0.5, options={"hidden": 8, "dropout": 0.5})
        about = (pictures, labels, np.arange(16), chosen)
        whole = fit_network(*about, classes=2, seed=0)
        for epoch in (1, 3):  # in the first phase, and in the second

            def die(record: EpochRecord, last: int = epoch) -> None:
                if record.epoch == last:
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                fit_network(*about, classes=2, seed=0, workshop=tmp_path, on_epoch=die)
        told: list[EpochRecord] = []
        again = fit_network(*about, classes=2, seed=0, workshop=tmp_path, on_epoch=told.append)
        assert [record.epoch for record in told] == [1, 2, 3, 4]
        assert again.facts() == whole.facts()
        assert all(torch.equal(again.state[name], whole.state[name]) for name in whole.state)

    def test_the_card_tells_how_each_phase_ended(self) -> None:
        pictures, labels, _ = squares(16)
        fitted = fit(pictures, labels, epochs=3, feature_share=0.4, accumulate=2, precision="float32", patience=3)
        assert [{**one, "best": one["best"] in (1, 2, 3)} for one in fitted.facts()["phases"]] == [
            {"epochs": epochs, "best": True, "precision": "float32", "accumulate": 2} for epochs in (1, 2)
        ]

    def test_a_learning_rate_that_explodes_is_named(self) -> None:
        pictures, labels, _ = squares(16)
        with pytest.raises(FloatingPointError, match=r"training diverged in epoch \d+; lower its learning rate, now 1"):
            fit(pictures, labels, learning_rate=1e12, gradient_norm=1e12, warm_up=0, feature_share=0)

    @pytest.mark.parametrize(
        ("pictures", "labels", "groups", "said"),
        [
            (np.zeros((2, PX, PX), np.uint8), [0, 1], [0, 1], r"expected pictures \(n, y, x, 3\) of uint8"),
            (np.zeros((2, PX, PX, 3)), [0, 1], [0, 1], "got .* of float64"),
            (np.zeros((2, PX, PX, 3), np.uint8), [0, 1, 1], [0, 1], r"for each of 2 pictures; got \(3,\) and \(2,\)"),
            (np.zeros((2, PX, PX, 3), np.uint8), [0, 2], [0, 1], r"integers in 0\.\.1; got \[0, 2\]"),
            (np.zeros((2, PX, PX, 3), np.uint8), [0.0, 1.0], [0, 1], "expected labels as integers"),
            (np.zeros((2, PX, PX, 3), np.uint8), [1, 1], [0, 1], "at least 2 classes"),
        ],
    )
    def test_what_cannot_be_learned_from_is_refused(self, pictures: Any, labels: Any, groups: Any, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            fit_network(pictures, labels, groups, settings(), classes=2, seed=0)


class TestHoldingOut:
    def test_a_part_of_each_class_is_kept_out_and_no_group_is_torn(self) -> None:
        labels = np.repeat([0, 1], [40, 20])
        groups = np.arange(60) // 2
        teach, kept = hold_out(labels, groups, 0.2, seed=0)
        assert np.bincount(labels[kept]).tolist() == [8, 4]
        assert set(groups[teach]).isdisjoint(groups[kept])
        assert sorted([*teach, *kept]) == list(range(60))

    def test_the_last_group_of_a_class_always_teaches(self) -> None:
        teach, kept = hold_out(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2]), 0.5, seed=0)
        assert {0, 1} <= set(teach)
        assert len(kept) == 1


class TestPredicting:
    def test_probabilities_sum_to_one_and_do_not_depend_on_company(self, learned: FittedNetwork) -> None:
        pictures, _, _ = squares(5, seed=2)
        together = predict_network(learned, pictures)
        assert together.shape == (5, 2)
        assert np.allclose(together.sum(axis=1), 1)
        assert np.allclose(np.vstack([predict_network(learned, one[None]) for one in pictures]), together, atol=1e-5)

    def test_a_mirrored_picture_is_the_same_picture_when_flips_are_averaged(self, learned: FittedNetwork) -> None:
        pictures, _, _ = squares(4, seed=3)
        mirrored = np.ascontiguousarray(pictures[:, :, ::-1])
        assert np.allclose(predict_network(learned, pictures), predict_network(learned, mirrored), atol=1e-5)
        single = replace(learned, average_flips=False, temperature=100.0)
        assert not np.allclose(predict_network(single, pictures), predict_network(single, mirrored), atol=1e-4)

    def test_calibration_changes_how_sure_but_not_what_is_predicted(self, learned: FittedNetwork) -> None:
        pictures, _, _ = squares(20, seed=4)
        plain, soft = (predict_network(replace(learned, temperature=t), pictures) for t in (1.0, 4.0))
        assert (plain.argmax(axis=1) == soft.argmax(axis=1)).all()
        assert (soft.max(axis=1) < plain.max(axis=1)).all()

    def test_its_inner_loss_is_that_of_its_calibrated_probabilities_of_pictures_kept_out(
        self, learned: FittedNetwork
    ) -> None:
        pictures, labels, _ = squares(80)
        _, kept = hold_out(labels, np.arange(80), 0.2, seed=0)
        said = predict_network(learned, pictures[kept])
        assert learned.inner_loss == pytest.approx(-np.log(said[np.arange(len(kept)), labels[kept]]).mean(), abs=1e-5)
        assert learned.temperature != 1

    def test_a_network_read_from_json_predicts_the_same(self, learned: FittedNetwork) -> None:
        again = FittedNetwork.from_facts(learned.state, json.loads(json.dumps(learned.facts())))
        pictures, _, _ = squares(3)
        assert again.facts() == learned.facts()
        assert predict_network(again, pictures).tobytes() == predict_network(learned, pictures).tobytes()

    def test_pictures_of_another_size_are_resized(self, learned: FittedNetwork) -> None:
        pictures, labels, _ = squares(10, seed=5)
        larger = pictures.repeat(2, axis=1).repeat(2, axis=2)
        assert (predict_network(learned, larger).argmax(axis=1) == labels).all()

    def test_the_place_of_the_square_is_where_it_looked(self) -> None:
        pictures, labels, centres = squares(48, seed=6)
        noise = np.random.default_rng(9).integers(0, 40, size=pictures.shape, dtype=np.uint8)
        pictures[labels == 0] = noise[labels == 0]  # a square or none: only its place can speak for it
        fitted = fit(pictures, labels, epochs=8, input_px=96)
        distances = []
        for picture, centre in zip(pictures[labels == 1], centres[labels == 1], strict=True):
            seen = saliency(fitted, picture, label=1)
            assert seen.shape == (PX, PX)
            assert seen.dtype == np.float32
            assert seen.min() >= 0
            assert seen.max() == 1
            distances.append(np.hypot(*(np.array(np.unravel_index(seen.argmax(), seen.shape)) / PX - centre)))
        assert np.median(distances) < 0.2

    def test_nothing_speaks_for_a_class_that_a_black_picture_does_not_show(self, learned: FittedNetwork) -> None:
        maps = [saliency(learned, np.zeros((PX, PX, 3), np.uint8), label=label) for label in (0, 1)]
        assert all(((one >= 0) & (one <= 1)).all() for one in maps)


class TestTemperature:
    def test_two_of_three_right_and_one_that_may_be_either_make_two_and_a_half_of_four(self) -> None:
        logits = np.array([[5.0, 0.0]] * 3)
        wanted = 5 / np.log(2.5 / 1.5)  # so that the first class has a probability of 2.5 / 4
        assert fit_temperature(logits, np.array([0, 0, 1])) == pytest.approx(wanted, rel=1e-3)

    def test_nine_of_nine_right_are_no_certainty(self) -> None:
        found = fit_temperature(np.array([[1.0, 0.0]] * 9), np.zeros(9, dtype=int))
        assert 1 / (1 + np.exp(-1 / found)) == pytest.approx(9.5 / 10, rel=1e-3)

    def test_without_any_logits_they_are_left_alone(self) -> None:
        assert fit_temperature(np.zeros((0, 0)), np.zeros(0, dtype=int)) == 1.0


class TestSteps:
    def test_without_augmentation_a_picture_stays_as_it_is(self) -> None:
        planes = torch.rand(2, 3, 8, 8)
        assert torch.allclose(augmented(planes, [0, 1], STILL, seed=0, epoch=0), planes, atol=1e-6)

    def test_a_sample_is_changed_the_same_way_in_any_batch_and_anew_in_each_epoch(self) -> None:
        planes = torch.rand(3, 3, 16, 16)
        whole = augmented(planes, [4, 5, 6], Augmentation(), seed=1, epoch=2)
        alone = augmented(planes[2:], [6], Augmentation(), seed=1, epoch=2)
        assert torch.allclose(whole[2:], alone)
        assert not torch.allclose(alone, augmented(planes[2:], [6], Augmentation(), seed=1, epoch=3))
        assert ((whole >= 0) & (whole <= 1)).all()

    def test_a_grey_picture_is_changed_alike_whether_or_not_others_are_coloured(self) -> None:
        planes = torch.cat([torch.rand(2, 1, 16, 16).expand(-1, 3, -1, -1), torch.rand(1, 3, 16, 16)])
        every = Augmentation(bend=0.02, gamma=0.3, noise=0.1)
        among = augmented(planes, [4, 5, 6], every, seed=1, epoch=2)
        assert torch.equal(augmented(planes[:2], [4, 5], every, seed=1, epoch=2), among[:2])
        assert not torch.allclose(among[2, 0], among[2, 1])

    def test_each_change_alone_does_what_it_says(self) -> None:
        planes = torch.zeros(1, 3, 9, 9)
        planes[..., 4, 7] = 0.5  # right of the middle

        def found(**change: Any) -> list[torch.Tensor]:
            setting = Augmentation.model_validate({**STILL.model_dump(), **change})
            return [augmented(planes, [sample], setting, seed=0, epoch=0)[0, 0] for sample in range(40)]

        assert {int(one[4].argmax()) for one in found(flip=True)} == {1, 7}
        peaks = [float(one.max()) for one in found(brightness=0.5)]
        assert 0.24 < min(peaks) < 0.3 < 0.7 < max(peaks) <= 0.76
        turned = [np.unravel_index(int(one.argmax()), (9, 9)) for one in found(rotation_degrees=180)]
        assert all(2.5 < np.hypot(y - 4, x - 4) < 3.8 for y, x in turned)
        assert len(set(turned)) > 8
        assert {int(one[4].argmax()) for one in found(scale=0.5)} == {6, 7, 8}
        assert len({np.unravel_index(int(one.argmax()), (9, 9)) for one in found(shift=0.2)}) > 4
        assert len({int(one[4].argmax()) for one in found(stretch=0.5)}) > 1
        assert all(float(one[:, 4].max()) == 0 for one in found(stretch=0.2))  # rows stay rows
        assert all(float(one[4, 7]) == pytest.approx(0.5) for one in found(shear=0.5))  # the middle row stays
        assert len({np.unravel_index(int(one.argmax()), (9, 9)) for one in found(bend=0.1)}) > 4
        peaks = [float(one.max()) for one in found(gamma=0.5)]
        assert 0.5**1.5 - 0.01 < min(peaks) < 0.4 < 0.6 < max(peaks) < 0.5**0.5 + 0.01
        assert np.std([float(one[0, 0]) for one in found(noise=0.1)]) == pytest.approx(0.06, abs=0.03)  # cut at 0

    def test_mixed_pictures_have_mixed_answers_of_the_same_share(self) -> None:
        pictures, labels = np.zeros((8, 16, 16, 3), dtype=np.uint8), np.arange(8) % 2
        pictures[labels == 1] = 200
        settings = NetworkSettings(model="small_cnn", augmentation=STILL, mix=1.0)
        lesson = lesson_of(
            planes_of(pictures, 16),
            labels,
            np.arange(8),
            np.arange(0),
            classes=2,
            settings=settings,
            seed=0,
            device="cpu",
        )
        rows = np.array([0, 1, 2, 4])
        batch = lesson.batch(rows, epoch=3)
        shown = batch.inputs[:, 0, 8, 8] * lesson.std[0] + lesson.mean[0]
        assert torch.allclose(batch.answers.sum(dim=1), torch.ones(4))
        assert torch.allclose(shown, batch.answers[:, 1] * 200 / 255, atol=1e-4)
        share = float(batch.answers[0, 0])
        assert 0 < share <= 1
        again = lesson.batch(rows, epoch=3)
        assert torch.equal(again.answers, batch.answers)
        assert not torch.equal(lesson.batch(rows, epoch=4).answers, batch.answers)
        assert float(lesson.loss(torch.zeros(4, 2), batch.answers)) == pytest.approx(
            lesson.weight(rows) * np.log(2), rel=1e-4
        )

    def test_pictures_are_brought_to_the_square_of_the_network(self) -> None:
        planes = planes_of(np.full((2, 10, 20, 3), (10, 20, 30), dtype=np.uint8), 63)
        assert planes.shape == (2, 3, 63, 63)
        assert planes.dtype == torch.uint8
        assert planes[0, :, 5, 5].tolist() == [10, 20, 30]
        shown = standardized(torch.full((1, 3, 2, 2), 0.5), (0.1, 0.5, 0.7), (0.2, 1.0, 0.1))
        assert shown[0, :, 0, 0].tolist() == pytest.approx([2.0, 0.0, -2.0])


class TestStart:
    def test_even_layers_answer_with_mean_0_and_variance_1(self) -> None:
        network = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4 * 6 * 6, 5)
        )
        inputs = 3 * torch.rand(50, 3, 8, 8) + 7
        even_out(network, inputs, layers=[network[0], network[3]])
        with torch.inference_mode():
            maps, answers = network[0](inputs), network(inputs)
        assert torch.allclose(maps.mean(dim=(0, 2, 3)), torch.zeros(4), atol=1e-4)
        assert torch.allclose(maps.std(dim=(0, 2, 3)), torch.ones(4), atol=1e-4)
        assert torch.allclose(answers.mean(dim=0), torch.zeros(5), atol=1e-4)
        assert torch.allclose(answers.std(dim=0), torch.ones(5), atol=1e-4)

    def test_a_unit_that_is_always_the_same_is_not_blown_up(self) -> None:
        layer = torch.nn.Linear(2, 1)
        even_out(layer, torch.ones(5, 2), layers=[layer])
        assert torch.isfinite(layer.weight).all()
        assert layer(torch.ones(1, 2)).tolist() == [[pytest.approx(0, abs=1e-6)]]
        assert layer.weight.abs().max() < 1

    def test_a_plain_head_shares_the_features_and_starts_undecided(self) -> None:
        features = torch.nn.Conv2d(3, 2, 3)
        head = plain_head(features, torch.rand(4, 3, 5, 5), classes=3, dropout=0.5)
        assert head[0] is features
        assert head(torch.rand(4, 3, 5, 5)).tolist() == [[0.0] * 3] * 4

    def test_a_plain_head_can_be_put_on_the_smallest_pictures_and_no_normalization_counts_them(self) -> None:
        features = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 5), torch.nn.BatchNorm2d(2))
        plain_head(features, torch.rand(4, 3, 5, 5), classes=3, dropout=0.5)  # one value per channel is left
        assert features[1].running_mean.tolist() == [0.0, 0.0]
        assert int(features[1].num_batches_tracked) == 0

    def test_features_learn_first_and_those_with_weights_do_not(self, tmp_path: Path) -> None:
        pictures, labels, _ = squares(16)
        rates = {"learning_rate": 1e-3, "feature_learning_rate": 5e-4, "warm_up": 0, "epochs": 4, "feature_share": 0.5}
        scratch = [record.learning_rate for record in fit(pictures, labels, **rates).history]
        assert scratch == pytest.approx([2.5e-4, 0, 5e-4, 0])  # half way down, and down, twice
        options = {"hidden": 8, "weights": str(weights_file(tmp_path)[0])}
        given = [record.learning_rate for record in fit(pictures, labels, **rates, options=options).history]
        assert given == sorted(given, reverse=True)

    def test_features_with_weights_are_unfrozen_block_by_block_from_the_last(self, tmp_path: Path) -> None:
        options = {"hidden": 8, "weights": str(weights_file(tmp_path)[0]), "freeze": "progressive"}
        lesson = lesson_about(np.array([0, 1]), classes=2, options=options, epochs=12, unfrozen_learning_rate=7e-6)
        built = build_network(lesson.settings.of_model(), classes=2, seed=0)
        layers, seen = (0, 3, 6, 8, 10), []
        for phase in phases(built, lesson):
            free = [n for n in layers if built.network.get_submodule(f"features.{n}").weight.requires_grad]
            seen.append(
                (phase.first_epoch, phase.settings.epochs, phase.settings.learning_rate, len(phase.fresh), free)
            )
        ends = [(0, 2, 1e-3, 2, [])] + [(2 * n, 2, 7e-6, 0, list(layers[-n:])) for n in range(1, 6)]
        assert seen == ends

    def test_with_few_epochs_several_blocks_are_unfrozen_at_a_time(self, tmp_path: Path) -> None:
        path, before = weights_file(tmp_path)
        options = {"hidden": 8, "weights": str(path), "freeze": "progressive"}
        pictures, labels, _ = squares(8)
        fitted = fit(pictures, labels, options=options, epochs=3, batch=4)
        assert [one["epochs"] for one in fitted.phases] == [1, 1, 1]
        assert all(not torch.equal(fitted.state[name], before[name]) for name in before)
        assert [one["epochs"] for one in fit(pictures, labels, options=options, epochs=1).phases] == [1]


class TestSettings:
    def test_only_networks_can_be_named_and_their_options_are_checked(self) -> None:
        with pytest.raises(ValidationError, match=r"no network 'logistic'; choose from: .*alexnet"):
            NetworkSettings(model="logistic")
        with pytest.raises(ValidationError, match="Extra inputs"):
            NetworkSettings(options={"trees": 3})

    def test_stopping_early_needs_pictures_that_are_held_out(self) -> None:
        with pytest.raises(ValidationError, match="patience needs pictures that are held out"):
            NetworkSettings(patience=3, held_out=0)

    def test_a_picture_too_small_for_the_strides_is_refused_before_work_starts(self) -> None:
        with pytest.raises(ValidationError, match="input_px = 62; alexnet takes 63 or more"):
            NetworkSettings(input_px=62)
