"""Optimizers: update rules, objects that apply them to parameters, schedules of learning rates, clipping."""

from .clipping import clip_grad_norm, clip_grad_value
from .optimizer import Optimizer
from .optimizers import SGD, Adam, AdamW
from .rules import Rule, adam, adamw, sgd
from .schedules import Schedule, cosine, exponential, linear, piecewise

__all__ = [
    "SGD", "Adam", "AdamW", "Optimizer", "Rule", "Schedule", "adam", "adamw", "clip_grad_norm", "clip_grad_value", "cosine",
    "exponential", "linear", "piecewise", "sgd",
]  # fmt: skip
