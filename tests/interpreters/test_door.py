"""Interpreters other than vmap: two small ones, written with what `xgrad.interpreters` offers and without help of the engine."""

from __future__ import annotations

import functools
import types
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, grad, hessian, jvp, vmap
from xgrad.backend import Backend, find_backend, raw_namespace
from xgrad.graph.names import registry
from xgrad.graph.recording import interpreters
from xgrad.interpreters.interpreter import Interpreter, LiftedBackend, lifted
from xgrad.tensor.tensor import wrap

from ..harness.backends import device_of

rng = np.random.default_rng(0)
XS, W, A = rng.normal(size=(5, 3)), rng.normal(size=3), rng.normal(size=(4, 3))
COUNTS: Counter[tuple[int, str]] = Counter()
"""How often each op ran at each level."""


class Array:
    """An array of an interpreter: another array, in `payload`."""

    __slots__ = ("payload",)
    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]
    backend: Any

    def __init__(self, payload: Any) -> None:
        self.payload = payload

    shape = property(lambda self: tuple(_raw(self.payload).shape))
    dtype = property(lambda self: _raw(self.payload).dtype)
    ndim = property(lambda self: len(self.shape))
    device = property(lambda self: raw_namespace(_raw(self.payload)).__backend__.device(_raw(self.payload)))

    def __getitem__(self, key: Any) -> Any:
        return self.backend.get_item(self, key)


def is_array(x: Any) -> bool:
    return hasattr(x, "shape") and hasattr(x, "dtype") and not isinstance(x, type)


def _raw(x: Any) -> Any:
    return x._data if isinstance(x, Tensor) else x


def opened(x: Any) -> Any:
    """`x` with the payloads of the arrays in it, at any depth."""
    if isinstance(x, Array):
        return x.payload
    return type(x)(map(opened, x)) if type(x) in (tuple, list) else x


class CountingBackend(LiftedBackend):
    """What both interpreters have in common."""

    def closed(self, y: Any) -> Any:
        """`y` with each array in it as one of this level."""
        if isinstance(y, (tuple, list)):
            return type(y)(*map(self.closed, y)) if hasattr(y, "_fields") else type(y)(map(self.closed, y))
        return self.lift(y) if is_array(y) else y

    def lower(self, x: Any) -> Tensor:
        return x.payload if isinstance(x.payload, Tensor) else wrap(x.payload)

    def to_numpy(self, x: Any) -> Any:
        inner = _raw(x.payload)
        return raw_namespace(inner).__backend__.to_numpy(inner)


# ------------------------------------------------------------------------- Tensors inside, and so the graph, as in vmap


class Inside(Array):
    __slots__ = ()


class InsideBackend(CountingBackend):
    """Each op of this level is the same op on the payloads, which are Tensors."""

    array_class = Inside

    def namespace(self) -> types.ModuleType:
        xp = types.ModuleType(f"counted{self.level}")
        for part in ("linalg", "fft"):
            setattr(xp, part, types.ModuleType(part))
            getattr(xp, part).__getattr__ = lambda name, part=part: self._on_payloads(getattr(getattr(xgrad, part), name))
        for name, hook in {"getitem": "get_item", "setitem": "set_item", "scatter_add": "scatter_add"}.items():
            setattr(xp, hook, self._on_payloads(getattr(xgrad, name)))
        xp.__dict__.update(__backend__=self, __getattr__=self._look_up)
        return xp

    def _look_up(self, name: str) -> Any:
        if name in registry:
            return self._on_payloads(getattr(xgrad, name, registry[name].call))
        value = getattr(self.base.xp, name)  # a dtype, a constant, or a function that makes arrays
        return self._on_payloads(value) if callable(value) and not isinstance(value, type) else value

    def _on_payloads(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **options: self.closed(function(*opened(args), **options))

    def lift(self, x: Any) -> Any:
        if x.__class__ is self.cls:
            return x
        return self.cls(wrap(x._data, x._node) if isinstance(x, Tensor) else wrap(x))

    def run(self, op: Any) -> Callable[..., Any]:
        def run(xp: Any, *values: Any) -> Any:
            COUNTS[self.level, op.name] += 1
            payloads = list(opened(values))
            if op.key_at is not None:  # an index has raw arrays in it
                key = values[op.key_at]
                parts = tuple(_raw(opened(_raw(part))) for part in (key if isinstance(key, tuple) else (key,)))
                payloads[op.key_at] = parts if isinstance(key, tuple) else parts[0]
            return self.closed(op.call(*payloads))

        return run

    def detach(self, x: Any) -> Any:
        return self.cls(x.payload.detach())


# ------------------------------------------------------------ raw arrays inside, and the graph outside, as in captured steps


class Outside(Array):
    __slots__ = ()


class OutsideBackend(CountingBackend):
    """Each function of the library is the same function of the payloads, which are raw arrays."""

    array_class = Outside
    graph_inside = False

    def import_namespace(self) -> Any:
        return self._wrapped(self.base.xp, ())

    def _wrapped(self, source: Any, path: tuple[str, ...]) -> Any:
        out = types.ModuleType("counted")
        for name in [name for name in dir(source) if not name.startswith("_")]:
            value = getattr(source, name)
            if name in ("linalg", "fft") and not path:
                value = self._wrapped(value, (name,))
            elif callable(value) and not isinstance(value, type):
                value = self._below(lambda backend, at=(*path, name): functools.reduce(getattr, at, backend.xp))
            setattr(out, name, value)
        return out

    def _below(self, find: Callable[[Backend], Callable[..., Any]]) -> Callable[..., Any]:
        """A function of the payloads' backend, which is that of the highest level."""

        def arrays(x: Any) -> Iterator[Any]:
            if isinstance(x, (tuple, list)):
                for part in x:
                    yield from arrays(part)
            elif is_array(x):
                yield x

        def function(*args: Any, **options: Any) -> Any:
            args = opened(args)
            backends = [raw_namespace(x).__backend__ for x in arrays(args)]
            return self.closed(find(max(backends, key=lambda b: b.level, default=self.base))(*args, **options))

        return function

    def lift(self, x: Any) -> Any:
        return x if x.__class__ is self.cls else self.cls(_raw(x))

    def run(self, op: Any) -> Callable[..., Any]:
        def run(xp: Any, *values: Any) -> Any:
            COUNTS[self.level, op.name] += 1
            return op.forward(xp, *values)

        return run

    def special(self, name: str) -> Callable[..., Any] | None:
        return self._below(lambda backend: backend.special(name)) if self.base.special(name) is not None else None  # type: ignore[arg-type,return-value]

    get_item = lambda self, x, key: self._below(lambda backend: backend.get_item)(x, key)
    set_item = lambda self, x, key, value: self._below(lambda backend: backend.set_item)(x, key, value)
    scatter_add = lambda self, x, key, value: self._below(lambda backend: backend.scatter_add)(x, key, value)


# ------------------------------------------------------------------------------------------------------------- the tests


class Counting(Interpreter):
    def __init__(self, backend_class: type[CountingBackend]) -> None:
        super().__init__()
        self.backend_class = backend_class

    def backend(self, base: Backend) -> CountingBackend:
        return self.backend_class.at(base, self.level)


@pytest.fixture(params=[InsideBackend, OutsideBackend], ids=["graph inside", "graph outside"])
def counted(request: Any) -> Any:
    """A transform: the function runs on arrays of the interpreter."""
    COUNTS.clear()

    def transform(f: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            token = interpreters.set((*interpreters.get(), Counting(request.param)))
            try:
                y = f(*(lifted(x if isinstance(x, Tensor) else Tensor(x)) for x in args))
            finally:
                interpreters.reset(token)
            backend = raw_namespace(y._data).__backend__
            return backend.lower(y._data) if backend.level else y

        return run

    return transform


def close(a: Any, b: Any) -> None:
    a, b = (x.detach().numpy() if isinstance(x, Tensor) else np.asarray(x) for x in (a, b))
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


FUNCTIONS: list[Callable[[Any], Any]] = [
    lambda x: xgrad.sum(xgrad.tanh(W * x) ** 2),
    lambda x: xgrad.sum(xgrad.softmax(A @ x)[1:] * 2.0),
    lambda x: xgrad.logsumexp(x) + xgrad.linalg.vector_norm(x) - xgrad.sum(xgrad.erf(x)),
    lambda x: xgrad.sum(x[np.array([0, 2, 2])] * xgrad.cumulative_sum(x)),
    lambda x: xgrad.sum(xgrad.where(x > 0, x, 0.1 * x) * xgrad.zeros_like(x) + xgrad.concat([x, x])[1:4]),
    lambda x: xgrad.sum(xgrad.linalg.solve(xgrad.eye(3, dtype=x.dtype) + x[:, None] * x, x)),
    lambda x: xgrad.max(xgrad.sort(x)) + xgrad.std(x) + xgrad.sum(xgrad.abs(xgrad.fft.rfft(x)) ** 2),
]
each = pytest.mark.parametrize("f", FUNCTIONS, ids=range(len(FUNCTIONS)))


def test_ops_run_at_the_level(counted: Any) -> None:
    close(counted(lambda x: xgrad.sin(x) * 2.0 + W)(XS[0]), np.sin(XS[0]) * 2 + W)
    assert COUNTS == {(1, "sin"): 1, (1, "multiply"): 1, (1, "add"): 1}
    COUNTS.clear()
    w = Tensor(W)
    close(counted(lambda x: counted(lambda y: xgrad.exp(y) * w)(x) - xgrad.exp(w))(XS[0]), np.exp(XS[0]) * W - np.exp(W))
    assert COUNTS[2, "exp"] == COUNTS[2, "multiply"] == COUNTS[1, "subtract"] == 1
    assert (1, "exp") not in COUNTS or COUNTS[1, "exp"] == 1  # the op of level 2 on payloads, if these are Tensors


@each
def test_values(f: Any, counted: Any) -> None:
    close(counted(f)(XS[0]), f(Tensor(XS[0])))


@each
def test_derivatives_within(f: Any, counted: Any) -> None:
    x, v = Tensor(XS[0]), Tensor(XS[1])
    close(counted(grad(f))(x), grad(f)(x))
    close(counted(hessian(f))(x), hessian(f)(x))
    close(counted(lambda x: jvp(f, (x,), (v,))[1])(x), jvp(f, (x,), (v,))[1])

    def by_backward(x: Any) -> Any:
        x = x.detach().requires_grad_()
        f(x).backward()
        return x.grad

    close(counted(by_backward)(x), grad(f)(x))


@each
def test_within_vmap_and_vmap_within(f: Any, counted: Any) -> None:
    wanted = [f(Tensor(x)) for x in XS]
    close(vmap(counted(f))(XS), [y.item() for y in wanted])
    close(counted(vmap(f))(XS), [y.item() for y in wanted])
    wanted = [grad(f)(x) for x in XS]
    close(vmap(counted(grad(f)))(XS), wanted)
    close(counted(vmap(grad(f)))(XS), wanted)
    close(vmap(counted(vmap(grad(f))))(np.stack([XS, XS + 1])), [wanted, [grad(f)(x) for x in XS + 1]])
    assert max(level for level, _ in COUNTS) == 2


def test_what_is_captured_keeps_its_graph(counted: Any) -> None:
    w = Tensor(W)
    one = lambda x: grad(lambda w: xgrad.sum(xgrad.sin(w * x) * w))(w)
    close(counted(one)(XS[0]), one(Tensor(XS[0])))
    both = lambda x: grad(lambda w: xgrad.sum(vmap(lambda u: xgrad.sin(w * u))(XS) * x))(w)
    close(counted(both)(XS[0]), both(Tensor(XS[0])))
    close(vmap(counted(both))(XS), [both(Tensor(x)) for x in XS])


@pytest.mark.parametrize("counted", [InsideBackend], indirect=True)
@each
def test_gradients_from_outside_go_through_payloads(f: Any, counted: Any) -> None:
    w = Tensor(XS[0], requires_grad=True)
    counted(lambda x: f(x * w))(XS[1]).backward()
    close(w.grad, grad(lambda w: f(w * XS[1]))(XS[0]))
    close(hessian(counted(f))(XS[0]), hessian(f)(XS[0]))
    for derivative in (grad(f), hessian(f)):
        squares = [lambda x, g=g: xgrad.sum(g(x) ** 2) for g in (counted(derivative), derivative)]
        close(grad(squares[0])(XS[0]), grad(squares[1])(XS[0]))


def test_random_numbers(counted: Any) -> None:
    xgrad.random.seed(0)
    wanted = xgrad.random.normal((3,), dtype="float64") + XS[0]
    xgrad.random.seed(0)
    close(counted(lambda x: x + xgrad.random.normal((3,), dtype="float64"))(XS[0]), wanted)
    drawn = vmap(counted(lambda x: x + xgrad.random.normal((3,), dtype="float64")), randomness="different")(0 * XS)
    assert len(np.unique(drawn)) == 15


def test_vmap_of_what_is_captured_stays_at_the_level(counted: Any) -> None:
    close(counted(lambda x: xgrad.sum(vmap(lambda v: x * v)(XS)))(XS[0]), np.sum(XS[0] * XS))


def test_every_backend(counted: Any, backend: str) -> None:
    plugin, device = find_backend(backend), device_of(backend)
    x, w = (Tensor(plugin.from_numpy(v, device)) for v in (XS, W))
    f = lambda x: xgrad.sum(xgrad.tanh(x * w) ** 2) + xgrad.logsumexp(x)
    out = counted(vmap(grad(f)))(x)
    assert out.backend == backend and out.device == x.device
    close(out, vmap(grad(f))(x))


def test_operands_of_another_type_get_their_turn(counted: Any) -> None:
    class Other:
        def __radd__(self, other: Any) -> str:
            return "theirs"

    assert counted(lambda x: Tensor(float(x._data + Other() == "theirs")))(XS[0]).item() == 1.0
    with pytest.raises(TypeError):
        counted(lambda x: x._data + "text")(XS[0])
