"""An error that was caught leaves nothing behind: no operand waits for Python's garbage collector.

An error holds its traceback, that the frames, and these all operands. A frame that holds the error in turn closes the cycle.
"""

from __future__ import annotations

import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, optim


@xgrad.op
def _broken_rule(xp: Any, x: Tensor, /) -> Any:
    return x * 2


_broken_rule.vjp(x=lambda g: g.no_such_attribute)


@xgrad.op
def _wrong_shape(xp: Any, x: Tensor, /) -> Any:
    return x * 2


_wrong_shape.vjp(x=lambda xp, g: xp.reshape(g, (-1,))[:2])


@xgrad.op
def _no_rule(xp: Any, x: Tensor, /) -> Any:
    return x * 2


@xgrad.composite
def _broken_composite(xp: Any, x: Tensor, /) -> Any:
    return xp.sum(x) + xp.reshape(x, (7, 7))


@xgrad.op
def _broken_pair(xp: Any, x: Tensor, other: Tensor, third: Tensor, /) -> tuple[Any, Any]:
    raise ValueError("of its own")


def _backward(y: Tensor) -> None:
    y.backward()


def _freed(x: Tensor) -> None:
    y = xgrad.sum(xgrad.exp(x))
    y.backward()
    y.backward()


def _hooked(x: Tensor) -> None:
    y = x * 2
    y.register_hook(lambda g: xgrad.ones(3))
    xgrad.sum(y).backward()


def _written(x: Tensor) -> None:
    y = xgrad.sum(xgrad.exp(x) * x)
    x.data *= 2
    y.backward()


def _guarded(x: Tensor) -> None:
    with xgrad.guard_writes():
        y = xgrad.sum(xgrad.exp(x) * x)
    x._data *= 2
    y.backward()


def _no_values(x: Tensor) -> Any:
    return x * 2 if bool(x[0, 0] > 0) else x


FAILURES: dict[str, Callable[[Tensor], Any]] = {
    "shapes": lambda x: x + xgrad.ones(7),
    "shapes, reflected": lambda x: np.ones(7) * x,
    "shapes of three": lambda x: xgrad.where(x > 0, x, xgrad.ones(7)),
    "matmul": lambda x: x @ xgrad.ones(7),
    "dtypes": lambda x: xgrad.bitwise_and(x, x),
    "axis": lambda x: xgrad.sum(x, axis=7),
    "one array": lambda x: xgrad.reshape(x, (7, 7)),
    "key": lambda x: x[99],
    "key of arrays": lambda x: x[[99]],
    "write": lambda x: (x * 1).__setitem__(0, xgrad.ones(7)),
    "write into a leaf": lambda x: x.__setitem__(0, 1.0),
    "in place": lambda x: (x * 1).__iadd__(xgrad.ones((2, *x.shape))),
    "sequence": lambda x: xgrad.concat([x, xgrad.ones(7)]),
    "several outputs": lambda x: xgrad.linalg.eigh(x[:2]),
    "several arrays": lambda x: _broken_pair(x, x, x),
    "composite": _broken_composite,
    "not an array": lambda x: x + object(),
    "not an array in a function": lambda x: xgrad.add(x, object()),
    "ragged": lambda x: xgrad.asarray([[x, x], [x]]),
    "no derivative": lambda x: _no_rule(x),
    "another backend": lambda x: x + xgrad.namespace("strict").ones(2),
    "rule raises": lambda x: xgrad.sum(_broken_rule(x)).backward(),
    "rule raises, with a graph": lambda x: xgrad.sum(_broken_rule(x)).backward(create_graph=True),
    "rule of a wrong shape": lambda x: xgrad.sum(_wrong_shape(x)).backward(),
    "backward of many": lambda x: (x * 2).backward(),
    "freed": _freed,
    "hook": _hooked,
    "written": _written,
    "guarded": _guarded,
    "grad": lambda x: xgrad.grad(lambda v: xgrad.sum(v + xgrad.ones(7)))(x.data),
    "grad of a rule that raises": lambda x: xgrad.grad(lambda v: xgrad.sum(_broken_rule(v)))(x.data),
    "grad of many": lambda x: xgrad.grad(lambda v: v * 2)(x.data),
    "vjp": lambda x: xgrad.vjp(lambda v: v + xgrad.ones(7), x.data),
    "jvp": lambda x: xgrad.jvp(lambda v: v + xgrad.ones(7), (x.data,), (x.data,)),
    "jvp of a rule that raises": lambda x: xgrad.jvp(_broken_rule, (x.data,), (x.data,)),
    "jacobian": lambda x: xgrad.jacobian(lambda v: v + xgrad.ones(7))(x.data),
    "hessian": lambda x: xgrad.hessian(lambda v: xgrad.sum(_broken_rule(v) ** 2))(x.data),
    "vmap": lambda x: xgrad.vmap(lambda v: v + xgrad.ones(7))(x.data),
    "vmap of values": lambda x: xgrad.vmap(_no_values)(x.data[None]),
    "vmap of grad": lambda x: xgrad.vmap(xgrad.grad(lambda v: xgrad.sum(_broken_rule(v))))(x.data),
    "checkpoint": lambda x: xgrad.checkpoint(lambda v: v + xgrad.ones(7))(x),
    "checkpoint on the way back": lambda x: xgrad.sum(xgrad.checkpoint(_broken_rule)(x)).backward(),
    "numpy function": lambda x: np.concatenate([x, xgrad.ones(7)]),
    "numpy function that is unknown": lambda x: np.trim_zeros(x),
    "numpy ufunc": lambda x: np.add(x, np.ones(7)),
    "asarray": lambda x: np.asarray(x),
    "linear algebra": lambda x: xgrad.linalg.cholesky(-x @ x.T),
    "special": lambda x: xgrad.special.gammaln(x, x),  # type: ignore[call-arg]
    "pickle": lambda x: pickle.dumps(x * 2),
    "item": lambda x: x.item(),
    "iteration": lambda x: iter(xgrad.sum(x)),
    "data": lambda x: setattr(x, "data", xgrad.ones(7)),
    "gradient": lambda x: setattr(x, "grad", xgrad.ones(7)),
    "optimizer": lambda x: optim.SGD([x * 2], lr=0.1),
    "fft": lambda x: xgrad.fft.fft(x, n=-3),
    "astype": lambda x: xgrad.astype(x + 1j, xgrad.float32),
    "device": lambda x: x.to_device("no such device"),
    "at": lambda x: x.at[0].add(xgrad.ones(7)),
    "einsum": lambda x: xgrad.einsum("ij,jk,k", x, x, x),
    "interp": lambda x: xgrad.interp(x, x, x),
    "diff": lambda x: xgrad.diff(x, axis=9),
    "scipy": lambda x: xgrad.scipy.ndimage.gaussian_filter(x, sigma="wide"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("tracked", [True, False], ids=["tracked", "constant"])
@pytest.mark.parametrize("name", FAILURES)
def test_a_caught_error_keeps_no_operand_alive(name: str, tracked: bool) -> None:
    raised = 0

    def attempt() -> list[Any]:
        nonlocal raised
        host = np.ones((5, 6))
        x = Tensor(host, requires_grad=tracked)
        try:
            FAILURES[name](x)
        except Exception:
            raised = 1
        return [weakref.ref(host), weakref.ref(x)]

    attempt()  # an import or another action that is done only once may leave cycles
    if not raised:
        assert not tracked, f"{name}: was expected to fail"
        return
    gc.disable()
    try:
        left = attempt()
        assert [ref() is None for ref in left] == [True, True]
    finally:
        gc.enable()
