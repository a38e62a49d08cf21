"""NumPy's functions of single elements that are not ufuncs, comparisons, choices and facts about a Tensor."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from .. import ops, special
from ..graph.kinds import refuse_complex
from ..tensor.tensor import Tensor
from .numpy_table import FUNCTIONS, as_tensor, implements, to_host

__all__: list[str] = []


def _is_infinite(name: str, x: Any, infinity: float) -> Any:
    refuse_complex(name, x=x)
    return x == infinity


def _is_complex(x: Any) -> bool:
    return x.dtype.kind == "complex floating"  # type: ignore[no-any-return]


FUNCTIONS.update(
    angle=ops.angle,
    astype=ops.astype,
    can_cast=ops.can_cast,
    nan_to_num=ops.nan_to_num,
    result_type=ops.result_type,
    sinc=ops.sinc,
    unwrap=ops.unwrap,
    real=lambda val: ops.real(val),
    imag=lambda val: ops.imag(val),
    fix=lambda x: ops.trunc(x),
    i0=lambda x: special.i0(x),
    shape=lambda a: a.shape,
    ndim=lambda a: a.ndim,
    size=lambda a, axis=None: a.size if axis is None else a.shape[axis],
    iscomplexobj=lambda x: _is_complex(x),
    isrealobj=lambda x: not _is_complex(x),
    iscomplex=lambda x: ops.imag(x) != 0 if _is_complex(x) else ops.zeros_like(x, dtype="bool"),
    isreal=lambda x: ops.imag(x) == 0 if _is_complex(x) else ops.ones_like(x, dtype="bool"),
    isneginf=lambda x: _is_infinite("isneginf", x, -math.inf),
    isposinf=lambda x: _is_infinite("isposinf", x, math.inf),
    where=lambda condition, *branches: ops.where(condition, *branches) if branches else ops.nonzero(condition),
    array_repr=lambda arr, *args, **kwargs: repr(arr),
    array_str=lambda a, *args, **kwargs: str(a),
)


@implements("round", "around")
def _round(a: Any, decimals: int = 0) -> Any:
    return ops.round(a * 10.0**decimals) / 10.0**decimals if decimals else ops.round(a)


@implements("clip")
def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    return ops.clip(a, min if a_min is None else a_min, max if a_max is None else a_max)


def _on_host(name: str) -> Callable[..., Any]:
    """NumPy's function on the host's copies, for comparisons and text: their results have no gradient."""

    def run(*args: Any, **kwargs: Any) -> Any:
        import numpy

        return getattr(numpy, name)(*map(to_host, args), **{key: to_host(value) for key, value in kwargs.items()})

    return run


FUNCTIONS.update({name: _on_host(name) for name in ("allclose", "isclose", "array_equal", "array_equiv", "array2string")})


@implements("may_share_memory")
def _may_share_memory(a: Any, b: Any, max_work: int | None = None) -> bool:
    import numpy

    arrays = [x.data if isinstance(x, Tensor) else x for x in (a, b)]
    if all(isinstance(x, numpy.ndarray) for x in arrays):
        return bool(numpy.may_share_memory(*arrays))
    return arrays[0] is arrays[1]


@implements("select")
def _select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    result = default
    for condition, choice in list(zip(condlist, choicelist, strict=True))[::-1]:
        result = ops.where(condition, choice, result)
    return result


@implements("choose")
def _choose(a: Any, choices: Sequence[Any]) -> Any:
    result = choices[0]
    for number, choice in enumerate(choices):
        result = ops.where(as_tensor(a) == number, choice, result)
    return result


@implements("piecewise")
def _piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
    conditions = list(condlist) if isinstance(condlist, (list, tuple)) else [condlist]
    y = ops.zeros_like(x)
    if len(funclist) == len(conditions) + 1:  # the last function is for where no condition holds
        conditions.append(~functools.reduce(ops.logical_or, map(as_tensor, conditions)))
    for condition, piece in zip(conditions, funclist, strict=True):
        y = ops.setitem(y, condition, piece(x[condition], *args, **kwargs) if callable(piece) else piece)
    return y
