"""Methods of Tensors take NumPy's arguments, in the order in which NumPy's and CuPy's functions hand them over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import GradientError, Tensor

HOST = np.asarray([[1.5, -2.0, 3.0], [0.25, 5.0, -6.0]])

# As CuPy 14 calls them: cupy.sum(x) is x.sum(axis, dtype, out, keepdims), cupy.max(x) is x.max(axis=, out=, keepdims=), ...
CALLS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: x.sum(None, None, None, False),
    "sum of rows": lambda x: x.sum(1, None, None, True),
    "sum in float32": lambda x: x.sum(0, "float32", None, False),
    "prod": lambda x: x.prod((0, 1), None, None, True),
    "mean": lambda x: x.mean(axis=0, dtype=None, out=None, keepdims=True),
    "mean in float32": lambda x: x.mean(axis=0, dtype="float32", out=None, keepdims=False),
    "var": lambda x: x.var(axis=1, dtype=None, out=None, ddof=1, keepdims=True),
    "var by position": lambda x: x.var(1, None, None, 1, True),
    "std": lambda x: x.std(axis=None, dtype=None, out=None, ddof=0, keepdims=False),
    "max": lambda x: x.max(axis=1, out=None, keepdims=True),
    "min": lambda x: x.min(0, None, True),
    "all": lambda x: (x > 0).all(axis=0, out=None, keepdims=False),
    "any": lambda x: (x > 0).any(axis=1, out=None, keepdims=True),
    "clip": lambda x: x.clip(-1.0, 2.0, out=None),
    "clip by position": lambda x: x.clip(-1.0, 2.0, None),
    "reshape": lambda x: x.reshape((3, 2), order="C", copy=None),
    "reshape to a list": lambda x: x.reshape([3, 2]),
    "transpose": lambda x: x.transpose(None),
    "transpose in order": lambda x: x.transpose([1, 0]),
    "squeeze": lambda x: x.reshape(1, 6).squeeze(None),
}


@pytest.mark.parametrize("name", CALLS)
def test_methods_take_numpys_arguments(xp: Any, name: str) -> None:
    x = xp.asarray(HOST)
    y = CALLS[name](x)
    wanted = CALLS[name](HOST.copy())
    assert isinstance(y, Tensor) and y.shape == wanted.shape and y.dtype == wanted.dtype.name
    np.testing.assert_allclose(y.numpy(), wanted, rtol=1e-6)


def test_positions_of_extremes(xp: Any) -> None:
    x = xp.asarray(HOST)
    for name in ("argmax", "argmin"):
        y = getattr(x, name)(axis=1, dtype=None, out=None, keepdims=True)
        np.testing.assert_array_equal(y.numpy(), getattr(HOST, name)(axis=1, keepdims=True))
        assert getattr(x, name)(axis=1, dtype="int32").dtype == "int32"


def test_keepdims_may_stand_second(xp: Any) -> None:
    """As in PyTorch: ``x.sum(axis, keepdims)``."""
    x = xp.asarray(HOST)
    for name in ("sum", "mean", "prod", "max", "min", "argmax", "argmin"):
        assert getattr(x, name)(1, True).shape == (2, 1) and getattr(x, name)(1, False).shape == (2,)
    assert (x > 0).all(0, True).shape == (1, 3)
    assert x.var(1, correction=1).numpy()[0] == pytest.approx(HOST[0].var(ddof=1))


def test_nothing_is_written_to_an_output(xp: Any) -> None:
    x = xp.asarray(HOST)
    for name in ("sum", "mean", "prod", "max", "min", "argmax", "all", "var", "std", "clip"):
        with pytest.raises(TypeError, match=f"{name}: out is a Tensor; the methods of a tensor return a new one"):
            getattr(x, name)(out=x)
    with pytest.raises(TypeError, match="reshape: order 'F' is not supported"):
        x.reshape((6,), order="F")


def test_methods_are_differentiable(xp: Any) -> None:
    x = xp.asarray(HOST).requires_grad_()
    (x.sum(1, None, None, True) * x.mean(axis=0, dtype=None, out=None, keepdims=False)).sum().backward()
    y = Tensor(HOST, requires_grad=True)
    xgrad.sum(xgrad.sum(y, axis=1, keepdims=True) * xgrad.mean(y, axis=0)).backward()
    assert y.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy())


def test_the_interface_of_cuda_arrays(xp: Any) -> None:
    x = xp.asarray(HOST)
    tracked = xp.asarray(HOST).requires_grad_()
    assert not hasattr(tracked, "__cuda_array_interface__")
    if hasattr(x.data, "__cuda_array_interface__"):
        assert x.__cuda_array_interface__ == x.data.__cuda_array_interface__
        with pytest.raises(GradientError, match="this tensor requires grad, and the array would leave its graph silently"):
            tracked.__cuda_array_interface__
    else:
        assert not hasattr(x, "__cuda_array_interface__")
        with pytest.raises(AttributeError, match="not in the memory of a GPU"):
            x.__cuda_array_interface__
