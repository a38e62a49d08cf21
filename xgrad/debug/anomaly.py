"""`detect_anomaly`: where was this NaN born?"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from ..backend.find import backend_of, inexact, raw_namespace
from ..graph.declare import Op
from ..graph.node import Input, Leaf, Node
from ..graph.recording import Recorder, watching
from ..interpreters.batch.arrays import Batched
from ..tensor.tensor import Tensor

__all__ = ["detect_anomaly"]


def detect_anomaly(*, infinities: bool = True) -> AbstractContextManager[None]:
    """Raise where a NaN or an infinity is born, forward and backward, instead of where it is found at last.

    In the body of a ``with`` statement every recorded call is looked at: if its output is not finite although its inputs are,
    or if a NaN comes in from outside, it is named. The calls made there are looked at again on the way back: a rule whose
    result is not finite although the cotangent and what the call saved are, is named.

    Parameters
    ----------
    infinities : bool
        Whether infinities count. Without, NaN alone do. Infinities that a call was given, as for a mask, never count.

    Raises
    ------
    FloatingPointError
        With the op, the argument, the line that called it, the index and the values there, and what to do.

    Notes
    -----
    Calls of which no argument requires grad are not looked at. In a function under `vmap` an index counts the examples too.
    Looking costs two passes over each array, and waits for a device: a tool for finding a mistake. Outside of it nothing is
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
    what the call saved are finite; at index (1,) the cotangent is 0.0 and the output 0.0. ...
    """
    return watching(_Detector(infinities))


class _Detector(Recorder):
    def __init__(self, infinities: bool) -> None:
        self.infinities = infinities

    def recorded(self, node: Node, output: Any, inputs: Any) -> None:
        _look_forward(node, output, inputs, self.infinities)
        node.op = _looked_at(node, self.infinities)


# --------------------------------------------------------------------------------------------------------------- forward


def _look_forward(node: Node, output: Any, inputs: Sequence[Any], infinities: bool) -> None:
    found = _state(output)
    if not found or (found == "inf" and not infinities):
        return
    names = _argument_names(node.op, len(inputs))
    states = [_state(x) for x in inputs]
    told = f"detect_anomaly: {node.name} (called at {node.line})"
    if found == "nan" and "nan" in states:
        k = states.index("nan")
        parent = node.parents[k] if k < len(node.parents) else None
        if isinstance(parent, Leaf) or parent is None or isinstance(parent, Input):
            whence = "a tensor of yours, and not the result of a call"
        else:
            whence = f"made by {parent.name} (called at {parent.line}), which was not looked at"
        raise FloatingPointError(
            f"{told} was given nan: its argument {names[k]} {_places(inputs[k])}. It is {whence}; look at the data, and at what "
            "prepared them."
        )
    if any(states) and found == "inf":  # it was given, as in a mask
        return
    kind, advice = ("infinite", _INFINITE) if any(states) else ("finite", _advice(node.op, "forward"))
    index = _first(output)
    values = _values(node.op, index, list(zip(names, inputs)))
    raise FloatingPointError(f"{told} gave {found} from {kind} arguments; at index {index}{values}. {advice}")


# -------------------------------------------------------------------------------------------------------------- backward


def _looked_at(node: Node, infinities: bool) -> Op[..., Any]:
    """A copy of the node's op whose rules look at what they return."""
    made = copy.copy(node.op)
    line = node.line  # not the node itself: it holds the op, and would never be freed
    made.rules = [rule and _looking(rule, node.op, k, line, infinities) for k, rule in enumerate(node.op.rules)]
    return made


def _looking(rule: Callable[..., Any], op: Op[..., Any], k: int, line: str, infinities: bool) -> Callable[..., Any]:
    @functools.wraps(rule)
    def looked(xp: Any, g: Any, saved: Any, *i: int) -> Any:
        d = rule(xp, g, saved, *i)
        found = _state(d)
        if not found or (found == "inf" and not infinities):
            return d
        before = [_state(g), *map(_state, saved)]
        if "nan" in before or (found == "inf" and any(before)):
            return d
        name = op.names[op.arrays[0 if op.sequence else k]] + "".join(f"[{j}]" for j in i)
        given = "are finite" if not any(before) else "have infinities but no nan"
        values = ""
        index: tuple[int, ...] = ()
        if not isinstance(d, (list, tuple)):
            index = _first(d)
            arrays = [(op.names[a], saved[a]) for a in op.arrays] if not op.sequence else []
            y = saved[len(op.names)]
            seen = [("the cotangent", g), *arrays, ("the output", y)]
            values = _values(op, index, [(n, v) for n, v in seen if v is not None])
        at = f"; at index {index}{values}" if values else ""
        raise FloatingPointError(
            f"detect_anomaly: the gradient of {op.name} (called at {line}) in its argument {name} is {found}, though the "
            f"cotangent and what the call saved {given}{at}. {_advice(op, 'backward')}"
        )

    return looked


# ----------------------------------------------------------------------------------------------------------- what is told


def _state(x: Any) -> str:
    """``"nan"``, ``"inf"``, or nothing if all numbers in an array, or in a sequence of them, are finite."""
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
    """The raw array in a Tensor; that of a whole batch, for one that stands for its examples."""
    while isinstance(x, (Tensor, Batched)):
        x = x._data if isinstance(x, Tensor) else x.payload
    return x


def _host(x: Any) -> Any:
    data = _array(x)
    return raw_namespace(data).__backend__.to_numpy(data) if hasattr(data, "dtype") else data


def _first(x: Any) -> tuple[int, ...]:
    """Where the first number in an array stands that is not finite."""
    import numpy

    if isinstance(x, (list, tuple)):
        x = next(v for v in x if _state(v))
    host = _host(x)
    bad = numpy.isnan(host) if _state(x) == "nan" else ~numpy.isfinite(host)
    return tuple(int(i) for i in numpy.argwhere(bad)[0])


def _places(x: Any) -> str:
    return f"is nan at index {_first(x)}" if getattr(_array(x), "shape", ()) else "is nan"


def _values(op: Op[..., Any], index: tuple[int, ...], named: Sequence[tuple[str, Any]]) -> str:
    """The numbers that made the one at `index`, where that is one of each array: for elementwise ops."""
    import numpy

    if not any(push is not None and push.way == "elementwise" for push in op.pushes):
        return ""
    parts: list[str] = []
    for name, x in named:
        host = numpy.asarray(_host(x))
        own = index[len(index) - host.ndim :] if host.ndim <= len(index) else ()
        if len(own) == host.ndim and all(n == 1 or i < n for i, n in zip(own, host.shape)):
            value = host[tuple(0 if n == 1 else i for i, n in zip(own, host.shape))]
            parts.append(f"{name} {'' if parts else 'is '}{value}")
    return " " + " and ".join(parts) if parts else ""


def _argument_names(op: Op[..., Any], count: int) -> list[str]:
    if op.sequence:
        return [f"{op.names[op.arrays[0]]}[{k}]" for k in range(count)]
    return [op.names[i] for i in op.arrays]


def _advice(op: Op[..., Any], way: str) -> str:
    for names, advice in _ADVICE[way].items():
        if op.name in names.split():
            return advice
    return _ADVICE[way]["otherwise"]


_INFINITE = "inf - inf, inf / inf and 0 * inf are nan: find where the infinity came from."
_ADVICE = {
    "forward": {
        "log log2 log10 log1p sqrt": "Keep its argument inside of its domain: clip it, or add a small number.",
        "acos asin acosh atanh": "Rounding can lead out of the domain: clip the argument a little inside of it.",
        "divide reciprocal remainder floor_divide": "Do not divide by zero: divide by where(d == 0, 1, d), and choose the result "
        "with another where.",
        "exp expm1 sinh cosh pow square multiply": "It overflows: compute with logarithms (logsumexp, log_softmax, logaddexp), "
        "subtract the maximum first, or scale down.",
        "cholesky inv solve det slogdet eigh svd": "The matrix is singular, or nearly so: add a small multiple of the identity.",
        "otherwise": "Look at its arguments there.",
    },
    "backward": {
        "sqrt pow log log2 log10 divide reciprocal acos asin acosh atanh": "Its slope is infinite there. If a where is to choose "
        "another branch, keep the argument away by a where inside too: where(c, f(where(c, x, 1)), 0).",
        "eigh svd qr eig svdvals eigvalsh": "Repeated eigenvalues or singular values have no derivative of their vectors.",
        "otherwise": "If this op is yours, its rule divides by zero or overflows there; else keep its argument away from there.",
    },
}
