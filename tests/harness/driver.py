"""The checks of a row of the table: values and derivatives of xgrad against a reference.

The reference is PyTorch in double precision. Where PyTorch lacks the function, or is not installed, central finite
differences take its place: of the values for the first derivative, of the first derivative for the second. A process
computes each reference once and uses it on every backend.

Without ``--thorough``, JAX and Dask run fewer checks (`partly`); `tests/conftest.py` says which tests they leave out. A
check of a row that is not the first of its name, or of another shape or layout, compares the value and the first
derivative with the reference on raw arrays. It leaves out second derivatives, forward mode and the linearity of rules
in the cotangent. NumPy, array-api-strict and PyTorch run the same rules with every check.
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
FIRST = {_row.name: _row.id for _row in reversed(ROWS.values())}  # the first row of each op

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
    """The results of a call as a list."""
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
    """The NumPy array of a Tensor; other values as they are."""
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
    """Call a row's function. Return the tensors to differentiate with respect to, and the results."""
    plugin = find_backend(backend)

    def tensor(x: np.ndarray) -> xgrad.Tensor:
        array = plugin.from_numpy(narrow(x, dtype), device)
        return xgrad.Tensor(array if layout is None else layout(plugin, array))

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
    partly: bool = False,
) -> Derivatives:
    """Values and derivatives on one backend. Derivatives of order 1 are taken on raw arrays and, if order > 1, on Tensors.

    `partly` leaves out the checks of linearity and of forward mode.
    """
    plugin = find_backend(backend)
    inputs, y = call(row, backend, arguments, dtype, device, scalar, layout)
    for v in y:
        if isinstance(v, xgrad.Tensor):
            assert v.backend == backend, f"the result is on backend {v.backend!r}"
            assert device is None or v.device == device, f"the result is on device {v.device}"
    if not row.differentiable:
        assert not any(v.requires_grad for v in y if isinstance(v, xgrad.Tensor)), "the result requires grad"
        return Derivatives(forward.read(y)[0], [])
    outputs = [v for v in y if isinstance(v, xgrad.Tensor) and v.dtype.inexact]
    assert not inputs or any(v.requires_grad for v in outputs), "the result does not require grad"

    def draw(level: int, of: Sequence[xgrad.Tensor]) -> list[np.ndarray]:
        return [cotangent(level, k, v.shape, v.dtype.kind == "complex floating").astype(v.dtype.name) for k, v in enumerate(of)]

    def tensors(arrays: Sequence[np.ndarray]) -> list[xgrad.Tensor]:
        return [xgrad.Tensor(plugin.from_numpy(x, device)) for x in arrays]

    def pull(of: Sequence[xgrad.Tensor], g: Sequence[xgrad.Tensor], to: Sequence[xgrad.Tensor], graph: bool) -> list[Any]:
        pairs = [(v, c) for v, c in zip(of, g) if v.requires_grad]
        starts = [c if graph else c.detach().data for _, c in pairs]
        leaves = pullback([v for v, _ in pairs], starts, retain_graph=True, create_graph=graph)
        gradients = [leaves.get(t._node) for t in to]
        return [d if d is None or isinstance(d, xgrad.Tensor) else xgrad.tensor.tensor.wrap(d) for d in gradients]

    def filled(gradients: Sequence[Any], of: Sequence[xgrad.Tensor]) -> list[Any]:
        return [np.zeros(t.shape) if d is None else d for d, t in zip(gradients, of)]

    us, others = draw(0, outputs), draw(9, outputs)
    g = tensors(us)
    first = pull(outputs, g, inputs, False)
    forward.check_facts("gradient", first, inputs)

    # Forward mode is the transpose of reverse mode, and a rule is linear in the cotangent.
    vs: list[Any] = []
    tangents: list[Any] = []
    other: list[Any] = []
    both: list[Any] = []
    if not partly:
        vs = [forward.random_like(x, [7, k]) for k, x in enumerate(inputs)]
        tangents = forward.push(inputs, vs, outputs, graph=False)
        forward.check_facts("tangent", tangents, outputs)
        other = filled(pull(outputs, tensors(others), inputs, False), inputs)
        both = filled(pull(outputs, tensors([np.asarray(2 * a - 3 * b) for a, b in zip(us, others)]), inputs, False), inputs)

    # Higher orders, by the rules on Tensors: also with respect to the cotangent itself.
    variables = [*inputs, *(c.requires_grad_() for c in g)] if order > 1 else inputs
    gradients = pull(outputs, g, inputs, True) if order > 1 else []
    forward.check_facts("gradient", gradients, inputs)
    recorded = filled(gradients, inputs)
    higher = []
    for level in range(2, order + 1):
        # A gradient that is zero by definition is None: an untracked tensor of its shape takes its place.
        of = [t.detach() if d is None else d for d, t in zip(gradients, inputs if level == 2 else variables)]
        gradients = pull(of, tensors(draw(level, of)), variables, level < order)
        forward.check_facts("gradient", gradients, variables)
        higher.append(filled(gradients, variables))

    values, gradient, vs, tangents, other, both, recorded, *higher = forward.read(
        y, filled(first, inputs), vs, tangents, other, both, recorded, *higher
    )
    forward.check_equal(list(zip(us, tangents)), list(zip(gradient, vs)), forward.TOLERANCE[dtype], "<u, J v> and <J' u, v>")
    for a, b, c in zip(gradient, other, both):
        close(c, 2 * a - 3 * b, 1e-9 if dtype == "float64" else 1e-3, "the gradient is not linear in the cotangent")
    for a, b in zip(recorded, gradient):
        close(a, b, 1e-12 if dtype == "float64" else 1e-4, "the rule gives another gradient on Tensors than on raw arrays")
    return Derivatives(values, [gradient, *higher])


def close(got: Any, wanted: Any, tolerance: float, text: str) -> None:
    """Compare two arrays, or other values, with a tolerance relative to the larger of 1 and the largest wanted element."""
    if not hasattr(wanted, "shape"):
        assert got == wanted, f"{text}: {got!r}, wanted {wanted!r}"
        return
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape, f"{text}: shape {got.shape}, wanted {wanted.shape}"
    finite = np.abs(wanted[np.isfinite(wanted)]) if wanted.dtype.kind in "fc" else np.zeros(0)
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance * max(1.0, finite.max(initial=0.0)), err_msg=text)


# ---------------------------------------------------------------------------------------------------------- references


@functools.cache
def reference(case: Case, dtype: str, order: int) -> tuple[Derivatives, str]:
    """The reference, in double precision at the arguments rounded to `dtype`; and its source."""
    row = ROWS[case.row]
    arguments = [narrow(narrow(x, dtype), "float64") for x in case.arguments()]
    if row.torch is not None and torch is not None:
        return _by_torch(row, arguments, order, case.scalar), "torch"
    derivatives = _by_differences(row, arguments, min(order, 2), case.scalar)
    if row.numpy is not None:
        derivatives.values = several(row.numpy(np, *arguments))
    return derivatives, "differences"


def _by_torch(row: Row, arguments: Sequence[np.ndarray], order: int, scalar: int | None) -> Derivatives:
    tensors = [torch.tensor(x) for x in arguments]
    inputs = []
    for k, (arg, t) in enumerate(zip(row.args, tensors)):
        if arg.tracked and row.differentiable and k != scalar:
            inputs.append(t.requires_grad_())
    y = several(row.torch(torch, *tensors))
    values = [v.detach().numpy(force=True) if isinstance(v, torch.Tensor) else v for v in y]
    derivatives = Derivatives(values, [])
    if not row.differentiable:
        return derivatives
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
        gradients: Sequence[Any] = [None] * len(variables)
        if pairs and variables:
            gradients = torch.autograd.grad(
                [v for v, _ in pairs],
                variables,
                [c for _, c in pairs],
                create_graph=level + 1 < order,
                retain_graph=True,
                allow_unused=True,
            )
        of = [torch.zeros_like(t) if d is None else d for d, t in zip(gradients, variables)]
        derivatives.orders.append([d.detach().numpy(force=True) for d in of])
        if level == 0 and order > 1:
            variables = [*inputs, *g]
    return derivatives


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
    derivatives = Derivatives(values(*inputs), [])
    if not row.differentiable or not tracked:
        derivatives.orders = [[] for _ in range(order)]
        return derivatives
    g = [cotangent(0, k, v.shape, v.dtype.kind == "c") for k, v in enumerate(outputs(*inputs))]
    derivatives.orders.append(_differences(outputs, inputs, g))
    if order > 1:
        v = [cotangent(2, k, x.shape, x.dtype.kind == "c") for k, x in enumerate(inputs)]
        derivatives.orders.append(_differences(first, [*inputs, *g], v))
    return derivatives


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

    gradients = []
    for k, x in enumerate(at):
        d = np.zeros(x.shape, dtype=x.dtype)
        for index in itertools.product(*map(range, x.shape)):
            d[index] = slope(k, index, 1.0) + (1j * slope(k, index, 1j) if x.dtype.kind == "c" else 0)
        gradients.append(d)
    return gradients


# --------------------------------------------------------------------------------------------------------------- check


def check(
    case: Case, backend: str, dtype: str, order: int, *, device: Any = None, layout: Any = None, partly: bool = False
) -> None:
    """Compare one call on one backend with the reference: values, and derivatives up to `order`; order 1 if `partly`."""
    row = ROWS[case.row]
    order = 1 if partly else order
    wanted, source = reference(case, dtype, order)
    got = run(row, backend, case.arguments(), dtype, order, device=device, scalar=case.scalar, layout=layout, partly=partly)
    tolerance = TOLERANCE[dtype][source]
    assert len(got.values) == len(wanted.values), f"{len(got.values)} results, wanted {len(wanted.values)}"
    for a, b in zip(got.values, wanted.values):
        close(a, b, tolerance[0], "value")
        if source == "torch" and getattr(b, "dtype", None) in (np.float64, np.complex128):
            assert a.dtype == narrow(b, dtype).dtype, f"the result is {a.dtype}"
    for level, (ours, theirs) in enumerate(zip(got.orders, wanted.orders), 1):
        for k, (a, b) in enumerate(zip(ours, theirs)):
            close(a, b, tolerance[level], f"derivative of order {level} by variable {k}")
