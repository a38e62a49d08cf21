"""The public face of `xgrad.solve.optimize`: SciPy's optimizers for functions of nested arrays."""

from __future__ import annotations

from .solve.optimize import least_squares, minimize

__all__ = ["least_squares", "minimize"]
