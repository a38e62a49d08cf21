"""Gradients of a Tensor: `backward`, hooks, leaves and detaching."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from ..backend.find import raw_namespace
from ..errors import GradientError
from ..graph import views
from ..graph.names import xg
from ..graph.node import Leaf
from .facts import Facts

__all__ = ["Gradients"]


class Gradients(Facts):
    """`backward` and what belongs to it."""

    __slots__: tuple[str, ...] = ()
    _view: Any
    grad: Any  # a property of Tensor

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
        return self._node is None or isinstance(self._node, Leaf)

    def requires_grad_(self, value: bool = True, /) -> Self:
        """Make this tensor a leaf, whose gradient `backward` stores in `grad`; with False, undo that.

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
            self._node = Leaf(self) if value else None
        elif not value:
            if not self.is_leaf:
                raise GradientError("requires_grad_(False): this tensor is the result of a recorded call; use x.detach()")
            self._node = None
        return self

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
        xg.backward(self, gradient, retain_graph, create_graph)

    def zero_grad(self) -> None:
        """Set the gradient to None."""
        if self._node is not None and self.is_leaf:
            self._node.grad = None

    def retain_grad(self) -> None:
        """Make `backward` store a gradient here too, although this tensor is not a leaf."""
        if self._node is None:
            raise GradientError("retain_grad: this tensor does not require grad")
        if not self.is_leaf:
            self._node.note().retain = True

    def register_hook(self, hook: Callable[[Self], Any], /) -> Any:
        """Call `hook` with the gradient of this tensor in each backward pass.

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
        return xg.register_hook(self._node, "hooks", hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Self], Any], /) -> Any:
        """Call `hook` with this leaf each time that `backward` has added to its `grad`.

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
        return xg.register_hook(self._node, "after", hook)

    def detach(self) -> Self:
        """The same array as a tensor that no gradient flows through.

        Writing to one of the two writes to the other, as to one memory; their graphs do not see it. (Under `vmap` they are
        two.)
        """
        backend = raw_namespace(self._data).__backend__
        if self._view is not None and self._view.base is not None and not backend.level:
            return views.same_place(self._view, self._view.base.detach())
        out = xg.wrap(backend.detach(self._data), None, type(self))
        if not backend.level:
            views.link_detached(out, self)
        return out
