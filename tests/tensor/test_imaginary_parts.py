"""Complex numbers that are to become real ones: refused wherever that would drop their imaginary parts without a word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, nn, optim
from xgrad.backend import find_backend

Z = np.asarray([1 + 2j, 3.0])


def real(n: int = 2) -> Tensor:
    return Tensor(np.zeros(n))


def assign(p: Tensor, value: Any) -> None:
    p.data = value


CALLS: dict[str, Callable[[], Any]] = {
    "Tensor(array)": lambda: Tensor(Z, dtype=xgrad.float32),
    "Tensor(list)": lambda: Tensor([1j, 2.0], dtype=xgrad.float32),
    "Tensor(number)": lambda: Tensor(1j, dtype=xgrad.float64),
    "Tensor(NumPy's number)": lambda: Tensor(np.complex128(1j), dtype=xgrad.float64),
    "Tensor, integers": lambda: Tensor(Z, dtype=xgrad.int64),
    "Parameter": lambda: nn.Parameter(Z, dtype=xgrad.float32),
    "asarray(array)": lambda: xgrad.asarray(Z, dtype=xgrad.float32),
    "asarray(Tensor)": lambda: xgrad.asarray(Tensor(Z), dtype=xgrad.float32),
    "asarray(list)": lambda: xgrad.asarray([1j, 2.0], dtype=xgrad.float32),
    "asarray(list of Tensors)": lambda: xgrad.asarray([Tensor(1j), 2.0], dtype=xgrad.float32),
    "astype(array)": lambda: xgrad.astype(Z, xgrad.float32),
    "astype(Tensor)": lambda: Tensor(Z).astype(xgrad.float32),
    "numpy.asarray": lambda: np.asarray(Tensor(Z), dtype=np.float32),
    "x.data = array": lambda: assign(real(), Z),
    "x.data = Tensor": lambda: assign(real(), Tensor(Z)),
    "x.data = list": lambda: assign(real(), [1j, 2.0]),
    "p.data = array": lambda: assign(real().requires_grad_(), Z),
    "x[...] = array": lambda: real().__setitem__(..., Z),
    "x[...] = list": lambda: real().__setitem__(..., [1j, 2.0]),
    "x[0] = number": lambda: real().__setitem__(0, 1j),
    "x.at.set": lambda: real().at[:].set(Z),
    "x.at.add": lambda: real().at[:].add(Z),
    "scatter_add": lambda: xgrad.scatter_add(real(), slice(None), Tensor(Z)),
    "x += z": lambda: real().__iadd__(Z),
    "full": lambda: xgrad.full(2, 1j, dtype=xgrad.float32),
    "full of a Tensor": lambda: xgrad.full(2, Tensor(1j), dtype=xgrad.float32),
    "full_like": lambda: xgrad.full_like(real(), 1j),
    "full_like, dtype": lambda: xgrad.full_like(Tensor(Z), 1j, dtype=xgrad.float32),
    "numpy.full_like": lambda: np.full_like(real(), 1j),
    "linspace": lambda: xgrad.linspace(0, 1j, 3, dtype=xgrad.float32),
    "pad": lambda: xgrad.pad(real(), 1, constant_values=1j),
    "sum": lambda: xgrad.sum(Tensor(Z), dtype=xgrad.float32),
    "prod": lambda: xgrad.prod(Tensor(Z), dtype=xgrad.float32),
    "cumulative_sum": lambda: xgrad.cumulative_sum(Tensor(Z), dtype=xgrad.float32),
    "cumulative_prod": lambda: xgrad.cumulative_prod(Tensor(Z), dtype=xgrad.float32),
    "nansum": lambda: xgrad.nansum(Tensor(Z), dtype=xgrad.float32),
    "nanprod": lambda: xgrad.nanprod(Tensor(Z), dtype=xgrad.float32),
    "numpy.cumsum": lambda: np.cumsum(Tensor(Z), dtype=np.float32),
    "aweights": lambda: xgrad.cov(Tensor(np.zeros((2, 2))), aweights=Tensor(Z)),
    "quantile": lambda: xgrad.quantile(Tensor(np.arange(3.0)), Tensor(0.5j)),
    "a loss": lambda: nn.functional.mse(real(), Z),
    "backward": lambda: (real().requires_grad_() * 1).backward(Z),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("call", CALLS)
def test_imaginary_parts_are_not_dropped(call: str) -> None:
    with pytest.raises((TypeError, ValueError), match="imaginary|does not fit|takes real numbers"):
        CALLS[call]()


def test_imaginary_parts_are_not_dropped_on_any_backend(backend: str) -> None:
    b = find_backend(backend)
    z, x = b.from_numpy(Z), Tensor(b.from_numpy(np.zeros(2)))
    for call in (
        lambda: Tensor(z, dtype=xgrad.float64), lambda: xgrad.astype(z, xgrad.float64), lambda: assign(x, z),
        lambda: xgrad.sum(Tensor(z), dtype=xgrad.float64), lambda: xgrad.scatter_add(x, slice(None), Tensor(z)),
    ):  # fmt: skip
        with pytest.raises(TypeError, match="imaginary"):
            call()
    assert (Tensor(z, dtype=xgrad.complex64).numpy() == Z).all()
    assert (Tensor(x.data, dtype=xgrad.complex64).numpy() == 0).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [Z[:, None], Tensor(Z[:, None]), [[1j], [2.0]]])
def test_a_module_loads_no_complex_state_into_real_parameters(value: Any) -> None:
    layer = nn.Linear(2, 1)
    before = layer.state_dict()
    with pytest.raises(ValueError, match="load_state_dict: weight is complex(64|128) but the module's is float32, which is real"):
        layer.load_state_dict({"weight": value, "bias": [7.0]})
    for name, x in layer.state_dict().items():
        np.testing.assert_array_equal(x.data, before[name].data)


@pytest.mark.filterwarnings("error")
def test_a_module_does_not_become_real_in_part() -> None:
    layer = nn.Linear(2, 1)
    layer.phase = nn.Parameter(Z)
    with pytest.raises(TypeError, match="astype: phase: float64 cannot hold numbers of complex128"):
        layer.astype(xgrad.float64)
    assert layer.weight.dtype == "float32" and layer.phase.dtype == "complex128"


@pytest.mark.filterwarnings("error")
def test_an_optimizer_loads_no_complex_state() -> None:
    optimizer = optim.Adam([real().requires_grad_()])
    with pytest.raises(ValueError, match=r"load_state_dict: 0\.m is of complex128; .* is of real floating numbers"):
        optimizer.load_state_dict({"groups": [{}], "steps": {"0": 1}, "state": {"0.m": Z, "0.v": Z}})
    assert not optimizer.state_dict()["state"]
