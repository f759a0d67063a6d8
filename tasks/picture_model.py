"""A fitted model of pictures, whatever it is: a network, a classical pipeline, or several of them together.

Training leaves an artifact, `tasks.load_model` makes one of these of it, and this says a probability for each class.
Detection, the report's examples and ``lesionflow predict`` ask in the same way and need not know what answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

    from tasks.deep.networks import FittedNetwork, Pictures

FloatArray = npt.NDArray[np.float64]

CLOSEST = 1e-6
"""A probability of 0 is taken as this: its logarithm is finite."""


class PictureModel(Protocol):
    """What every model of pictures can do."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of its probabilities."""
        ...

    def predict(self, pictures: Pictures, features: pd.DataFrame | None) -> FloatArray:
        """Calibrated probabilities ``(n, classes)`` of pictures ``(n, y, x, 3)`` uint8, or of the rows of features."""
        ...

    def networks(self) -> Iterator[FittedNetwork]:
        """The networks in it: those that can tell where they looked."""
        ...


@dataclass(frozen=True, eq=False)
class NetworkModel:
    """A network, see `tasks.deep.networks`."""

    fitted: FittedNetwork
    class_names: tuple[str, ...]

    def predict(self, pictures: Pictures, features: pd.DataFrame | None) -> FloatArray:  # noqa: ARG002 - looks itself
        """Calibrated probabilities ``(n, classes)``."""
        from tasks.deep.device import best_device
        from tasks.deep.networks import predict_network
        from tasks.threads import thread_budget

        return predict_network(self.fitted, pictures, threads=thread_budget(), device=best_device())

    def networks(self) -> Iterator[FittedNetwork]:
        """This one."""
        yield self.fitted


@dataclass(frozen=True, eq=False)
class PipelineModel:
    """A classical model with all that goes before it.

    ``columns``: the features that it asks for, in its order; ``None``: it looks at the pictures.
    """

    name: str
    pipeline: Any
    class_names: tuple[str, ...]
    columns: tuple[str, ...] | None
    temperature: float

    def predict(self, pictures: Pictures, features: pd.DataFrame | None) -> FloatArray:
        """Calibrated probabilities ``(n, classes)``. Raises ``ValueError`` without the features that it asks for."""
        classes = len(self.class_names)
        if self.columns is None:
            return tempered(class_probabilities(self.pipeline, pictures, classes), self.temperature)
        lacking = set(self.columns) - set(() if features is None else features.columns)
        if features is None or lacking:
            raise ValueError(f"the model '{self.name}' needs {len(lacking)} features that are not there")
        values = features[list(self.columns)].to_numpy(dtype=float)
        return tempered(class_probabilities(self.pipeline, values, classes), self.temperature)

    def networks(self) -> Iterator[FittedNetwork]:
        """None."""
        return iter(())


@dataclass(frozen=True, eq=False)
class Combination:
    """Several models; their calibrated probabilities are averaged by weight."""

    members: Mapping[str, PictureModel]
    weights: Mapping[str, float]
    class_names: tuple[str, ...]

    def each(self, pictures: Pictures, features: pd.DataFrame | None) -> dict[str, FloatArray]:
        """What each member says, by its name."""
        return {name: member.predict(pictures, features) for name, member in self.members.items()}

    def predict(self, pictures: Pictures, features: pd.DataFrame | None) -> FloatArray:
        """Calibrated probabilities ``(n, classes)``."""
        return self.together(self.each(pictures, features))

    def together(self, said: Mapping[str, FloatArray]) -> FloatArray:
        """The weighted mean of what the members say."""
        return np.asarray(sum(self.weights[name] * said[name] for name in self.members), dtype=float)

    def networks(self) -> Iterator[FittedNetwork]:
        """Those of its members, the one of most weight first."""
        for name in sorted(self.members, key=lambda name: (-self.weights[name], name)):
            if self.weights[name] > 0:
                yield from self.members[name].networks()


def class_probabilities(pipeline: Any, inputs: Any, classes: int) -> FloatArray:
    """Probabilities ``(n, classes)`` of a fitted pipeline; 0 for a class that it never saw."""
    found = np.zeros((len(inputs), classes))
    if len(inputs):
        found[:, np.asarray(pipeline.classes_, dtype=int)] = pipeline.predict_proba(inputs)
    return found


def tempered(probabilities: FloatArray, temperature: float) -> FloatArray:
    """Probabilities made less sure by a temperature above 1, and surer by one below; the order stays."""
    from scipy.special import softmax

    return np.asarray(softmax(log_probabilities(probabilities) / temperature, axis=1))


def log_probabilities(probabilities: FloatArray) -> FloatArray:
    """Their logarithms, as a temperature divides them; finite."""
    return np.asarray(np.log(np.maximum(probabilities, CLOSEST)))
