"""SciPy's optimizers for functions of nested arrays, with exact derivatives; see `xgrad.solve.optimize`."""

from __future__ import annotations

from .solve.optimize import least_squares, minimize

__all__ = ["least_squares", "minimize"]
