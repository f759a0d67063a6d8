"""What the page says about pictures: how classes were confused, how the networks learned, and examples."""

from __future__ import annotations

from tasks.report.drawn import Part


class Example(Part):
    """A picture with what was said of it.

    Attributes
    ----------
    case, patient
        Pseudonyms.
    shown, seen
        ``data:`` URIs: the framed picture, and the same with the places that spoke for the predicted class in colour,
        ``None`` where no network is among the models.
    predicted, confidence
        Class and its calibrated probability.
    truth
        Annotated class; ``None`` where nobody says one.
    """

    case: str
    patient: str
    shown: str
    seen: str | None
    predicted: str
    confidence: float
    truth: str | None = None

    @property
    def right(self) -> bool | None:
        """Whether the annotated class was predicted."""
        return None if self.truth is None else self.predicted == self.truth


class Learning(Part):
    """The loss of one network over its epochs: cross-entropy in nats, as it learned and on pictures held out."""

    name: str
    training: tuple[float, ...]
    held_out: tuple[float | None, ...]


class PicturePart(Part):
    """What a study of pictures adds to the page.

    Attributes
    ----------
    classes
        In the order of rows and columns.
    confusion
        Pictures by annotated class (row) and predicted class (column); empty without annotations.
    predicted
        Pictures by predicted class.
    """

    classes: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    predicted: tuple[int, ...] = ()
    learning: tuple[Learning, ...] = ()
    examples: tuple[Example, ...] = ()
