"""The text that a Tensor prints as."""

from __future__ import annotations

from typing import Any

from ..backend.dtypes import bool_, get_default_dtype, int64
from ..backend.find import raw_namespace

__all__ = ["tensor_repr"]


def tensor_repr(x: Any) -> str:
    """The values as NumPy prints them, and whatever of dtype, backend and gradient is not the usual."""
    import numpy

    kind = type(x).__name__
    try:
        host = raw_namespace(x._data).__backend__.to_numpy(x._data)
    except Exception:  # not computable here: a traced or lazy array of unknown shape
        return f"{kind}(<{x.backend} array of shape {x.shape}>)"
    text = str(host) if host.ndim == 0 else numpy.array2string(host, separator=", ", prefix=f"{kind}(")
    parts = [text]
    if type(x)._prints_facts:
        if x.dtype not in (get_default_dtype(), int64, bool_):
            parts.append(f"dtype={x.dtype.name}")
        if x.backend != "numpy":
            parts.append(f"backend={x.backend!r}")
        if x._node is not None:
            parts.append("requires_grad=True" if x.is_leaf else f"op={x._node.name!r}")
    return f"{kind}({', '.join(parts)})"
