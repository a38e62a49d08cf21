"""Losses, a file per family; `xgrad.nn.functional` is their public place."""

from .classification import binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy
from .regression import huber, l1, mse

__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber", "l1", "mse"]
