"""Optimizers: pure update rules, and objects that apply them to the parameters of a module."""

from .optimizers import SGD, Adam, AdamW, Optimizer
from .rules import Rule, adam, adamw, sgd

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "Rule", "adam", "adamw", "sgd"]
