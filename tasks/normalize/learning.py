"""What a step that learns from other images takes from one of them."""

from __future__ import annotations

from storage.volume import Volume
from tasks.imaging.step import Facts
from tasks.normalize.chain import Ready, each_step, looked_at
from tasks.normalize.settings import Settings


def measured_for(volume: Volume, settings: Settings, *, ready: Ready = lambda volume, _step: volume) -> Facts:
    """Do the steps before the one that learns, and measure for it.

    Raises
    ------
    ValueError
        When none of the steps learns.
    """
    learner = settings.learner
    if learner is None:
        raise ValueError("none of the steps learns from other images")
    steps = settings.steps or ()
    for done in each_step(volume, steps[: steps.index(learner)], ready=ready):
        volume = done.after
    return looked_at(learner, ready(volume, learner)).measured
