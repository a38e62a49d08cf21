"""Special functions: ``cupyx.scipy.special`` over SciPy's values."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import scipy.special

from . import real
from .functions import fill

__all__ = ["special_namespace"]


def yn(n: Any, x: Any) -> Any:
    return np.where(n < 0, np.nan, scipy.special.yn(n, x))  # CuPy's recurrence starts at order 0


class Functions:
    """SciPy's functions, with those above in their place."""

    def __getattr__(self, name: str) -> Any:
        return yn if name == "yn" else getattr(scipy.special, name)


def special_namespace() -> types.ModuleType:
    """``cupyx.scipy.special``."""
    module = types.ModuleType("cupyx.scipy.special")
    fill(module, real.special, Functions(), "special.")
    return module
