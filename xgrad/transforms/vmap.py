"""`vmap`: a function of one example, vectorized over a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..backend.dtypes import dtype_of
from ..backend.find import backend_of, is_numpy_scalar, raw_namespace
from ..backend.select import current_backend
from ..errors import GradientError, NotBatchable
from ..graph.recording import interpreters, mode
from ..interpreters.batch.arrays import Batched
from ..interpreters.batch.backend import Batch
from ..interpreters.interpreter import base_of
from ..ops.manipulation import broadcast_to, moveaxis
from ..tensor.tensor import Tensor, wrap
from ..tree import flatten
from .call import a_type, check_callable, type_name
from .transformed import Transformed

__all__ = ["vmap"]

RANDOMNESS = ("error", "different", "same")


def vmap(f: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0, *, randomness: str = "error") -> Callable[..., Any]:
    """The function that computes `f` for every example of a batch at once.

    `f` is written for one example, and called once: each argument looks like one example, and holds all of them.

    Parameters
    ----------
    f : callable
        Takes arrays, or containers of them, and returns arrays or containers of them.
    in_axes : int, None or nested container
        The batch axis of the arguments; None for an argument that is the same for all examples. A tuple has an entry for each
        argument, and a container one for each part of an argument that is a container.
    out_axes : int, None or nested container
        The batch axis of the results; None for a result that is the same for all examples, which is returned without one.
    randomness : {"error", "different", "same"}
        What drawing from `xgrad.random` does: raise, draw for each example, or draw once for all examples.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns its results, each with a batch axis added: arrays for arrays, and Tensors for
        Tensors. Keyword arguments are passed on unchanged.

    Raises
    ------
    ValueError
        If the lengths of the batch axes differ, an argument has no such axis, or nothing is batched.
    NotImplementedError
        If `f` takes out a value that differs between the examples (``if x > 0``, ``float(x)``), or calls an op whose result
        has a shape that depends on values. The message names the op.

    Notes
    -----
    It nests with itself and with all derivatives: ``vmap(grad(f))`` has the gradient of each example, and the ``grad`` of a
    function that calls ``vmap`` has the gradient of all. A tensor that `f` captures is the same for all examples.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.vmap(xgrad.vecdot)(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([1., 4.])
    >>> xgrad.vmap(xgrad.grad(lambda w, x: (w @ x) ** 2), in_axes=(None, 0))(np.array([1.0, 2.0]), np.eye(2))
    array([[2., 0.],
           [0., 4.]])
    """
    if randomness not in RANDOMNESS:
        raise ValueError(f"vmap: randomness is {randomness!r}; it must be one of {', '.join(map(repr, RANDOMNESS))}")

    return _Vmap(f, in_axes, out_axes, randomness)


class _Vmap(Transformed):
    caller = "vmap"

    def __init__(self, f: Callable[..., Any], in_axes: Any, out_axes: Any, randomness: str) -> None:
        super().__init__(check_callable("vmap", f))
        self.in_axes, self.out_axes, self.randomness = in_axes, out_axes, randomness

    def constructor_arguments(self) -> tuple[Any, ...]:
        return self.f, self.in_axes, self.out_axes, self.randomness

    def __call__(self, *args: Any, **options: Any) -> Any:
        in_axes = self.in_axes
        axes = in_axes if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise ValueError(f"vmap: in_axes is {in_axes}, for {len(axes)} arguments, but there are {len(args)}")
        sizes: dict[str, int] = {}
        for i, (arg, spec) in enumerate(zip(args, axes)):
            _map(functools.partial(_note_size, sizes), arg, spec, f"argument {i}", "in_axes")
        if len(set(sizes.values())) != 1:
            raise ValueError(_size_message(sizes, in_axes))
        batch = Batch(next(iter(sizes.values())), self.randomness)
        hide = functools.partial(_hide_axis, batch)
        arguments = [_map(hide, arg, spec, f"argument {i}", "in_axes") for i, (arg, spec) in enumerate(zip(args, axes))]
        token = interpreters.set((*interpreters.get(), batch))
        try:
            result = self.f(*arguments, **options)
        finally:
            interpreters.reset(token)
        tensors = any(isinstance(x, Tensor) for x in flatten(list(args))[0])
        show = functools.partial(_show_axis, batch, tensors)
        return _map(show, result, self.out_axes, "the result", "out_axes", every=True)


def _map(f: Callable[[Any, Any, str], Any], tree: Any, spec: Any, name: str, option: str, every: bool = False) -> Any:
    """`tree` with ``f(array, axis, name of the array)`` in place of each array that has an axis in `spec`.

    With `every`, arrays without an axis are replaced too. `option` is the name of `spec` in messages, `name` that of `tree`.
    """
    if spec is None and not every:
        return tree
    if spec is None or isinstance(spec, int):
        leaves, structure = flatten(tree)
        return structure.unflatten([f(x, spec, name + path) for x, path in zip(leaves, structure.paths)])
    keys = list(spec) if isinstance(spec, dict) else list(range(len(spec))) if isinstance(spec, (tuple, list)) else None
    if keys is None:
        raise TypeError(f"vmap: {option} is made of integers, None and containers of them, not of {type_name(spec)}")
    fits = isinstance(tree, dict) and set(keys) == set(tree) if isinstance(spec, dict) else isinstance(tree, (tuple, list))
    if not fits or len(tree) != len(keys):
        raise ValueError(f"vmap: {option} has {spec} for {name}, which is not nested like that: {type_name(tree)}")
    parts = {key: _map(f, tree[key], spec[key], f"{name}[{key!r}]", option, every) for key in keys}
    if isinstance(tree, dict):
        return type(tree)((key, parts[key]) for key in tree)
    return type(tree)(*parts.values()) if hasattr(tree, "_fields") else type(tree)(parts.values())


def _note_size(sizes: dict[str, int], x: Any, axis: int, name: str) -> Any:
    """Note the length of the batch axis of `x` in `sizes`."""
    if not isinstance(x, Tensor) and backend_of(x) is None:
        raise TypeError(f"vmap: {name} is the {type_name(x)} {x!r:.40}, which has no axes; give it in_axes None")
    shape = tuple((x._data if isinstance(x, Tensor) else x).shape)
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"vmap: {name} has shape {shape}, and no batch axis {axis}; give it another axis in in_axes, or None")
    sizes[f"{name} has {shape[axis]} along axis {axis}"] = shape[axis]
    return x


def _size_message(sizes: dict[str, int], in_axes: Any) -> str:
    """Why `sizes` give no length of the batch."""
    if not sizes:
        return f"vmap: there is nothing to batch: in_axes is {in_axes}; one argument needs an axis"
    one = next(iter(sizes))
    other = next(name for name, size in sizes.items() if size != sizes[one])
    return f"vmap: the batch axes must be equally long, but {one} and {other}"


def _hide_axis(batch: Batch, x: Any, axis: int, name: str) -> Tensor:
    """The argument `x` for `f`, with the batch axis hidden."""
    payload = wrap(x._data, x._node) if isinstance(x, Tensor) else wrap(x)
    payload = payload if axis == 0 else moveaxis(payload, axis, 0)
    return wrap(batch.backend(base_of(payload._data)).cls(payload, batch))


def _show_axis(batch: Batch, tensors: bool, y: Any, axis: int | None, name: str) -> Any:
    """The result `y` of `f` for the user, with its batch axis at `axis`; a Tensor if `tensors`."""
    if not isinstance(y, Tensor):
        if is_numpy_scalar(y):
            y = current_backend().from_python(y.item(), dtype_of(y.dtype))
        elif isinstance(y, (bool, int, float, complex)):
            y = current_backend().from_python(y)
        elif backend_of(y) is None:
            raise TypeError(f"vmap: {name} is {a_type(y)}, not a Tensor, an array or a number")
        y = wrap(y)
    data = y._data
    own: Any = None
    if isinstance(data, Batched) and data.backend.level >= batch.level:
        if y._node is not None:
            raise GradientError(
                f"vmap: {name} requires grad because the function made a tensor a leaf, and its graph cannot leave the function; "
                "return y.detach(), or take gradients with xgrad.grad"
            )
        y, own = data.payload, data.batch
    if own is not None and own is not batch:
        raise NotBatchable(name, "it was stored in another call of vmap")
    if own is None and axis is not None:
        y = broadcast_to(y, (batch.size, *y.shape))
    elif own is not None and axis is None:
        raise ValueError(f"vmap: {name} differs between the examples, but out_axes is None for it; give it an axis")
    if axis is not None:
        if not -y.ndim <= axis < y.ndim:
            raise ValueError(f"vmap: {name} has shape {y.shape} with the batch axis, and there is no axis {axis} in it")
        y = y if axis == 0 else moveaxis(y, 0, axis)
    if y._node is not None and not mode.get():
        y = y.detach()
    inside = raw_namespace(y._data).__backend__.level > 0
    return y if tensors or inside or y._node is not None else y._data
