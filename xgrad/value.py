"""`Value`: the tensor to learn with, which keeps everything to look at."""

from __future__ import annotations

from typing import Any

from .backend.dtypes import dtype_of, get_default_dtype
from .backend.find import raw_namespace
from .graph.node import Node
from .tensor.tensor import Tensor, wrap

__all__ = ["Value"]


class Value(Tensor):
    """A Tensor to learn with: it requires grad unless told otherwise, and every step on the way keeps its data and gradient.

    What is computed from Values are Values. After ``backward`` each of them has its ``grad``, and `xgrad.visualize.draw_dot`
    shows both numbers at every node. This costs memory, which a plain `Tensor` saves.

    Parameters
    ----------
    data : array, scalar or nested sequence of scalars
        Always converted to the default data type (float32, see `xgrad.set_default_dtype`), integers too.
    name : str, optional
        Shown in drawings of the graph.
    requires_grad : bool
        Whether `backward` shall find a gradient for it. False for inputs and targets, if you like.
    device : optional
        Put the array on this device.

    Raises
    ------
    TypeError
        If `data` is complex or holds no numbers.

    Notes
    -----
    ``grad`` is zero until `backward` was called, not None. ``c += 1`` makes a new Value and calls that ``c``: the graph keeps
    both, also where ``c`` was a leaf (a Tensor would stay the same object).

    Examples
    --------
    >>> from xgrad.value import Value
    >>> a = Value(2.0)
    >>> b = a * 3
    >>> b += 1
    >>> c = b.relu()
    >>> c.backward()
    >>> c, b.grad, a.grad
    (Value(7.0), Tensor(1.0), Tensor(3.0))
    """

    __slots__ = ()
    _prints_facts = False

    def __init__(self, data: Any, name: str | None = None, requires_grad: bool = True, *, device: Any = None) -> None:
        kind = dtype_of(data.dtype).kind if hasattr(data, "dtype") else None
        if kind == "complex floating" or isinstance(data, complex):
            raise TypeError("Value: data is complex, but a Value is real; use xgrad.Tensor")
        super().__init__(data, dtype=get_default_dtype(), device=device, requires_grad=requires_grad, name=name)
        if self._node is not None:
            notes = self._node.note()
            notes.data, notes.name = self._data, name

    @classmethod
    def _recorded(cls, out: Any, node: Node, given: Any) -> None:
        constants = [None if isinstance(v, Tensor) and v._node is not None else v for v in given]
        notes = node.note()
        notes.retain, notes.constants = True, constants
        for one in [out] if isinstance(out, Tensor) else out:
            if one._node is not None:
                notes = one._node.note()
                notes.retain, notes.data = True, one._data

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` left here, zero if none came yet; None if this Value does not require grad."""
        found = Tensor.grad.fget(self)  # type: ignore[attr-defined]
        if found is None and self._node is not None:
            return wrap(raw_namespace(self._data).zeros_like(self._data))
        return found  # type: ignore[no-any-return]

    @grad.setter
    def grad(self, value: Any) -> None:
        if isinstance(value, (int, float)):
            value = wrap(raw_namespace(self._data).full_like(self._data, value))
        Tensor.grad.fset(self, value)  # type: ignore[attr-defined]

    # `c += d` names a new Value `c`: what it was made from stays in the graph, and in the drawing.

    __iadd__ = Tensor.__add__
    __isub__ = Tensor.__sub__
    __imul__ = Tensor.__mul__
    __itruediv__ = Tensor.__truediv__
    __ifloordiv__ = Tensor.__floordiv__
    __imod__ = Tensor.__mod__
    __ipow__ = Tensor.__pow__
    __imatmul__ = Tensor.__matmul__
