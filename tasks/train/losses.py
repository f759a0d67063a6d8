"""Losses of classifiers, row by row: cross-entropy of logits, and its focal form."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def classification_loss(
    logits: Tensor, answers: Tensor, *, weight: Tensor | None = None, smoothing: float = 0.0, focal: float = 0.0
) -> Tensor:
    """Loss of each row, times the weight of its class, in nats.

    The *focal* loss (Lin et al. 2017, doi:10.1109/ICCV.2017.324, equation 5) is cross-entropy times
    ``(1 - p) ** focal``, where ``p`` is the probability of the right class: rows that are right already count less.

    Parameters
    ----------
    logits, answers
        ``(n, classes, …)`` and the classes ``(n, …)``; without ``focal`` also shares of them ``(n, classes, …)``.
    weight
        Of each class; ``None``: all 1.
    smoothing
        Part of the answer that is shared out among all classes (Szegedy et al. 2016, doi:10.1109/CVPR.2016.308,
        section 7).
    focal
        0 is plain cross-entropy.

    Returns
    -------
    ``(n, …)``.
    """
    from torch.nn.functional import cross_entropy

    loss = cross_entropy(logits, answers, weight=weight, label_smoothing=smoothing, reduction="none")
    if focal:
        right = logits.softmax(dim=1).gather(1, answers.unsqueeze(1)).squeeze(1)
        loss = loss * (1 - right).clamp(min=1e-6) ** focal  # at 0 the slope of a root would be infinite
    return loss
