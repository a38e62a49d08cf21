"""Every row of the table on every backend: value, gradient, second order, broadcasting, odd shapes and memory layouts.

The checks of one call are in `tests/harness/driver.py`: the value; the gradient against PyTorch, with its dtype, shape and
device; that the rule is linear in the cotangent; the same rule on Tensors; and derivatives of the gradient, with respect
to the inputs and the cotangent, in a random direction. The checks of forward mode are in
`tests/harness/forward.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .harness.backends import SLOW, device_of
from .harness.driver import FIRST, NO_TORCH, ROWS, Case, call, check
from .harness.forward import check_rules

BROADCAST = (((3, 1), (1, 4), (4,)), ((2, 1, 1, 3), (4, 3, 1), (1,)), ((2, 3), (), (3,)), ((0, 3), (1, 3), ()))


def rows(*, elementwise: bool = False, several: bool = False) -> Any:
    """Run a test for each row, or for each elementwise row, or for each row of several arguments."""
    selected = [
        row
        for row in ROWS.values()
        if (not elementwise or (row.elementwise and all(arg.values is None for arg in row.args)))
        and (not several or len(row.args) > 1)
    ]
    return pytest.mark.parametrize("row", [row.id for row in selected])


def skip(row: str, backend: str) -> None:
    if backend in ROWS[row].skip:
        pytest.skip(f"{backend}: {ROWS[row].skip[backend]}")


@pytest.fixture
def slow(backend: str, pytestconfig: pytest.Config) -> bool:
    """Whether the backend is a slow library, on which only a part is checked."""
    return backend in SLOW and not pytestconfig.getoption("--thorough")


def order_of(row: str) -> int:
    return ROWS[row].order if ROWS[row].differentiable else 1


@rows()
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_value_and_derivatives(row: str, backend: str, dtype: str, slow: bool) -> None:
    skip(row, backend)
    if dtype not in ROWS[row].dtypes:
        pytest.skip(f"the row is for {', '.join(ROWS[row].dtypes)}")
    order = order_of(row) if dtype == "float64" else 1
    partly = slow and row != FIRST[ROWS[row].name]
    check(Case(row), backend, dtype, order, device=device_of(backend), partly=partly)


@rows()
def test_forward_mode(row: str, backend: str) -> None:
    skip(row, backend)
    if not ROWS[row].differentiable:
        pytest.skip("no derivative, no forward mode")
    check_rules(*call(ROWS[row], backend, Case(row).arguments(), "float64", device_of(backend)))


@rows(elementwise=True, several=True)
@pytest.mark.parametrize("shapes", BROADCAST, ids=lambda shapes: "x".join("".join(map(str, s)) or "scalar" for s in shapes[:2]))
def test_broadcasting(row: str, backend: str, shapes: tuple[tuple[int, ...], ...], slow: bool) -> None:
    skip(row, backend)
    shapes = shapes[: len(ROWS[row].args)]
    check(Case(row, shapes), backend, "float64", order_of(row), device=device_of(backend), partly=slow)
    check(Case(row, shapes[::-1]), backend, "float64", 1, device=device_of(backend), partly=slow)


@rows(elementwise=True)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1, 1)], ids=str)
def test_pitfall_22_zero_dimensions_and_zero_elements(row: str, backend: str, shape: tuple[int, ...], slow: bool) -> None:
    skip(row, backend)
    shapes = (shape,) * len(ROWS[row].args)
    check(Case(row, shapes), backend, "float64", order_of(row), device=device_of(backend), partly=slow)


def transposed(backend: Any, x: Any) -> Any:
    axes = tuple(range(len(x.shape)))[::-1]
    copy = backend.xp.asarray(backend.xp.permute_dims(x, axes), copy=True)
    return backend.xp.permute_dims(backend.xp.reshape(copy, tuple(copy.shape)), axes)


def strided(backend: Any, x: np.ndarray) -> np.ndarray:
    wide = np.zeros((*x.shape[:-1], 3 * x.shape[-1]), x.dtype) if x.shape else x.copy()
    wide[..., ::3] = x
    return wide[..., ::3]


def backwards(backend: Any, x: np.ndarray) -> np.ndarray:
    step = (slice(None, None, -1),) * x.ndim
    return x[step].copy()[step]


@rows(elementwise=True)
@pytest.mark.parametrize("layout", [transposed, strided, backwards])
def test_memory_layouts(row: str, backend: str, layout: Any, slow: bool) -> None:
    skip(row, backend)
    if layout is not transposed and backend != "numpy":
        pytest.skip("arrays with steps are made of NumPy's alone")
    shapes = ((3, 4),) * len(ROWS[row].args)
    check(Case(row, shapes), backend, "float64", order_of(row), device=device_of(backend), layout=layout, partly=slow)


@rows(elementwise=True, several=True)
def test_python_scalar_operands(row: str, backend: str, slow: bool) -> None:
    skip(row, backend)
    number = len(ROWS[row].args)
    for k in range(number):
        shapes = tuple(() if k == i else (2, 3) for i in range(number))
        for dtype in ROWS[row].dtypes:
            check(Case(row, shapes, scalar=k), backend, dtype, 1, device=device_of(backend), partly=slow)


@pytest.mark.skipif(NO_TORCH is None, reason="PyTorch is installed")
def test_the_reference_is_pytorch() -> None:
    pytest.skip(str(NO_TORCH))
