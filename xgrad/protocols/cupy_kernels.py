"""CuPy's elementwise kernels on Tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import GradientError
from ..graph.names import public
from ..tensor.tensor import Tensor
from .numpy_ufuncs import _ufunc

__all__ = ["cupy_kernel"]


@public
def cupy_kernel(kernel: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What a CuPy ufunc called on a Tensor returns, so that ``cupy_array * x`` and ``cupy_array -= x`` work.

    CuPy hands its elementwise functions over to ``__cupy_override_elementwise_kernel__``; they are named like NumPy's, with
    ``cupy_`` before. Outputs follow the inputs.
    """
    name = str(getattr(kernel, "name", "")).removeprefix("cupy_")
    count = getattr(kernel, "nin", len(args))
    inputs, outs = list(args[:count]), list(args[count:])
    if (out := kwargs.get("out")) is not None:
        outs.append(out)
    if not outs:
        return _ufunc(name, "__call__", inputs, {k: v for k, v in kwargs.items() if v is not None and k != "casting"})
    if any(isinstance(x, Tensor) and x._node is not None for x in inputs):
        raise GradientError(
            f"cupy.{name}: its result requires grad, and would leave its graph when written into a CuPy array; write into a "
            "Tensor, or use x.detach() if no gradient is wanted"
        )
    return kernel(*(x.data if isinstance(x, Tensor) else x for x in (*inputs, *outs)))
