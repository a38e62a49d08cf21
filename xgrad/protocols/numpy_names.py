"""NumPy's names for functions that the standard calls otherwise, and the error for functions that Tensors do not take."""

from __future__ import annotations

from typing import Any

from ..graph.names import xg

__all__ = ["name_in_xgrad", "refusal", "standard_name"]

_NAMES = {
    "absolute": "abs", "fabs": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh",
    "arctan": "atan", "arctan2": "atan2", "arctanh": "atanh", "conjugate": "conj", "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift", "right_shift": "bitwise_right_shift", "power": "pow", "rint": "round",
    "true_divide": "divide", "mod": "remainder", "concatenate": "concat", "around": "round", "amax": "max", "amin": "min",
    "bitwise_not": "bitwise_invert", "cumsum": "cumulative_sum", "cumprod": "cumulative_prod", "transpose": "permute_dims",
    "linalg.norm": "linalg.vector_norm", "row_stack": "concat", "degrees": "rad2deg",
    "radians": "deg2rad", "float_power": "pow", "hstack": "concat", "vstack": "concat",
}  # fmt: skip


def standard_name(name: str) -> str:
    """The standard's name of NumPy's function `name`; most are the same."""
    return _NAMES.get(name, name)


def name_in_xgrad(name: str) -> str | None:
    """The name of the function in xgrad that corresponds to NumPy's function `name`, if there is one."""
    name = standard_name(name)
    function: Any = xg
    for part in name.split("."):
        function = getattr(function, part, None)
    return name if callable(function) else None


def refusal(label: str, name: str) -> TypeError:
    """The error for NumPy's function `name`, which Tensors do not take; it names xgrad's function if there is one.

    Parameters
    ----------
    label : str
        The function as the message calls it, such as ``"numpy.add.reduceat"``.
    name : str
        Its name less ``numpy.``, to look for in xgrad; empty if there is nothing to look for.
    """
    if alternative := name_in_xgrad(name):
        return TypeError(f"{label} does not take xgrad tensors; use xgrad.{alternative}")
    return TypeError(
        f"{label} does not take xgrad tensors, and xgrad has no such function; pass x.detach().numpy() if no gradient is wanted"
    )
