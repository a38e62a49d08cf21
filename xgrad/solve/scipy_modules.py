"""SciPy's modules, imported when a function needs them: SciPy is optional."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["scipy_module"]


def scipy_module(name: str, caller: str) -> Any:
    """The module ``scipy.name``; `caller` is the public function that needs it.

    Raises
    ------
    ImportError
        If SciPy is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(f"scipy.{name}")
    except ImportError:
        raise ImportError(f"{caller}: it needs SciPy, which is not installed: python -m pip install scipy") from None
