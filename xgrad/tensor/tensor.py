"""Tensor: an array that remembers how it was made."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from ..backend.dtypes import Array
from ..backend.find import backend_of, is_numpy_scalar, lifted_namespaces
from ..backend.select import current_backend
from ..errors import GradientError
from ..graph import views
from ..graph.annotations import ARRAY
from ..graph.names import public
from ..graph.node import Leaf, Node
from .functions import Functions
from .operators import Operators
from .writing import Writing

__all__ = ["ArrayLike", "Tensor", "births", "wrap"]


births: list[dict[int, Any]] = []
"""While functions are captured: the Tensors around arrays of a library that are made meanwhile, by id."""


class Tensor(Operators, Functions, Writing):
    """An array that remembers how it was made.

    Parameters
    ----------
    data : array, scalar or nested sequence of scalars
        An array of any backend is wrapped as it is, without a copy and with its dtype. Anything else becomes an array of
        the selected backend; Python floats get the default data type, float32.
    dtype, device : optional
        Convert to this data type; put the array on this device.
    requires_grad : bool
        Whether `backward` shall leave a gradient in `grad`.
    name : str, optional
        Shown in drawings of the graph.

    Raises
    ------
    TypeError
        If `data` cannot be an array, is complex while `dtype` is not, or an integer tensor is asked to require grad.
    ValueError
        If nested sequences are ragged.

    Examples
    --------
    >>> from xgrad import Tensor
    >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    Tensor([2., 4., 6.])
    """

    __slots__ = ("__weakref__", "_data", "_grad", "_name", "_node", "_view")
    __array_priority__ = 1000
    _annotates = ARRAY
    _prints_facts = True  # whether dtype, backend and gradient are shown
    _data: Array
    _node: Node | None
    _view: views.View | None
    _grad: Tensor | None  # set on leaves alone, by their node
    _name: str | None

    def __init__(
        self, data: Any, /, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, name: str | None = None
    ) -> None:
        if isinstance(data, Tensor):
            if data._node is not None:
                raise GradientError(
                    "Tensor(x): x requires grad, and wrapping it again would cut it off from its graph; "
                    "use x itself, or x.detach() to cut it on purpose"
                )
            data = data._data
        backend = None if is_numpy_scalar(data) else backend_of(data)
        if backend is None:
            data = current_backend().from_python(data, dtype, device)
        else:
            data = data if dtype is None else backend.xp.astype(data, backend.native_dtype(dtype))
            data = data if device is None else backend.to_device(data, device)
        self._data, self._node, self._view, self._name = data, None, None, name
        for made in births:
            made[id(self)] = self
        if requires_grad:
            self.requires_grad_()

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` left here: a Tensor of this shape and dtype, or None."""
        node: Any = self._node
        if node is None:
            return None
        if isinstance(node, Leaf):
            return node.grad
        return None if node.notes is None else node.notes.grad

    @grad.setter
    def grad(self, value: Any) -> None:
        node = self._node
        if not isinstance(node, Leaf):
            raise GradientError("x.grad = v: only a leaf that requires grad has a gradient to set")
        if value is not None:
            value = value if isinstance(value, Tensor) else Tensor(value)
            if value.shape != self.shape or value.dtype != self.dtype:
                raise ValueError(f"x.grad = v: v is {value.shape} {value.dtype.name}, but x is {self.shape} {self.dtype.name}")
        node.grad = value


public(Tensor)

ArrayLike: TypeAlias = Annotated[Tensor | Any, ARRAY]
"""A Tensor, an array of any backend, or a Python scalar."""


@public
def wrap(data: Array, node: Node | None = None, cls: type[Tensor] = Tensor) -> Tensor:
    """A Tensor around `data`, made by `node`."""
    out = cls.__new__(cls)
    out._data, out._node, out._view, out._name = data, node, None, None
    if births and data.__class__ not in lifted_namespaces:
        for made in births:
            made[id(out)] = out
    return out
