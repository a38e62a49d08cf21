"""NumPy's functions that are not ufuncs, called on Tensors: the protocol ``__array_function__`` (NEP 18).

The functions themselves are in the files of this folder, by subject; importing them fills the table.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from ..graph.names import public
from . import numpy_elementwise, numpy_indexing, numpy_linear_algebra, numpy_reductions, numpy_shapes  # noqa: F401
from .numpy_names import name_in_xgrad, refusal
from .numpy_table import FUNCTIONS

__all__ = ["FUNCTIONS", "array_function"]


@public
def array_function(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call xgrad's counterpart of a NumPy function that is not a ufunc, on arguments with a Tensor among them.

    Parameters
    ----------
    function : callable
        The function of NumPy that was called.
    args, kwargs
        Its arguments.

    Raises
    ------
    TypeError
        If xgrad has no counterpart, or an argument has no meaning for Tensors; the message names the function of xgrad to
        use, where there is one.
    """
    name = _name(function)
    run = FUNCTIONS.get(name)
    if run is None:
        raise refusal(_label(function), name)
    try:
        return run(*args, **kwargs)
    except TypeError:
        _check_arguments(_label(function), name, run, args, kwargs)
        raise


def _label(function: Any) -> str:
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module}.{function.__name__}"


@functools.lru_cache(maxsize=1024)
def _name(function: Any) -> str:
    return _label(function).removeprefix("numpy.")


def _check_arguments(label: str, name: str, run: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Raise if `run` has no such parameters. This takes longer than a call, and is asked only after one that failed."""
    try:
        inspect.signature(run).bind(*args, **kwargs)
    except TypeError as error:
        alternative = name_in_xgrad(name)
        hint = f"; xgrad.{alternative} has the standard's arguments" if alternative else ""
        raise TypeError(f"{label} on xgrad tensors: {error}{hint}") from None
