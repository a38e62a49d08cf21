"""Functions of networks that hold no parameters: losses and dropout.

Every loss takes predictions, a target, and ``reduction``: ``"mean"`` (the default) over all elements or examples,
``"sum"``, or ``"none"`` for one loss each. The target is converted to the dtype of the predictions. It must have their
shape: ``(n, 1)`` and ``(n,)`` would broadcast to ``(n, n)``, a wrong loss, so that pair raises.
"""

from __future__ import annotations

from .dropout import dropout
from .losses.classification import (  # noqa: F401 - the ops too, though they are not public
    bce,
    bce_with_logits,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    label_cross_entropy,
    softmax_cross_entropy,
)
from .losses.regression import huber, l1, mse

__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "dropout", "huber", "l1", "mse"]
