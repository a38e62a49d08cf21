"""Rows for `xgrad.ops.data_type`."""

from __future__ import annotations

from . import Arg, Row

X = Arg((2, 3))


def other(xp, x):
    """A device other than that of `x`."""
    return next(device for device in xp.__array_namespace_info__().devices() if device != x.device)


ROWS = [
    Row("astype", lambda xp, x: xp.astype(x, xp.float64), (X,), torch=lambda t, x: x.to(t.float64), dtypes=("float64",)),
    Row(
        "astype", lambda xp, x: xp.astype(x, "complex128"), (X,), torch=lambda t, x: x.to(t.complex128), label="complex",
        dtypes=("float64",),
    ),
    Row(
        "astype", lambda xp, x: xp.astype(x, xp.int64), (X,), torch=lambda t, x: x.to(t.int64), label="int", differentiable=False,
    ),
    Row("to_device", lambda xp, x: xp.to_device(x, x.device) * 2, (X,), torch=lambda t, x: x * 2),
    Row(
        "to_device", lambda xp, x: xp.to_device(xp.to_device(x, other(xp, x)) * 2, x.device), (X,), torch=lambda t, x: x * 2,
        label="moved", skip={name: "the tests know of one device alone" for name in ("numpy", "torch", "jax", "dask", "cupy")},
    ),
    Row(
        "to_backend", lambda xp, x: xp.to_backend(xp.to_backend(x, "numpy") * 2, x.backend, x.device), (X,),
        torch=lambda t, x: x * 2,
    ),
]
