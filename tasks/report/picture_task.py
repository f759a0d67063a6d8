"""The stages ``draw`` (examples of pictures) and ``report`` (page and tables) of a study of pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from storage.artifacts import ArtifactStore
from storage.case import Batch
from tasks.model_kinds import NETWORKS, ON_PICTURES, PIPELINES
from tasks.report.content import Accounting, Difference, Estimate, Fold, Metric, ReportInput
from tasks.report.gallery import Answer, choose_examples, data_uri, glowing
from tasks.report.picture_content import Example, Learning, PicturePart
from tasks.report.picture_settings import Settings
from tasks.report.synthesis_content import SynthesisPart
from tasks.task import Stage, Work, stage_task

DRAW = Stage(
    "draw",
    libraries=(
        *(
            "jinja2",
            "numpy",
            "pandas",
            "pillow",
            "safetensors",
            "scikit-image",
            "scikit-learn",
            "scipy",
            "SimpleITK",
            "skops",
        ),
        *("torch", "torchvision", "zarr"),
    ),
    places=("tasks.report.picture_task", *NETWORKS, *PIPELINES, *ON_PICTURES),
)
STAGE = Stage("report", libraries=DRAW.libraries, places=("tasks.report.picture_task", "tasks.report.templates"))


def plan_gallery(batches: Sequence[Batch], settings: Settings) -> Work:
    """Drawing examples of what was classified."""
    keys = ("normalize", "detect", "annotate")
    inputs = {"buckets": [{key: batch.keys.get(key) for key in keys} for batch in batches]}
    return DRAW.plan(settings, subject="cohort", inputs=inputs)


def plan(
    batches: Sequence[Batch],
    settings: Settings,
    *,
    study: Mapping[str, Any],
    models: Mapping[str, str],
    evaluation: str | None,
    gallery: str | None,
    synthesis: str | None,
    accounting: Accounting,
    notes: Sequence[str],
) -> Work:
    """The page over all pictures; parameters as in `tasks.report.task.plan`.

    ``gallery``: key of the examples; ``synthesis``: of the judgement on synthetic pictures.
    """
    inputs = {
        "buckets": [{key: batch.keys.get(key) for key in ("detect", "annotate")} for batch in batches],
        "cases": {case.id: case.patient for batch in batches for case in batch.members},
        "study": dict(study),
        "models": dict(models),
        "evaluation": evaluation,
        "gallery": gallery,
        "synthesis": synthesis,
        "accounting": accounting.model_dump(mode="json"),
        "notes": list(notes),
    }
    return STAGE.plan(settings, subject="cohort", inputs=inputs)


@stage_task("draw")
def draw_gallery(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Draw the examples, each with what its network saw, where there is one among its models."""
    from tasks.deep.saliency import saliency
    from tasks.imaging.picture_files import read_pictures
    from tasks.load_model import load_picture_model
    from tasks.threads import thread_budget

    answers: dict[str, Answer] = {}
    model_of: dict[str, str] = {}
    for bucket in work.inputs["buckets"]:
        predictions, truths = _said(store, bucket)
        for case, said in predictions.items():
            answers[case] = Answer(said["class"], said["probabilities"][said["class"]], truths.get(case))
            model_of[case] = said["model"]
    chosen = choose_examples(answers, Settings.model_validate(work.settings).gallery)
    pictures = {
        picture.case: picture
        for bucket in work.inputs["buckets"]
        for picture in read_pictures(store.open("normalize", bucket["normalize"]), cases=set(chosen))
    }
    examples: dict[str, Example] = {}
    for model in sorted({model_of[case] for case in chosen}):
        fitted = load_picture_model(store, model)
        network = next(fitted.networks(), None)
        for case in (case for case in chosen if model_of[case] == model):
            answer, picture = answers[case], pictures[case]
            label = fitted.class_names.index(answer.predicted)
            threads = thread_budget()
            seen = saliency(network, picture.pixels, label=label, threads=threads) if network else None
            examples[case] = Example(
                case=case,
                patient=picture.patient,
                shown=data_uri(picture.pixels),
                seen=None if seen is None else data_uri(glowing(picture.pixels, seen)),
                predicted=answer.predicted,
                confidence=answer.confidence,
                truth=answer.truth,
            )
    records = [examples[case].model_dump(mode="json") for case in chosen]
    (folder / "examples.json").write_text(json.dumps(records))


@stage_task("report")
def write_report(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Write page, tables and plot."""
    from tasks.report.learning import learning_svg
    from tasks.report.page import render_page

    inputs, settings = work.inputs, Settings.model_validate(work.settings)
    evaluation = store.read_json("evaluate", inputs["evaluation"], "evaluation.json") if inputs["evaluation"] else {}
    examples = store.read_json("draw", inputs["gallery"], "examples.json") if inputs["gallery"] else []
    cards = {name: card for place, key in inputs["models"].items() for name, card in _cards(store, place, key)}
    rows = [row for bucket in inputs["buckets"] for row in _rows(store, bucket, inputs["cases"])]
    rows.sort(key=lambda row: row["case"])
    classes = next(iter(cards.values()))["class_names"] if cards else []
    learning = tuple(_learning(name, card) for name, card in cards.items() if "history" in card)
    alone = evaluation.get("models", {})
    report = ReportInput(
        study=inputs["study"]["name"],
        subtitle=inputs["study"]["description"],
        accounting=Accounting.model_validate(inputs["accounting"]),
        headline=settings.headline,
        metrics={name: Metric.model_validate(metric) for name, metric in evaluation.get("metrics", {}).items()},
        baselines={
            rule: {name: Estimate.model_validate(value) for name, value in values.items()}
            for rule, values in (*alone.items(), *evaluation.get("baselines", {}).items())
        },
        baseline_rules={**dict.fromkeys(alone, "one of the models, alone"), **evaluation.get("says", {})},
        differences=tuple(Difference.model_validate(one) for one in evaluation.get("differences", [])),
        folds=tuple(_fold(name, card) for name, card in cards.items()),
        settings_text=json.dumps(inputs["study"], indent=2),
        versions=store.versions("train", inputs["models"].values()),
        notes=(
            *inputs["notes"],
            *dict.fromkeys(f"{card['model']}: {card['note']}" for card in cards.values() if "note" in card),
        ),
        keys={f"model {name}": key for name, key in inputs["models"].items()},
        pictures=PicturePart(
            classes=tuple(classes),
            confusion=tuple(map(tuple, evaluation.get("confusion", ()))),
            predicted=tuple(sum(row["class"] == label for row in rows) for label in classes),
            learning=learning,
            examples=tuple(Example.model_validate(one) for one in examples),
        ),
        synthesis=_synthesis(store, inputs["synthesis"], cards.values()),
    )
    (folder / "report.html").write_text(render_page(report), encoding="utf-8")
    (folder / "findings.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    (folder / "findings.csv").write_text(_csv(rows, classes), encoding="utf-8", newline="")
    if learning:
        (folder / "learning.svg").write_text(str(learning_svg(learning, standalone=True)), encoding="utf-8")


def _synthesis(store: ArtifactStore, key: str | None, cards: Iterable[Mapping[str, Any]]) -> SynthesisPart | None:
    from tasks.report.synthesis import synthesis_part

    if key is None:
        return None
    learned = max(card["synthetic"] for card in cards)
    judgement = store.read_json("judge_synthesis", key, "judgement.json")
    return synthesis_part(store.open("judge_synthesis", key), judgement, learned_from=learned)


def _said(store: ArtifactStore, bucket: Mapping[str, str | None]) -> tuple[dict[str, Any], dict[str, str | None]]:
    """Predictions of a bucket, and the annotated classes where they were read."""
    predictions = store.read_json("detect", bucket["detect"], "predictions.json") if bucket["detect"] else {}
    truths = store.read_json("annotate", bucket["annotate"], "classes.json") if bucket["annotate"] else {}
    return predictions, truths


def _rows(store: ArtifactStore, bucket: Mapping[str, str | None], patients: Mapping[str, str]) -> list[dict[str, Any]]:
    predictions, truths = _said(store, bucket)
    return [
        {
            "case": case,
            "patient": patients[case],
            "class": said["class"],
            "confidence": said["probabilities"][said["class"]],
            "annotated": truths.get(case),
            "model": said["model"],
            "probabilities": said["probabilities"],
        }
        for case, said in predictions.items()
        if case in patients
    ]


def _csv(rows: Sequence[Mapping[str, Any]], classes: Sequence[str]) -> str:
    import pandas as pd

    named = ("case", "patient", "class", "confidence", "annotated", "model")
    flat = [
        {name: row[name] for name in named} | {f"p_{label}": row["probabilities"].get(label) for label in classes}
        for row in rows
    ]
    return str(pd.DataFrame(flat, columns=[*named, *(f"p_{label}" for label in classes)]).to_csv(index=False))


def _cards(store: ArtifactStore, place: str, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the model of a fold says of itself; of several models together, what each of them says."""
    folder = store.open("train", key)
    if (folder / "network.json").is_file():
        yield place, json.loads((folder / "network.json").read_text())["card"]
        return
    card = json.loads((folder / "card.json").read_text())
    if card["kind"] == "pipeline":
        yield place, card
    for name, member in card.get("members", {}).items():
        yield from ((f"{place}, {name}", one) for _, one in _cards(store, place, member))


def _fold(name: str, card: Mapping[str, Any]) -> Fold:
    if "inner_accuracy" in card:
        return Fold(
            name=name.removeprefix("fold "),
            model=card["model"],
            score=card["inner_accuracy"],
            score_name="accuracy on training pictures, by inner folds",
            training_patients=card["pictures"],
            training_candidates=card["pictures"],
        )
    last = card["history"][-1] if card["history"] else {}
    return Fold(
        name=name.removeprefix("fold "),
        model=card["model"],
        score=last.get("held_out_accuracy"),
        score_name="accuracy on pictures held out of training",
        training_patients=card["pictures"] + card["held_out"],
        training_candidates=card["pictures"],
    )


def _learning(name: str, card: Mapping[str, Any]) -> Learning:
    return Learning(
        name=name,
        training=tuple(record["training_loss"] for record in card["history"]),
        held_out=tuple(record["held_out_loss"] for record in card["history"]),
    )
