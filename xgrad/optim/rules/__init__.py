"""Update rules, a file per family: pure functions on the arrays of one parameter."""

from .adam import adam, adamw
from .rule import Rule
from .sgd import sgd

__all__ = ["Rule", "adam", "adamw", "sgd"]
