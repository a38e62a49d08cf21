"""CuPy's elementwise kernels, called on Tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import GradientError
from ..graph.names import public
from ..tensor.tensor import Tensor
from .numpy_ufuncs import call_ufunc

__all__ = ["cupy_kernel"]


@public
def cupy_kernel(kernel: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call xgrad's counterpart of a CuPy ufunc on arguments with a Tensor among them: ``cupy_array * x``, ``cupy_array -= x``.

    CuPy calls ``__cupy_override_elementwise_kernel__`` for its elementwise functions. They have NumPy's names with ``cupy_``
    before. Outputs follow the inputs.
    """
    name = str(getattr(kernel, "name", "")).removeprefix("cupy_")
    count = getattr(kernel, "nin", len(args))
    inputs, outs = list(args[:count]), list(args[count:])
    if (out := kwargs.get("out")) is not None:
        outs.append(out)
    if not outs:
        arguments = {key: value for key, value in kwargs.items() if value is not None and key != "casting"}
        return call_ufunc(name, "__call__", inputs, arguments)
    if any(isinstance(x, Tensor) and x._node is not None for x in inputs):
        raise GradientError(
            f"cupy.{name}: its result requires grad, and would leave its graph when written into a CuPy array; write into a "
            "Tensor, or use x.detach() if no gradient is wanted"
        )
    return kernel(*(x.data if isinstance(x, Tensor) else x for x in (*inputs, *outs)))
