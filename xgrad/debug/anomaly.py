"""`detect_anomaly`, which finds the call where a NaN or an infinity first appears."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from ..backend.find import backend_of, inexact, is_numpy_scalar, library_array, raw_namespace
from ..graph.declare import Op
from ..graph.node import Input, Leaf, Node
from ..graph.recording import Recorder, watching

__all__ = ["detect_anomaly"]


def detect_anomaly(*, infinities: bool = True) -> AbstractContextManager[None]:
    """Raise an error at the call where a NaN or an infinity first appears, forward or backward.

    It checks every recorded call in the body of a ``with`` statement. It raises if the output is not finite although the
    inputs are, or if an input has a NaN from outside. The backward pass checks the same calls: it raises if a gradient is not
    finite although the cotangent and the saved arrays are.

    Parameters
    ----------
    infinities : bool
        Whether to report infinities too, or only NaN. Infinities in the inputs of a call, as in a mask, are never reported.

    Raises
    ------
    FloatingPointError
        The message names the op, the argument, the line that called it, the index, the values there, and what to do.

    Notes
    -----
    Calls without an argument that requires grad are not checked. In a function under `vmap` the first index is that of the
    example. A check takes two passes over each array and waits for the device. Code outside of the ``with`` statement is not
    slower.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> x = xgrad.Tensor([1.0, 0.0], requires_grad=True)
    >>> with xgrad.detect_anomaly(), np.errstate(invalid="ignore"):  # NumPy's own warning says less
    ...     y = xgrad.where(x > 0, xgrad.sqrt(x), 0.0).sum()
    ...     y.backward()
    Traceback (most recent call last):
    ...
    FloatingPointError: detect_anomaly: the gradient of sqrt (called at ...) in its argument x is nan, though the cotangent and
    the saved arrays are finite; at index (1,) the cotangent is 0.0 and the output 0.0. ...
    """
    return watching(_Detector(infinities))


class _Detector(Recorder):
    """Checks each recorded call, and gives its node rules that check themselves."""

    def __init__(self, infinities: bool) -> None:
        self.infinities = infinities

    def recorded(self, node: Node, output: Any, inputs: Any) -> None:
        _check_call(node, output, inputs, self.infinities)
        node.op = _with_checks(node, self.infinities)


# --------------------------------------------------------------------------------------------------------------- forward


def _check_call(node: Node, output: Any, inputs: Sequence[Any], infinities: bool) -> None:
    """Raise if the output of a call is not finite and the call is the reason, or the user's data."""
    state = _state(output)
    if not state or (state == "inf" and not infinities):
        return
    op = node.op
    assert op is not None
    names = _argument_names(op, len(inputs))
    states = [_state(x) for x in inputs]
    call = f"detect_anomaly: {node.name} (called at {node.line})"
    if state == "nan" and "nan" in states:
        k = states.index("nan")
        parent = node.parents[k] if k < len(node.parents) else None
        if parent is None or isinstance(parent, (Leaf, Input)):
            origin = "a tensor of yours, not the result of a call"
        else:
            origin = f"the result of {parent.name} (called at {parent.line}), which was not checked"
        raise FloatingPointError(
            f"{call} was given nan: its argument {names[k]} {_nan_at(inputs[k])}. It is {origin}; look at the data, and at the "
            "code that prepares them."
        )
    if any(states) and state == "inf":  # an infinity that was passed in, as in a mask
        return
    arguments, advice = ("infinite", _INFINITE) if any(states) else ("finite", _advice(op, "forward"))
    index = _first(output)
    values = _values(op, index, list(zip(names, inputs)))
    raise FloatingPointError(f"{call} gave {state} from {arguments} arguments; at index {index}{values}. {advice}")


# -------------------------------------------------------------------------------------------------------------- backward


def _with_checks(node: Node, infinities: bool) -> Op[..., Any]:
    """A copy of the node's op whose rules check the gradients that they return."""
    op, line = node.op, node.line  # not the node itself: it would hold the new op, which holds the node
    assert op is not None
    new = copy.copy(op)
    new.rules = [rule and _checked(rule, op, k, line, infinities) for k, rule in enumerate(op.rules)]
    return new


def _checked(rule: Callable[..., Any], op: Op[..., Any], k: int, line: str, infinities: bool) -> Callable[..., Any]:
    """The rule of the array argument `k`, with a check of its result."""

    @functools.wraps(rule)
    def checked(xp: Any, g: Any, saved: Any, *i: int) -> Any:
        d = rule(xp, g, saved, *i)
        state = _state(d)
        if not state or (state == "inf" and not infinities):
            return d
        states = [_state(g), *map(_state, saved)]
        if "nan" in states or (state == "inf" and any(states)):
            return d
        name = op.names[op.arrays[0 if op.sequence else k]] + "".join(f"[{j}]" for j in i)
        inputs = "are finite" if not any(states) else "have infinities but no nan"
        values = ""
        index: tuple[int, ...] = ()
        if not isinstance(d, (list, tuple)):
            index = _first(d)
            arrays = [(op.names[a], saved[a]) for a in op.arrays] if not op.sequence else []
            y = saved[len(op.names)]
            named = [("the cotangent", g), *arrays, ("the output", y)]
            values = _values(op, index, [(n, v) for n, v in named if v is not None])
        at = f"; at index {index}{values}" if values else ""
        raise FloatingPointError(
            f"detect_anomaly: the gradient of {op.name} (called at {line}) in its argument {name} is {state}, though the "
            f"cotangent and the saved arrays {inputs}{at}. {_advice(op, 'backward')}"
        )

    return checked


# ----------------------------------------------------------------------------------------------------- facts for messages


def _state(x: Any) -> str:
    """``"nan"``, ``"inf"``, or the empty string if all numbers of an array, or of a sequence of arrays, are finite."""
    if isinstance(x, (list, tuple)):
        states = {_state(v) for v in x}
        return "nan" if "nan" in states else "inf" if "inf" in states else ""
    data = _array(x)
    if isinstance(data, (float, complex)):
        return "nan" if data != data else "inf" if abs(data) == float("inf") else ""
    if not hasattr(data, "dtype") or backend_of(data) is None or not inexact(data):
        return ""
    xp = raw_namespace(data)
    if bool(xp.all(xp.isfinite(data))):
        return ""
    return "nan" if bool(xp.any(xp.isnan(data))) else "inf"


def _array(x: Any) -> Any:
    """The raw array in a Tensor; within `vmap`, that of the whole batch."""
    x = getattr(x, "_data", x)
    return library_array(x) if hasattr(x, "dtype") and not is_numpy_scalar(x) else x


def _host(x: Any) -> Any:
    data = _array(x)
    return raw_namespace(data).__backend__.to_numpy(data) if hasattr(data, "dtype") else data


def _first(x: Any) -> tuple[int, ...]:
    """The index of the first NaN in an array, or of the first infinity if there is no NaN."""
    import numpy

    if isinstance(x, (list, tuple)):
        x = next(v for v in x if _state(v))
    host = _host(x)
    mask = numpy.isnan(host) if _state(x) == "nan" else ~numpy.isfinite(host)
    return tuple(int(i) for i in numpy.argwhere(mask)[0])


def _nan_at(x: Any) -> str:
    return f"is nan at index {_first(x)}" if getattr(_array(x), "shape", ()) else "is nan"


def _values(op: Op[..., Any], index: tuple[int, ...], named: Sequence[tuple[str, Any]]) -> str:
    """Text that gives the element of each array from which the result at `index` was computed; only for elementwise ops."""
    import numpy

    if not any(push is not None and push.way == "elementwise" for push in op.pushes):
        return ""
    parts: list[str] = []
    for name, x in named:
        host = numpy.asarray(_host(x))
        position = index[len(index) - host.ndim :] if host.ndim <= len(index) else ()  # as arrays broadcast
        if len(position) == host.ndim and all(n == 1 or i < n for i, n in zip(position, host.shape)):
            value = host[tuple(0 if n == 1 else i for i, n in zip(position, host.shape))]
            parts.append(f"{name} {'' if parts else 'is '}{value}")
    return " " + " and ".join(parts) if parts else ""


def _argument_names(op: Op[..., Any], count: int) -> list[str]:
    if op.sequence:
        return [f"{op.names[op.arrays[0]]}[{k}]" for k in range(count)]
    return [op.names[i] for i in op.arrays]


def _advice(op: Op[..., Any], direction: str) -> str:
    """What to do about a mistake in `op`; `direction` is ``"forward"`` or ``"backward"``."""
    for names, advice in _ADVICE[direction].items():
        if op.name in names.split():
            return advice
    return _ADVICE[direction]["otherwise"]


_INFINITE = "inf - inf, inf / inf and 0 * inf are nan: find where the infinity came from."
_ADVICE = {
    "forward": {
        "log log2 log10 log1p sqrt": "Keep its argument inside its domain: clip it, or add a small number.",
        "acos asin acosh atanh": "Rounding can move the argument out of the domain: clip it to slightly less than the domain.",
        "divide reciprocal remainder floor_divide": "Do not divide by zero: divide by where(d == 0, 1, d), and select the result "
        "with another where.",
        "exp expm1 sinh cosh pow square multiply": "It overflows: compute with logarithms (logsumexp, log_softmax, logaddexp), "
        "subtract the maximum first, or scale down.",
        "cholesky inv solve det slogdet eigh svd": "The matrix is singular, or almost: add a small multiple of the identity.",
        "otherwise": "Look at its arguments there.",
    },
    "backward": {
        "sqrt pow log log2 log10 divide reciprocal acos asin acosh atanh": "Its slope is infinite there. If a where selects "
        "another branch there, change the argument with a where inside too: where(c, f(where(c, x, 1)), 0).",
        "eigh svd qr eig svdvals eigvalsh": "Repeated eigenvalues or singular values have no derivative of their vectors.",
        "otherwise": "If this op is yours, its rule divides by zero or overflows there; else avoid this value of its argument.",
    },
}
