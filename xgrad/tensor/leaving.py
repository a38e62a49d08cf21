"""Leaving xgrad: to NumPy, to Python's numbers, to other libraries, to print and to files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Self, SupportsIndex, cast

from ..backend.dtypes import check_fits
from ..backend.find import raw_namespace
from ..errors import GradientError, Withheld
from ..graph import memory
from ..graph.kinds import refuse_complex
from ..graph.names import xg
from ..graph.recording import is_grad_enabled
from .conversions import is_explicit
from .gradients import Gradients
from .printing import tensor_repr

__all__ = ["Leaving"]


class _OnTheType:
    """A method that the type has, and its instances have not: there it is None.

    NumPy asks the type for `__array_ufunc__`. CuPy's operators ask the instance, and leave the call to its reflected operator
    where it is None. Else they would hand a tensor that has `__cuda_array_interface__` to CuPy's own functions, of which
    `matmul` takes none.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __get__(self, instance: Any, owner: Any) -> Callable[..., Any] | None:
        return self.function if instance is None else None


class Leaving(Gradients):
    """Methods that take values out of a graph. An array that requires grad does not leave it silently."""

    __slots__: tuple[str, ...] = ()

    @property
    def data(self) -> Any:
        """The backend's array itself, without a copy. Writing into it is not recorded; see `guard_writes`."""
        array = raw_namespace(self._data).__backend__.as_array(self._data)
        if array is not self._data:
            memory.assign(self, array)
        return array

    @data.setter
    def data(self, value: Any) -> None:
        if isinstance(value, xg.Tensor):
            value._refuse("x.data = v")
            value = value._data
        if value is self._data:  # `x.data -= ...` wrote in place and assigns the same array
            memory.mark(value, memory.next_age())
            return
        if hasattr(value, "shape") and hasattr(value, "dtype"):
            check_fits("x.data = v", value.dtype, self.dtype)
        new = xg.Tensor(value, dtype=self.dtype, device=self.device)
        if new.shape != self.shape and self._node is not None:
            raise ValueError(f"x.data = v: v has shape {new.shape} but x, which requires grad, has shape {self.shape}")
        memory.assign(self, new._data)

    def numpy(self) -> Any:
        """A NumPy array with these values, copied to the host."""
        self._refuse("numpy()")
        return raw_namespace(self._data).__backend__.to_numpy(self._data)

    def item(self) -> Any:
        """The value of a tensor of one element, as a Python scalar."""
        if self.size != 1:
            raise ValueError(f"item: only a tensor of one element is a scalar, this one has shape {self.shape}")
        return raw_namespace(self._data).__backend__.to_numpy(self._data).item()

    def tolist(self) -> Any:
        """The values as nested lists of Python scalars."""
        return raw_namespace(self._data).__backend__.to_numpy(self._data).tolist()

    def _refuse(self, name: str) -> None:
        if self._node is not None:
            raise GradientError(
                f"{name}: this tensor requires grad, and the array would leave its graph silently; use x.detach().numpy()"
            )

    def _check_number(self, name: str) -> None:
        # NumPy's a[i] = x calls float(x) from C: what it stores would have no gradient.
        if self._node is not None and is_grad_enabled() and not is_explicit(sys._getframe(2)):
            raise GradientError(
                f"{name}: this tensor requires grad, and the number would leave its graph silently: an assignment into an array, "
                "or a library that computes with numbers, asked for it. To keep the gradient, build the array with "
                "xgrad.stack([...]), or write into a = xgrad.zeros(...); for the number alone use x.item()"
            )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        self._refuse("numpy.asarray(x)")
        import numpy

        if copy is False and self.backend != "numpy":
            raise ValueError(f"numpy.asarray(x, copy=False): x lives on backend {self.backend!r} and must be copied")
        if dtype is not None and self.dtype.kind == "complex floating" and numpy.dtype(dtype).kind in "biuf":
            check_fits("numpy.asarray(x)", self.dtype, numpy.dtype(dtype))
        host = self.data if self.backend == "numpy" else self.numpy()
        return numpy.array(host, dtype=dtype, copy=copy)

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[Any, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        self._refuse("x.__dlpack__()")
        wishes = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        return self.data.__dlpack__(**{name: wish for name, wish in wishes.items() if wish is not None})

    def __dlpack_device__(self) -> Any:
        return self.data.__dlpack_device__()

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        interface = getattr(self.data, "__cuda_array_interface__", None)
        if interface is None:
            raise AttributeError(f"x.__cuda_array_interface__: x lives on backend {self.backend!r}, not in the memory of a GPU")
        if self._node is not None:
            raise Withheld(
                "x.__cuda_array_interface__: this tensor requires grad, and the array would leave its graph silently; use "
                "x.detach()"
            )
        return cast("dict[str, Any]", interface)

    @_OnTheType
    def __array_ufunc__(self: Any, ufunc: Any, method: str, *inputs: Any, **arguments: Any) -> Any:
        return xg.array_ufunc(ufunc, method, inputs, arguments)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return xg.array_function(function, args, kwargs)

    def __cupy_override_elementwise_kernel__(self, kernel: Any, *args: Any, **kwargs: Any) -> Any:
        return xg.cupy_kernel(kernel, args, kwargs)

    def __bool__(self) -> bool:
        return bool(self._data)

    def __int__(self) -> int:
        refuse_complex("int(x)", x=self)
        return int(self._data)

    def __float__(self) -> float:
        self._check_number("float(x)")
        refuse_complex("float(x)", x=self)
        return float(self._data)

    def __complex__(self) -> complex:
        self._check_number("complex(x)")
        return complex(self._data)

    def __index__(self) -> int:
        array = raw_namespace(self._data).__backend__.as_array(self._data)
        if not hasattr(array, "__index__") and self.shape == () and self.dtype.kind.endswith("integer"):
            return int(array)  # arrays of CuPy are no indices
        return cast(SupportsIndex, array).__index__()

    def __format__(self, spec: str) -> str:
        if spec and self.size == 1:
            return format(self.item(), spec)
        return format(str(self), spec)

    def __repr__(self) -> str:
        return tensor_repr(self)

    def __copy__(self) -> Self:
        return self if self._node is not None and not self.is_leaf else self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        if not self.is_leaf:
            return xg.positive(self)  # stays in the graph
        xp = raw_namespace(self._data)
        return type(self)._restore(xp.asarray(self._data, copy=True), self._node is not None, self._name, self.grad)

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            raise GradientError("pickling: this tensor is part of a graph, which cannot be pickled; use x.detach()")
        return type(self)._restore, (self.data, self._node is not None, self._name, self.grad)

    @classmethod
    def _restore(cls, data: Any, requires_grad: bool, name: str | None, grad: Any) -> Self:
        tensor = xg.wrap(data, None, cls)
        tensor._name = name
        if requires_grad:
            tensor.requires_grad_()
            tensor.grad = grad
        return tensor

    @classmethod
    def _recorded(cls, out: Any, node: Any, arguments: Any) -> None:
        """Called when a call on tensors of this subclass, with these array arguments, was recorded."""
