"""What is checked of a row of the table: values and derivatives of xgrad against a reference.

The reference is PyTorch in double precision. Where it lacks the function, or is not installed, it is central finite
differences: of the values for the first derivative, of the first derivative for the second.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import xgrad
from xgrad.backend import find_backend
from xgrad.engine.backward import pullback
from xgrad.engine.namespaces import namespace

from ..table import Row, all_rows
from . import forward

try:
    import torch

    NO_TORCH = None
except ImportError as error:
    torch, NO_TORCH = None, f"PyTorch is not installed ({error}): derivatives are compared with finite differences instead"

ROWS: dict[str, Row] = {}
for _row in all_rows():
    if _row.id in ROWS:
        raise ValueError(f"two rows are called {_row.id!r}: give one a label")
    ROWS[_row.id] = _row

TOLERANCE = {  # of values and derivatives by order, relative to the largest element
    "float64": {"torch": (1e-11, 1e-9, 1e-8, 1e-7), "differences": (1e-11, 1e-7, 1e-5, 1e-4)},
    "float32": {"torch": (1e-5, 5e-5, 1e-3, 1e-2), "differences": (1e-5, 5e-5, 1e-3, 1e-2)},
}


@dataclass(frozen=True)
class Case:
    """One call of a row's function: which shapes, and which argument is a Python scalar."""

    row: str
    shapes: tuple[tuple[int, ...], ...] | None = None
    scalar: int | None = None

    def arguments(self) -> list[np.ndarray]:
        """The arguments in double precision. Float32 runs get the same values rounded, and so does the reference."""
        return ROWS[self.row].draw("float64", self.shapes)


def narrow(x: np.ndarray, dtype: str) -> np.ndarray:
    """`x` with floats in the precision of `dtype`."""
    kinds = {"f": dtype, "c": "complex64" if dtype == "float32" else "complex128"}
    return np.asarray(x, dtype=kinds.get(x.dtype.kind, x.dtype))


def several(y: Any) -> list[Any]:
    return list(y) if isinstance(y, (tuple, list)) else [y]


def cotangent(level: int, k: int, shape: tuple[int, ...], is_complex: bool) -> np.ndarray:
    """The k-th cotangent of the derivative of order `level`: the same for xgrad and the reference."""
    rng = np.random.default_rng([level, k])
    out = rng.uniform(-1, 1, shape)
    return np.asarray(out + 1j * rng.uniform(-1, 1, shape) if is_complex else out)


# ------------------------------------------------------------------------------------------------------------- xgrad


@dataclass
class Derivatives:
    """Values, then derivatives of order 1, 2, ...: each a list of one NumPy array per output or variable."""

    values: list[Any]
    orders: list[list[np.ndarray]]


def host(x: Any) -> Any:
    return x.detach().numpy() if isinstance(x, xgrad.Tensor) else x


def call(
    row: Row,
    backend: str,
    arguments: Sequence[Any],
    dtype: str,
    device: Any,
    scalar: int | None = None,
    layout: Callable[[Any, Any], Any] | None = None,
) -> tuple[list[xgrad.Tensor], list[Any]]:
    """Call a row's function: the tensors that it is to be differentiated by, and its results."""
    plugin = find_backend(backend)

    def tensor(x: np.ndarray) -> xgrad.Tensor:
        made = plugin.from_numpy(narrow(x, dtype), device)
        return xgrad.Tensor(made if layout is None else layout(plugin, made))

    tensors: list[Any] = []
    for k, (arg, x) in enumerate(zip(row.args, arguments)):
        if k == scalar:
            tensors.append(narrow(x, dtype).item())
        else:
            tensors.append(tensor(x))
            if arg.tracked and row.differentiable:
                tensors[-1].requires_grad_()
    inputs = [t for t in tensors if isinstance(t, xgrad.Tensor) and t.requires_grad]
    return inputs, several(row.f(namespace(backend), *tensors))


def run(
    row: Row,
    backend: str,
    arguments: Sequence[Any],
    dtype: str,
    order: int,
    *,
    device: Any = None,
    scalar: int | None = None,
    layout: Callable[[Any, Any], Any] | None = None,
) -> Derivatives:
    """Values and derivatives on one backend. Derivatives of order 1 are taken on raw arrays and, if order > 1, on Tensors."""
    plugin = find_backend(backend)
    inputs, y = call(row, backend, arguments, dtype, device, scalar, layout)
    found = Derivatives([host(v) for v in y], [])
    for v in y:
        if isinstance(v, xgrad.Tensor):
            assert v.backend == backend, f"the result is on backend {v.backend!r}"
            assert device is None or v.device == device, f"the result is on device {v.device}"
    if not row.differentiable:
        assert not any(v.requires_grad for v in y if isinstance(v, xgrad.Tensor)), "the result requires grad"
        return found
    outputs = [v for v in y if isinstance(v, xgrad.Tensor) and v.dtype.inexact]
    assert not inputs or any(v.requires_grad for v in outputs), "the result does not require grad"

    def cotangents(level: int, of: Sequence[xgrad.Tensor]) -> list[xgrad.Tensor]:
        made = [cotangent(level, k, v.shape, v.dtype.kind == "complex floating") for k, v in enumerate(of)]
        return [xgrad.Tensor(plugin.from_numpy(g.astype(v.dtype.name), device)) for g, v in zip(made, of)]

    def pull(of: Sequence[xgrad.Tensor], g: Sequence[xgrad.Tensor], to: Sequence[xgrad.Tensor], graph: bool) -> list[Any]:
        pairs = [(v, c) for v, c in zip(of, g) if v.requires_grad]
        starts = [c if graph else c.detach().data for _, c in pairs]
        leaves = pullback([v for v, _ in pairs], starts, retain_graph=True, create_graph=graph)
        found = [leaves.get(t._node) for t in to]
        return [d if d is None or isinstance(d, xgrad.Tensor) else xgrad.tensor.tensor.wrap(d) for d in found]

    def check_facts(gradients: Sequence[Any], of: Sequence[xgrad.Tensor]) -> None:
        for d, t in zip(gradients, of):
            if d is not None:
                assert d.dtype == t.dtype, f"a gradient is {d.dtype} but its tensor {t.dtype}"
                assert d.shape == t.shape, f"a gradient has shape {d.shape} but its tensor {t.shape}"
                assert d.backend == t.backend and d.device == t.device, f"a gradient is on {d.backend} {d.device}"

    def hosts(gradients: Sequence[Any], of: Sequence[xgrad.Tensor]) -> list[np.ndarray]:
        return [np.zeros(t.shape) if d is None else host(d) for d, t in zip(gradients, of)]

    g = cotangents(0, outputs)
    first = pull(outputs, g, inputs, False)
    check_facts(first, inputs)
    found.orders.append(hosts(first, inputs))
    forward.check_identity(outputs, g, inputs, found.orders[0], dtype)

    # A rule is linear in the cotangent.
    h = cotangents(9, outputs)
    other = pull(outputs, h, inputs, False)
    both = pull(outputs, [2 * a - 3 * b for a, b in zip(g, h)], inputs, False)
    for a, b, c in zip(*(hosts(d, inputs) for d in (first, other, both))):
        close(c, 2 * a - 3 * b, 1e-9 if dtype == "float64" else 1e-3, "the gradient is not linear in the cotangent")

    # Higher orders, by the rules on Tensors: also with respect to the cotangent itself.
    variables = [*inputs, *(c.requires_grad_() for c in g)] if order > 1 else inputs
    gradients = pull(outputs, g, inputs, True) if order > 1 else []
    if order > 1:
        check_facts(gradients, inputs)
        for a, b in zip(hosts(gradients, inputs), found.orders[0]):
            close(a, b, 1e-12 if dtype == "float64" else 1e-4, "the rule gives another gradient on Tensors than on raw arrays")
    for level in range(2, order + 1):
        # (A gradient that is zero by definition is not there: any untracked tensor of its shape stands in for it.)
        of = [t.detach() if d is None else d for d, t in zip(gradients, inputs if level == 2 else variables)]
        gradients = pull(of, cotangents(level, of), variables, level < order)
        check_facts(gradients, variables)
        found.orders.append(hosts(gradients, variables))
    return found


def close(got: Any, wanted: Any, tolerance: float, what: str) -> None:
    """Compare two arrays, or other values, with a tolerance relative to the larger of 1 and the largest wanted element."""
    if not hasattr(wanted, "shape"):
        assert got == wanted, f"{what}: {got!r}, wanted {wanted!r}"
        return
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape, f"{what}: shape {got.shape}, wanted {wanted.shape}"
    finite = np.abs(wanted[np.isfinite(wanted)]) if wanted.dtype.kind in "fc" else np.zeros(0)
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance * max(1.0, finite.max(initial=0.0)), err_msg=what)


# ---------------------------------------------------------------------------------------------------------- references


@functools.lru_cache(maxsize=512)
def reference(case: Case, dtype: str, order: int) -> tuple[Derivatives, str]:
    """What to compare with, in double precision at the arguments rounded to `dtype`; and where it comes from."""
    row = ROWS[case.row]
    arguments = [narrow(narrow(x, dtype), "float64") for x in case.arguments()]
    if row.torch is not None and torch is not None:
        return _by_torch(row, arguments, order, case.scalar), "torch"
    found = _by_differences(row, arguments, min(order, 2), case.scalar)
    if row.numpy is not None:
        found.values = several(row.numpy(np, *arguments))
    return found, "differences"


def _by_torch(row: Row, arguments: Sequence[np.ndarray], order: int, scalar: int | None) -> Derivatives:
    tensors = [torch.tensor(x) for x in arguments]
    inputs = []
    for k, (arg, t) in enumerate(zip(row.args, tensors)):
        if arg.tracked and row.differentiable and k != scalar:
            inputs.append(t.requires_grad_())
    y = several(row.torch(torch, *tensors))
    values = [v.detach().numpy(force=True) if isinstance(v, torch.Tensor) else v for v in y]
    found = Derivatives(values, [])
    if not row.differentiable:
        return found
    outputs = [v for v in y if isinstance(v, torch.Tensor) and (v.is_floating_point() or v.is_complex())]
    variables, of = inputs, outputs
    for level in range(order):
        g = [
            torch.tensor(cotangent(level if level == 0 else level + 1, k, tuple(v.shape), v.is_complex()))
            for k, v in enumerate(of)
        ]
        g = [c.to(v.dtype) for c, v in zip(g, of)]
        if level == 0 and order > 1:
            g = [c.requires_grad_() for c in g]
        pairs = [(v, c) for v, c in zip(of, g) if v.requires_grad]
        found_here: Sequence[Any] = [None] * len(variables)
        if pairs and variables:
            found_here = torch.autograd.grad(
                [v for v, _ in pairs],
                variables,
                [c for _, c in pairs],
                create_graph=level + 1 < order,
                retain_graph=True,
                allow_unused=True,
            )
        of = [torch.zeros_like(t) if d is None else d for d, t in zip(found_here, variables)]
        found.orders.append([d.detach().numpy(force=True) for d in of])
        if level == 0 and order > 1:
            variables = [*inputs, *g]
    return found


def _by_differences(row: Row, arguments: Sequence[np.ndarray], order: int, scalar: int | None) -> Derivatives:
    xp = namespace("numpy")
    tracked = [k for k, arg in enumerate(row.args) if arg.tracked and k != scalar and row.differentiable]

    def values(*inputs: np.ndarray) -> list[Any]:
        full = list(arguments)
        for k, x in zip(tracked, inputs):
            full[k] = x
        with xgrad.no_grad():
            return [host(v) for v in several(row.f(xp, *(xgrad.Tensor(x) for x in full)))]

    def outputs(*inputs: np.ndarray) -> list[np.ndarray]:
        return [v for v in values(*inputs) if getattr(v, "dtype", np.dtype(int)).kind in "fc"]

    def first(*variables: np.ndarray) -> list[np.ndarray]:
        full = list(arguments)
        for k, x in zip(tracked, variables):
            full[k] = x
        tensors = [xgrad.Tensor(x, requires_grad=k in tracked) for k, x in enumerate(full)]
        y = [v for v in several(row.f(xp, *tensors)) if isinstance(v, xgrad.Tensor) and v.dtype.inexact]
        pairs = [(v, g) for v, g in zip(y, variables[len(tracked) :]) if v.requires_grad]
        leaves = pullback([v for v, _ in pairs], [g for _, g in pairs])
        return [np.asarray(leaves.get(tensors[k]._node, np.zeros(full[k].shape))) for k in tracked]

    inputs = [arguments[k] for k in tracked]
    found = Derivatives(values(*inputs), [])
    if not row.differentiable or not tracked:
        found.orders = [[] for _ in range(order)]
        return found
    g = [cotangent(0, k, v.shape, v.dtype.kind == "c") for k, v in enumerate(outputs(*inputs))]
    found.orders.append(_differences(outputs, inputs, g))
    if order > 1:
        v = [cotangent(2, k, x.shape, x.dtype.kind == "c") for k, x in enumerate(inputs)]
        found.orders.append(_differences(first, [*inputs, *g], v))
    return found


def _differences(f: Callable[..., list[np.ndarray]], at: Sequence[np.ndarray], g: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The gradient of Re <g, f> by central differences; of a complex z: by Re z, plus i times by Im z."""

    def value(k: int, index: tuple[int, ...], step: complex) -> float:
        moved = [np.array(x) for x in at]
        moved[k][index] += step
        return sum(float(np.real(np.sum(np.conj(c) * v))) for c, v in zip(g, f(*moved)))

    def slope(k: int, index: tuple[int, ...], direction: complex) -> float:
        h = 1e-5 * direction  # a five-point formula: the error is of the order h**4
        one, two = (value(k, index, n * h) - value(k, index, -n * h) for n in (1, 2))
        return (8 * one - two) / (12 * 1e-5)

    found = []
    for k, x in enumerate(at):
        d = np.zeros(x.shape, dtype=x.dtype)
        for index in itertools.product(*map(range, x.shape)):
            d[index] = slope(k, index, 1.0) + (1j * slope(k, index, 1j) if x.dtype.kind == "c" else 0)
        found.append(d)
    return found


# --------------------------------------------------------------------------------------------------------------- check


def check(case: Case, backend: str, dtype: str, order: int, *, device: Any = None, layout: Any = None) -> None:
    """Compare one call on one backend with the reference: values, and derivatives up to `order`."""
    row = ROWS[case.row]
    wanted, source = reference(case, dtype, order)
    got = run(row, backend, case.arguments(), dtype, order, device=device, scalar=case.scalar, layout=layout)
    tolerance = TOLERANCE[dtype][source]
    assert len(got.values) == len(wanted.values), f"{len(got.values)} results, wanted {len(wanted.values)}"
    for a, b in zip(got.values, wanted.values):
        close(a, b, tolerance[0], "value")
        if source == "torch" and getattr(b, "dtype", None) in (np.float64, np.complex128):
            assert a.dtype == narrow(b, dtype).dtype, f"the result is {a.dtype}"
    for level, (mine, theirs) in enumerate(zip(got.orders, wanted.orders), 1):
        for k, (a, b) in enumerate(zip(mine, theirs)):
            close(a, b, tolerance[level], f"derivative of order {level} by variable {k}")
