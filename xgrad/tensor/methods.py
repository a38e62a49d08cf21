"""Operators, properties and methods of Tensor: each operator and each method is the xgrad function of its name.

They live apart from the engine, which does not need them. `xgrad` itself is looked up at call time, since it is built
from the engine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, SupportsIndex, cast

from ..backend.dtypes import DType, check_fits
from ..backend.find import raw_namespace
from ..errors import GradientError, NotAnArray
from ..graph import memory, views
from ..graph.recording import is_grad_enabled
from .conversions import is_explicit

if TYPE_CHECKING:
    import xgrad.printing

    from .tensor import Tensor

__all__ = ["Methods"]


class Methods:
    """What a Tensor can do besides being recorded."""

    __slots__: tuple[str, ...] = ()
    __array_priority__ = 1000
    __xgrad_tensor__ = True  # what annotations of arrays are known by
    _prints_facts = True
    _data: Any
    _node: Any
    _view: Any
    _name: Any

    # Operators. An operand of an unknown type gets its turn (NotImplemented).

    def __add__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.add(self, other)
        except NotAnArray:
            return NotImplemented

    def __radd__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.add(other, self)
        except NotAnArray:
            return NotImplemented

    def __sub__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.subtract(self, other)
        except NotAnArray:
            return NotImplemented

    def __rsub__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.subtract(other, self)
        except NotAnArray:
            return NotImplemented

    def __mul__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.multiply(self, other)
        except NotAnArray:
            return NotImplemented

    def __rmul__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.multiply(other, self)
        except NotAnArray:
            return NotImplemented

    def __truediv__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.divide(self, other)
        except NotAnArray:
            return NotImplemented

    def __rtruediv__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.divide(other, self)
        except NotAnArray:
            return NotImplemented

    def __floordiv__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.floor_divide(self, other)
        except NotAnArray:
            return NotImplemented

    def __rfloordiv__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.floor_divide(other, self)
        except NotAnArray:
            return NotImplemented

    def __mod__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.remainder(self, other)
        except NotAnArray:
            return NotImplemented

    def __rmod__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.remainder(other, self)
        except NotAnArray:
            return NotImplemented

    def __pow__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.pow(self, other)
        except NotAnArray:
            return NotImplemented

    def __rpow__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.pow(other, self)
        except NotAnArray:
            return NotImplemented

    def __matmul__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.matmul(self, other)
        except NotAnArray:
            return NotImplemented

    def __rmatmul__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.matmul(other, self)
        except NotAnArray:
            return NotImplemented

    def __and__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.bitwise_and(self, other)
        except NotAnArray:
            return NotImplemented

    def __rand__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.bitwise_and(other, self)
        except NotAnArray:
            return NotImplemented

    def __or__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.bitwise_or(self, other)
        except NotAnArray:
            return NotImplemented

    def __ror__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.bitwise_or(other, self)
        except NotAnArray:
            return NotImplemented

    def __xor__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.bitwise_xor(self, other)
        except NotAnArray:
            return NotImplemented

    def __rxor__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.bitwise_xor(other, self)
        except NotAnArray:
            return NotImplemented

    def __lshift__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.bitwise_left_shift(self, other)
        except NotAnArray:
            return NotImplemented

    def __rlshift__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.bitwise_left_shift(other, self)
        except NotAnArray:
            return NotImplemented

    def __rshift__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.bitwise_right_shift(self, other)
        except NotAnArray:
            return NotImplemented

    def __rrshift__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.bitwise_right_shift(other, self)
        except NotAnArray:
            return NotImplemented

    def __eq__(self, other: Any, /) -> Tensor:  # type: ignore[override]
        try:
            return xgrad.equal(self, other)
        except NotAnArray:
            return self._unlike(other, False)

    def __ne__(self, other: Any, /) -> Tensor:  # type: ignore[override]
        try:
            return xgrad.not_equal(self, other)
        except NotAnArray:
            return self._unlike(other, True)

    def _unlike(self, other: Any, differs: bool) -> Any:
        # What is no array and has no opinion of its own, such as None and strings, equals no element.
        kind: Any = type(other)
        if kind.__module__ != "builtins" and kind.__eq__ is not object.__eq__:
            return NotImplemented
        return xgrad.full_like(self, differs, dtype=xgrad.bool)

    def __lt__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.less(self, other)
        except NotAnArray:
            return NotImplemented

    def __le__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.less_equal(self, other)
        except NotAnArray:
            return NotImplemented

    def __gt__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.greater(self, other)
        except NotAnArray:
            return NotImplemented

    def __ge__(self, other: Any, /) -> Tensor:
        try:
            return xgrad.greater_equal(self, other)
        except NotAnArray:
            return NotImplemented

    def __neg__(self) -> Tensor:
        return xgrad.negative(self)

    def __pos__(self) -> Tensor:
        return xgrad.positive(self)

    def __abs__(self) -> Tensor:
        return xgrad.abs(self)

    def __invert__(self) -> Tensor:
        return xgrad.bitwise_invert(self)

    __hash__ = object.__hash__  # by identity, though == compares elements

    # In place: the object stays the same, its value is a new result.

    def __iadd__(self, other: Any, /) -> Tensor:
        return self._rebind("+=", xgrad.add(self, other))

    def __isub__(self, other: Any, /) -> Tensor:
        return self._rebind("-=", xgrad.subtract(self, other))

    def __imul__(self, other: Any, /) -> Tensor:
        return self._rebind("*=", xgrad.multiply(self, other))

    def __itruediv__(self, other: Any, /) -> Tensor:
        return self._rebind("/=", xgrad.divide(self, other))

    def __ifloordiv__(self, other: Any, /) -> Tensor:
        return self._rebind("//=", xgrad.floor_divide(self, other))

    def __imod__(self, other: Any, /) -> Tensor:
        return self._rebind("%=", xgrad.remainder(self, other))

    def __ipow__(self, other: Any, /) -> Tensor:
        return self._rebind("**=", xgrad.pow(self, other))

    def __imatmul__(self, other: Any, /) -> Tensor:
        return self._rebind("@=", xgrad.matmul(self, other))

    def __iand__(self, other: Any, /) -> Tensor:
        return self._rebind("&=", xgrad.bitwise_and(self, other))

    def __ior__(self, other: Any, /) -> Tensor:
        return self._rebind("|=", xgrad.bitwise_or(self, other))

    def __ixor__(self, other: Any, /) -> Tensor:
        return self._rebind("^=", xgrad.bitwise_xor(self, other))

    def __ilshift__(self, other: Any, /) -> Tensor:
        return self._rebind("<<=", xgrad.bitwise_left_shift(self, other))

    def __irshift__(self, other: Any, /) -> Tensor:
        return self._rebind(">>=", xgrad.bitwise_right_shift(self, other))

    def _rebind(self, what: str, new: Tensor) -> Tensor:
        """Become `new`, as an in-place operation does, and take base and views along."""
        old, made, node = self._data, new._data, self._node
        plain = self._view is None and (node is None or (new._node is not None and not self.is_leaf))
        if plain and made.shape == old.shape and made.dtype == old.dtype:
            self._data, self._node = made, new._node  # the usual case: nothing stands in the way
            return cast("Tensor", self)
        if new._data.shape != self._data.shape:
            raise ValueError(f"{what}: the result has shape {new.shape}, which does not fit into a tensor of shape {self.shape}")
        if new.dtype != self.dtype:
            order = ("bool", "unsigned integer", "signed integer", "real floating", "complex floating")
            if order.index(new.dtype.kind) > order.index(self.dtype.kind):
                raise TypeError(f"{what}: the result is {new.dtype.name}, which does not fit into a tensor of {self.dtype.name}")
            new = xgrad.astype(new, self.dtype)
        for one in (self, self if self._view is None or self._view.base is None else self._view.base):
            if one._node is not None and one.is_leaf:
                if is_grad_enabled():
                    raise GradientError(
                        f"{what}: a leaf that requires grad cannot be written to while calls are recorded, since its gradient "
                        "would be lost; write under xgrad.no_grad(), or into a result such as x * 1"
                    )
                new = xgrad.engine.wrap(new._data)
        views.write(self, new)
        return cast("Tensor", self)

    # Indexing.

    def __getitem__(self, key: Any, /) -> Tensor:
        return xgrad.getitem(self, key)

    def __setitem__(self, key: Any, value: Any, /) -> None:
        self._rebind("x[...] = v", xgrad.setitem(self, key, value))

    @property
    def at(self) -> Any:
        """``x.at[key].set(v)`` is a copy with ``x[key] = v``; so are ``add``, ``multiply``, ``max`` and others of `xgrad.at`."""
        return xgrad.at(self)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, value: Any) -> bool:
        return bool(xgrad.any(self == value))

    # What it is.

    @property
    def data(self) -> Any:
        """The backend's array itself, without a copy. Writing into it is not recorded; see `guard_writes`."""
        made = raw_namespace(self._data).__backend__.as_array(self._data)
        self._data = made
        return made

    @data.setter
    def data(self, value: Any) -> None:
        if isinstance(value, Methods):
            value._refuse("x.data = v")
            value = value._data
        if value is self._data:  # `x.data -= ...` wrote in place and now hands the same array back
            memory.mark(value, xgrad.engine.next_age())
            return
        if hasattr(value, "shape") and hasattr(value, "dtype"):
            check_fits("x.data = v", value.dtype, self.dtype)
        made = xgrad.Tensor(value, dtype=self.dtype, device=self.device)
        if made.shape != self.shape and self._node is not None:
            raise ValueError(f"x.data = v: v has shape {made.shape} but x, which requires grad, has shape {self.shape}")
        self._data = made._data

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` left here: a Tensor of this shape and dtype, or None."""
        if self._node is None:
            return None
        if self.is_leaf:
            return cast("Tensor | None", self._node.grad)
        return None if self._node.extra is None else self._node.extra.get("grad")

    @grad.setter
    def grad(self, value: Any) -> None:
        if self._node is None or not self.is_leaf:
            raise GradientError("x.grad = v: only a leaf that requires grad has a gradient to set")
        if value is not None:
            value = value if isinstance(value, Methods) else xgrad.Tensor(value)
            if value.shape != self.shape or value.dtype != self.dtype:
                raise ValueError(f"x.grad = v: v is {value.shape} {value.dtype.name}, but x is {self.shape} {self.dtype.name}")
        self._node.grad = value

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this tensor."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    @property
    def is_leaf(self) -> bool:
        """Whether this tensor was made by the user and not by a recorded call."""
        return self._node is None or isinstance(self._node, xgrad.leaves.Leaf)

    @property
    def name(self) -> str | None:
        """A name, shown in drawings of the graph."""
        return self._name

    @name.setter
    def name(self, value: str | None) -> None:
        self._name = value
        if self._node is not None:
            self._node.extra = {**(self._node.extra or {}), "name": value}

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return tuple(self._data.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._data.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        total = 1
        for n in self._data.shape:
            total *= n
        return total

    @property
    def dtype(self) -> DType:
        """The data type, the same object on every backend."""
        return cast(DType, raw_namespace(self._data).__backend__.dtype_of(self._data.dtype))

    @property
    def backend(self) -> str:
        """The name of the backend whose array this is."""
        return cast(str, raw_namespace(self._data).__backend__.name)

    @property
    def device(self) -> Any:
        """The backend's device on which the array lives."""
        return raw_namespace(self._data).__backend__.device(self._data)

    @property
    def T(self) -> Tensor:
        """The transpose of a matrix: axes in reverse order."""
        return xgrad.permute_dims(self, tuple(range(self.ndim))[::-1])

    @property
    def mT(self) -> Tensor:
        """The transpose of the last two axes."""
        return xgrad.matrix_transpose(self)

    @property
    def real(self) -> Tensor:
        """The real part, a view; ``x.real = v`` writes to it."""
        return xgrad.real(self)

    @real.setter
    def real(self, value: Any) -> None:
        xgrad.real(self)[...] = value

    @property
    def imag(self) -> Tensor:
        """The imaginary part, a view; ``x.imag = v`` writes to it."""
        return xgrad.imag(self)

    @imag.setter
    def imag(self, value: Any) -> None:
        xgrad.imag(self)[...] = value

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        """The namespace whose functions make arrays on this tensor's backend."""
        return xgrad.namespace(self.backend, api_version=api_version)

    # Gradients.

    def requires_grad_(self, value: bool = True, /) -> Tensor:
        """Make this tensor a leaf whose gradient `backward` leaves in `grad` (or no longer).

        Raises
        ------
        TypeError
            If the dtype is not floating, so that no gradient exists.
        GradientError
            If it is asked of a result that must keep requiring grad.
        """
        if self._node is None:
            if value and not self.dtype.inexact:
                raise TypeError(
                    f"requires_grad: a tensor of dtype {self.dtype.name} cannot require grad, only floating ones can; "
                    "use xgrad.astype(x, xgrad.float32)"
                )
            self._node = xgrad.leaves.Leaf(cast("Tensor", self)) if value else None
        elif not value:
            if not self.is_leaf:
                raise GradientError("requires_grad_(False): this tensor is the result of a recorded call; use x.detach()")
            self._node = None
        return cast("Tensor", self)

    def backward(self, gradient: Any = None, *, retain_graph: bool = False, create_graph: bool = False) -> None:
        """Add to the `grad` of every leaf the gradient of this tensor with respect to it.

        Parameters
        ----------
        gradient : array, optional
            The cotangent of this tensor; 1 for a tensor of one element, and needed for any other.
        retain_graph : bool
            Keep what the graph saved, so that it can be walked again.
        create_graph : bool
            Record the backward pass itself, so that gradients can be differentiated. Implies `retain_graph`.

        Raises
        ------
        GradientError
            If nothing here requires grad, if the graph was freed by an earlier call, if `gradient` is missing for a
            non-scalar, or if an array that the graph saved was written to.
        """
        if self._node is None:
            outside = "; under vmap that counts for tensors from outside: take their gradients there, or with xgrad.grad"
            raise GradientError(
                "backward: this tensor does not require grad, and no tensor that it was made from does"
                + outside * (raw_namespace(self._data).__backend__.depth > 0)
            )
        if gradient is None:
            if self._data.shape != () and self.size != 1:
                raise GradientError(
                    f"backward: this tensor has shape {self.shape}; only a tensor of one element has a gradient by "
                    "itself: reduce it first, as in x.sum().backward(), or pass gradient="
                )
            start = raw_namespace(self._data).ones_like(self._data)
        else:
            gradient = gradient if isinstance(gradient, Methods) else xgrad.Tensor(gradient, dtype=self.dtype)
            if gradient.shape != self.shape or gradient.backend != self.backend:
                raise ValueError(
                    f"backward: gradient is {gradient.shape} on {gradient.backend!r}, "
                    f"but the tensor is {self.shape} on {self.backend!r}"
                )
            gradient = xgrad.astype(gradient, self.dtype) if gradient.dtype != self.dtype else gradient
            start = gradient if create_graph else gradient._data
        if create_graph and not isinstance(start, Methods):
            start = xgrad.engine.wrap(start)
        leaves = xgrad.engine.pullback((cast("Tensor", self),), (start,), retain_graph=retain_graph, create_graph=create_graph)
        xgrad.leaves.deposit(leaves)

    def zero_grad(self) -> None:
        """Forget the gradient."""
        if self._node is not None and self.is_leaf:
            self._node.grad = None

    def retain_grad(self) -> None:
        """Have `backward` leave a gradient here too, though this tensor is no leaf."""
        if self._node is None:
            raise GradientError("retain_grad: this tensor does not require grad")
        if not self.is_leaf:
            self._node.extra = {**(self._node.extra or {}), "retain": True}

    def register_hook(self, hook: Callable[[Tensor], Any], /) -> xgrad.hooks.HookHandle:
        """Have `hook` called with the gradient of this tensor each time that a backward pass has found it.

        Parameters
        ----------
        hook : callable
            Takes the gradient, a Tensor of this shape and dtype. What it returns, if not None, is the gradient from there on.
            Do not write to what it is given.

        Returns
        -------
        HookHandle
            Its ``remove()`` takes the hook away.

        Raises
        ------
        GradientError
            If this tensor does not require grad.

        Notes
        -----
        Hooks are called in the order in which they were registered, each with what the one before returned, and before
        `retain_grad`. The gradient is complete: all that uses the tensor has contributed. With ``create_graph=True`` what a
        hook computes is recorded. A hook belongs to the value that the tensor has now, not to one that is written to it later.
        Transforms such as `xgrad.grad` call hooks too; forward mode does not.

        Examples
        --------
        >>> import xgrad
        >>> x = xgrad.Tensor([1.0, 2.0], requires_grad=True)
        >>> y = x * 3
        >>> handle = y.register_hook(lambda g: g * 10)
        >>> y.sum().backward()
        >>> x.grad
        Tensor([30., 30.])
        >>> handle.remove()
        """
        if self._node is None:
            raise GradientError("register_hook: this tensor does not require grad, so no gradient will come by")
        return xgrad.hooks.register(self._node, "hooks", hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], Any], /) -> xgrad.hooks.HookHandle:
        """Have `hook` called with this leaf each time that `backward` has added to its `grad`.

        Parameters
        ----------
        hook : callable
            Takes this tensor. It is called when the walk is over and all gradients are there; what it does is not recorded.

        Raises
        ------
        GradientError
            If this tensor is no leaf that requires grad.

        Examples
        --------
        >>> import xgrad
        >>> p = xgrad.Tensor([1.0, 2.0], requires_grad=True)
        >>> def step(p):
        ...     p.data -= 0.5 * p.grad.data
        ...     p.grad = None
        >>> handle = p.register_post_accumulate_grad_hook(step)
        >>> (p * p).sum().backward()
        >>> p.tolist()
        [0.0, 0.0]
        """
        if self._node is None or not self.is_leaf:
            raise GradientError("register_post_accumulate_grad_hook: only a leaf that requires grad has gradients added to it")
        return xgrad.hooks.register(self._node, "after", hook)

    def detach(self) -> Tensor:
        """The same array as a tensor that no gradient flows through.

        Writing to one of the two writes to the other, as to one memory; their graphs do not see it. (Under `vmap` they are
        two.)
        """
        backend = raw_namespace(self._data).__backend__
        if self._view is not None and self._view.base is not None and not backend.depth:
            return views.same_place(self._view, self._view.base.detach())
        out = xgrad.engine.wrap(backend.detach(self._data), None, cast("type[Tensor]", type(self)))
        if not backend.depth:
            views.link_detached(out, self)
        return out

    # Leaving xgrad.

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

    def _refuse(self, what: str) -> None:
        if self._node is not None:
            raise GradientError(
                f"{what}: this tensor requires grad, and the array would leave its graph silently; use x.detach().numpy()"
            )

    def _check_number(self, what: str) -> None:
        # NumPy's a[i] = x calls float(x) from C: what it stores would have no gradient.
        if self._node is not None and is_grad_enabled() and not is_explicit(sys._getframe(2)):
            raise GradientError(
                f"{what}: this tensor requires grad, and the number would leave its graph silently: an assignment into an array, "
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

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **arguments: Any) -> Any:
        return xgrad.numpy_protocols.array_ufunc(ufunc, method, inputs, arguments)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return xgrad.numpy_protocols.array_function(function, args, kwargs)

    def __cupy_override_elementwise_kernel__(self, kernel: Any, *args: Any, **kwargs: Any) -> Any:
        return xgrad.numpy_protocols.cupy_kernel(kernel, args, kwargs)

    def __bool__(self) -> bool:
        return bool(self._data)

    def __int__(self) -> int:
        xgrad.kinds.refuse_complex("int(x)", x=self)
        return int(self._data)

    def __float__(self) -> float:
        self._check_number("float(x)")
        xgrad.kinds.refuse_complex("float(x)", x=self)
        return float(self._data)

    def __complex__(self) -> complex:
        self._check_number("complex(x)")
        return complex(self._data)

    def __index__(self) -> int:
        return cast(SupportsIndex, raw_namespace(self._data).__backend__.as_array(self._data)).__index__()

    def __format__(self, spec: str) -> str:
        if spec and self.size == 1:
            return format(self.item(), spec)
        return format(str(self), spec)

    def __repr__(self) -> str:
        return xgrad.printing.tensor_repr(cast("Tensor", self))

    def __copy__(self) -> Tensor:
        return self if self._node is not None and not self.is_leaf else self.__deepcopy__({})  # type: ignore[return-value]

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            return xgrad.positive(self)  # stays in the graph
        xp = raw_namespace(self._data)
        return type(self)._restore(xp.asarray(self._data, copy=True), self._node is not None, self._name, self.grad)

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            raise GradientError("pickling: this tensor is part of a graph, which cannot be pickled; use x.detach()")
        return type(self)._restore, (self.data, self._node is not None, self._name, self.grad)

    @classmethod
    def _restore(cls, data: Any, requires_grad: bool, name: str | None, grad: Any) -> Tensor:
        made = xgrad.engine.wrap(data, None, cast("type[Tensor]", cls))
        made._name = name
        if requires_grad:
            made.requires_grad_()
            made.grad = grad
        return made

    @classmethod
    def _recorded(cls, out: Any, node: Any, given: Any) -> None:
        """Called when a call on tensors of this subclass, with the array arguments `given`, was recorded."""

    # Moving.

    def to_device(self, device: Any, /, *, stream: Any = None) -> Tensor:
        """This tensor on another device of its backend; the gradient moves back."""
        return xgrad.to_device(self, device)

    def astype(self, dtype: Any, /, *, copy: bool = True) -> Tensor:
        """This tensor converted to another data type; see `xgrad.astype`."""
        return xgrad.astype(self, dtype, copy=copy)

    # Functions that users of NumPy and PyTorch reach for as methods.

    def reshape(self, *shape: Any) -> Tensor:
        """See `xgrad.reshape`; takes the shape as a tuple or as integers."""
        return xgrad.reshape(self, shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape)

    def flatten(self) -> Tensor:
        """All elements along one axis, a copy as in NumPy; `reshape` gives a view."""
        return xgrad.reshape(self, (-1,), copy=True)

    def transpose(self, *axes: Any) -> Tensor:
        """Axes in the given order, or in reverse order."""
        order = axes[0] if len(axes) == 1 and isinstance(axes[0], tuple) else axes
        return xgrad.permute_dims(self, order or tuple(range(self.ndim))[::-1])

    def clip(self, min: Any = None, max: Any = None) -> Tensor:
        """See `xgrad.clip`."""
        return xgrad.clip(self, min, max)

    def squeeze(self, axis: Any = None) -> Tensor:
        """Without the axes of length one, or without those named."""
        return xgrad.squeeze(self, tuple(i for i, n in enumerate(self.shape) if n == 1) if axis is None else axis)

    def mse(self, target: Any) -> Tensor:
        """The mean squared error against `target`."""
        return xgrad.nn.functional.mse(self, target)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """See `xgrad.sum`."""
        return xgrad.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """See `xgrad.mean`."""
        return xgrad.mean(self, axis=axis, keepdims=keepdims)

    def prod(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """See `xgrad.prod`."""
        return xgrad.prod(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """See `xgrad.max`."""
        return xgrad.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """See `xgrad.min`."""
        return xgrad.min(self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """See `xgrad.argmax`."""
        return xgrad.argmax(self, axis=axis, keepdims=keepdims)

    def argmin(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """See `xgrad.argmin`."""
        return xgrad.argmin(self, axis=axis, keepdims=keepdims)

    def all(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """See `xgrad.all`."""
        return xgrad.all(self, axis=axis, keepdims=keepdims)

    def any(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """See `xgrad.any`."""
        return xgrad.any(self, axis=axis, keepdims=keepdims)

    def var(self, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
        """See `xgrad.var`."""
        return xgrad.var(self, axis=axis, correction=correction, keepdims=keepdims)

    def std(self, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
        """See `xgrad.std`."""
        return xgrad.std(self, axis=axis, correction=correction, keepdims=keepdims)

    def softmax(self, axis: int = -1) -> Tensor:
        """See `xgrad.softmax`."""
        return xgrad.softmax(self, axis=axis)

    def log_softmax(self, axis: int = -1) -> Tensor:
        """See `xgrad.log_softmax`."""
        return xgrad.log_softmax(self, axis=axis)

    def logsumexp(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """See `xgrad.logsumexp`."""
        return xgrad.logsumexp(self, axis=axis, keepdims=keepdims)

    def exp(self) -> Tensor:
        """See `xgrad.exp`."""
        return xgrad.exp(self)

    def log(self) -> Tensor:
        """See `xgrad.log`."""
        return xgrad.log(self)

    def sqrt(self) -> Tensor:
        """See `xgrad.sqrt`."""
        return xgrad.sqrt(self)

    def square(self) -> Tensor:
        """See `xgrad.square`."""
        return xgrad.square(self)

    def sin(self) -> Tensor:
        """See `xgrad.sin`."""
        return xgrad.sin(self)

    def cos(self) -> Tensor:
        """See `xgrad.cos`."""
        return xgrad.cos(self)

    def tanh(self) -> Tensor:
        """See `xgrad.tanh`."""
        return xgrad.tanh(self)

    def abs(self) -> Tensor:
        """See `xgrad.abs`."""
        return xgrad.abs(self)

    def conj(self) -> Tensor:
        """See `xgrad.conj`."""
        return xgrad.conj(self)

    def relu(self) -> Tensor:
        """See `xgrad.relu`."""
        return xgrad.relu(self)

    def sigmoid(self) -> Tensor:
        """See `xgrad.sigmoid`."""
        return xgrad.sigmoid(self)

    def gelu(self) -> Tensor:
        """See `xgrad.gelu`."""
        return xgrad.gelu(self)

    def softplus(self) -> Tensor:
        """See `xgrad.softplus`."""
        return xgrad.softplus(self)
