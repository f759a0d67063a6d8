"""What synthetic chest X-rays of a rare class are worth: the figures of ``docs/results.md``.

    python tests/benchmarks/synthesis.py pneumoniamnist.npz --method wgan_gp --out sheets

90 normal pictures against 450 with pneumonia, drawn from the training part by a seed, in 3 folds. Whose pictures these
are is not known, so each is its own group.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from tasks.imaging.synthetic_mark import Origin, write_synthetic_png
from tasks.train.synthesis.cohort import Cohort
from tasks.train.synthesis.comparison import compare
from tasks.train.synthesis.judgement import FoldFound
from tasks.train.synthesis.plain_learner import plain_learner
from tasks.train.synthesis.settings import SynthesisSettings

NORMAL = 0
COUNTS = {NORMAL: 90, 1: 450}
FOLDS = 3
RECIPES: dict[str, dict[str, Any]] = {
    "original": {"steps": 600},
    "r1": {"steps": 600},
    "wgan_gp": {"steps": 300, "discriminator_steps": 3},
}


def cohort(file: Path) -> Cohort:
    """The pictures in their order in the file."""
    with np.load(file) as data:
        images, labels = data["train_images"], data["train_labels"].ravel().astype(int)
    rng = np.random.default_rng(0)
    drawn = [rng.permutation(np.flatnonzero(labels == label))[:count] for label, count in COUNTS.items()]
    rows = np.sort(np.concatenate(drawn))
    images, labels = images[rows], labels[rows]
    folds = np.zeros(len(rows), dtype=int)
    for label in COUNTS:
        mine = rng.permutation(np.flatnonzero(labels == label))
        folds[mine] = np.arange(len(mine)) % FOLDS
    return Cohort(images[:, None], labels, np.arange(len(rows)), folds, len(COUNTS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--method", choices=list(RECIPES), default="wgan_gp")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    settings = SynthesisSettings(method=given.method, images=240, network={"width": 16}, **RECIPES[given.method])

    def show(found: FoldFound) -> None:
        print(f"fold {found.fold + 1}: {found.memorization} {found.fidelity} real: {found.real_fidelity}", flush=True)
        sheet = np.concatenate(
            [np.concatenate(list(row), axis=1) for row in found.synthetic[:20, 0].reshape(2, 10, 28, 28)]
        )
        origin = Origin(f"{given.method}, fold {found.fold + 1}", settings.seed, 0, "normal")
        write_synthetic_png(given.out / f"{given.method}_{found.fold + 1}.png", sheet, origin)

    started = time.process_time()
    found = compare(cohort(given.file), settings, rare=NORMAL, learner=plain_learner, on_fold=show)
    facts = {**found.facts(), "cpu_seconds": round(time.process_time() - started, 1)}
    (given.out / f"{given.method}.json").write_text(json.dumps(facts, indent=1))
    print(json.dumps({name: facts[name] for name in ("figures", "differences", "cpu_seconds")}, indent=1), flush=True)


if __name__ == "__main__":
    main()
