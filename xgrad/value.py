"""`Value`, a Tensor for learning: every intermediate result keeps its data and its gradient."""

from __future__ import annotations

from typing import Any

from .backend.dtypes import dtype_of, get_default_dtype
from .backend.find import raw_namespace
from .graph.node import Node
from .tensor.tensor import Tensor, wrap

__all__ = ["Value"]


class Value(Tensor):
    """A Tensor for learning: it requires grad by default, and every intermediate result keeps its data and its gradient.

    Results computed from Values are Values. After ``backward`` each of them has its ``grad``, and `xgrad.visualize.draw_dot`
    shows both numbers at every node. This takes more memory than a plain `Tensor`.

    Parameters
    ----------
    data : array, scalar or nested sequence of scalars
        It is converted to the default data type (float32, see `xgrad.set_default_dtype`), also if it is integer.
    name : str, optional
        The name in drawings of the graph.
    requires_grad : bool
        Whether `backward` computes a gradient for it. It may be False for inputs and targets.
    device : optional
        The device to put the array on.

    Raises
    ------
    TypeError
        If `data` is complex or not numeric.

    Notes
    -----
    ``grad`` is zero until `backward` is called, not None. ``c += 1`` makes a new Value and assigns it to ``c``. The graph has
    both, also if ``c`` was a leaf; a Tensor would stay the same object.

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
    def _recorded(cls, out: Any, node: Node, arguments: Any) -> None:
        notes = node.note()
        notes.retain = True
        notes.constants = [None if isinstance(x, Tensor) and x._node is not None else x for x in arguments]
        for y in [out] if isinstance(out, Tensor) else out:
            if y._node is not None:
                notes = y._node.note()
                notes.retain, notes.data = True, y._data

    @property  # type: ignore[override]  # the gradient of a Value is a Tensor
    def grad(self) -> Tensor | None:
        """The gradient from `backward`, zero if there is none yet; None if this Value does not require grad."""
        grad = Tensor.grad.fget(self)  # type: ignore[attr-defined]
        if grad is None and self._node is not None:
            return wrap(raw_namespace(self._data).zeros_like(self._data))
        return grad  # type: ignore[no-any-return]

    @grad.setter
    def grad(self, value: Any) -> None:
        if isinstance(value, (int, float)):
            value = wrap(raw_namespace(self._data).full_like(self._data, value))
        Tensor.grad.fset(self, value)  # type: ignore[attr-defined]

    # `c += d` makes a new Value: the old one stays in the graph and in drawings.

    __iadd__ = Tensor.__add__
    __isub__ = Tensor.__sub__
    __imul__ = Tensor.__mul__
    __itruediv__ = Tensor.__truediv__
    __ifloordiv__ = Tensor.__floordiv__
    __imod__ = Tensor.__mod__
    __ipow__ = Tensor.__pow__
    __imatmul__ = Tensor.__matmul__
