"""`vmap`: a function of one example made into one of a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..backend.dtypes import dtype_of
from ..backend.find import backend_of, is_numpy_scalar, raw_namespace
from ..backend.select import current_backend
from ..errors import GradientError, NotBatchable
from ..graph.recording import interpreters, mode
from ..interpreters.batch.arrays import Batch
from ..interpreters.batch.backend import backend_on, base_of
from ..ops.manipulation import broadcast_to, moveaxis
from ..tensor.tensor import Tensor, wrap
from ..tree import flatten
from .call import called
from .transformed import Transformed

__all__ = ["vmap"]

RANDOMNESS = ("error", "different", "same")


def vmap(f: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0, *, randomness: str = "error") -> Callable[..., Any]:
    """The function that calls `f` on every example of a batch at once.

    `f` is written for one example, and is called once: its arguments look like one example, and stand for all of them.

    Parameters
    ----------
    f : callable
        Of arrays, or containers of them, that returns arrays or containers of them.
    in_axes : int, None or nested container
        Along which axis of the arguments the examples lie; None for what is the same for all. A tuple says it for each
        argument, and a container for each part of an argument that is one.
    out_axes : int, None or nested container
        Where the examples shall lie in the results; None for a result that is the same for all, which is then given once.
    randomness : {"error", "different", "same"}
        What numbers drawn from `xgrad.random` shall be: an error; for each example its own; or the same for all examples.

    Returns
    -------
    callable
        Takes what `f` takes with a batch axis more, and returns what `f` returns with a batch axis more: arrays where arrays
        were given, and Tensors for Tensors. Keyword arguments are handed on as they are.

    Raises
    ------
    ValueError
        If the lengths of the batch axes differ, an argument has no such axis, or nothing is batched.
    NotImplementedError
        If `f` asks for what differs between the examples: it takes a value out (``if x > 0``, ``float(x)``), or calls an op
        whose result's shape depends on values. The message names the op.

    Notes
    -----
    It nests, and so do `vmap` and all derivatives: ``vmap(grad(f))`` has the gradient of each example, ``grad`` of a function
    that calls ``vmap`` that of all. A tensor that `f` captures is the same for all examples.

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
        raise ValueError(f"vmap: randomness is {randomness!r}; it may be {', '.join(map(repr, RANDOMNESS))}")

    return _Vmap(f, in_axes, out_axes, randomness)


class _Vmap(Transformed):
    what = "vmap"

    def __init__(self, f: Callable[..., Any], in_axes: Any, out_axes: Any, randomness: str) -> None:
        super().__init__(called("vmap", f))
        self.in_axes, self.out_axes, self.randomness = in_axes, out_axes, randomness

    def made_with(self) -> tuple[Any, ...]:
        return self.f, self.in_axes, self.out_axes, self.randomness

    def __call__(self, *args: Any, **options: Any) -> Any:
        in_axes = self.in_axes
        axes = in_axes if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise ValueError(f"vmap: in_axes is {in_axes}, for {len(axes)} arguments, but there are {len(args)}")
        found: dict[str, int] = {}
        for i, (arg, spec) in enumerate(zip(args, axes)):
            _visit(arg, spec, f"argument {i}", "in_axes", functools.partial(_measure, found))
        if len(set(found.values())) != 1:
            raise ValueError(_no_size(found, in_axes))
        batch = Batch(next(iter(found.values())), self.randomness)
        take = functools.partial(_take, batch)
        given = [_visit(arg, spec, f"argument {i}", "in_axes", take) for i, (arg, spec) in enumerate(zip(args, axes))]
        token = interpreters.set((*interpreters.get(), batch))
        try:
            result = self.f(*given, **options)
        finally:
            interpreters.reset(token)
        tensors = any(isinstance(x, Tensor) for x in flatten(list(args))[0])
        return _visit(result, self.out_axes, "the result", "out_axes", functools.partial(_give, batch, tensors), every=True)


def _visit(tree: Any, spec: Any, name: str, what: str, do: Callable[[Any, Any, str], Any], every: bool = False) -> Any:
    """`tree` with ``do(array, axis, its name)`` for each array of it that has an axis in `spec` (for all, if `every`)."""
    if spec is None and not every:
        return tree
    if spec is None or isinstance(spec, int):
        leaves, structure = flatten(tree)
        return structure.unflatten([do(x, spec, name + path) for x, path in zip(leaves, structure.paths)])
    keys = list(spec) if isinstance(spec, dict) else list(range(len(spec))) if isinstance(spec, (tuple, list)) else None
    if keys is None:
        raise TypeError(f"vmap: {what} is made of integers, None and containers of them, not of {type(spec).__name__}")
    fits = isinstance(tree, dict) and set(keys) == set(tree) if isinstance(spec, dict) else isinstance(tree, (tuple, list))
    if not fits or len(tree) != len(keys):
        raise ValueError(f"vmap: {what} has {spec} for {name}, which is not nested like that: {type(tree).__name__}")
    parts = {key: _visit(tree[key], spec[key], f"{name}[{key!r}]", what, do, every) for key in keys}
    if isinstance(tree, dict):
        return type(tree)((key, parts[key]) for key in tree)
    return type(tree)(*parts.values()) if hasattr(tree, "_fields") else type(tree)(parts.values())


def _measure(found: dict[str, int], x: Any, axis: int, name: str) -> Any:
    """Note how long the batch axis of `x` is."""
    if not isinstance(x, Tensor) and backend_of(x) is None:
        raise TypeError(f"vmap: {name} is the {type(x).__name__} {x!r:.40}, which has no axes; give it in_axes None")
    shape = tuple((x._data if isinstance(x, Tensor) else x).shape)
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"vmap: {name} has shape {shape}, and no axis {axis} for the batch; give it another in in_axes, or None")
    found[f"{name} has {shape[axis]} along axis {axis}"] = shape[axis]
    return x


def _no_size(found: dict[str, int], in_axes: Any) -> str:
    if not found:
        return f"vmap: there is nothing to batch: in_axes is {in_axes}; one argument needs an axis"
    one = next(iter(found))
    other = next(name for name, size in found.items() if size != found[one])
    return f"vmap: the batch axes must be equally long, but {one} and {other}"


def _take(batch: Batch, x: Any, axis: int, name: str) -> Tensor:
    """`x` as `f` gets it: without its batch axis."""
    payload = wrap(x._data, x._node) if isinstance(x, Tensor) else wrap(x)
    payload = payload if axis == 0 else moveaxis(payload, axis, 0)
    return wrap(backend_on(base_of(payload._data), batch.level).cls(payload, batch))


def _give(batch: Batch, tensors: bool, y: Any, axis: int | None, name: str) -> Any:
    """`y`, which `f` returned, with its batch axis."""
    if not isinstance(y, Tensor):
        if is_numpy_scalar(y):
            y = current_backend().from_python(y.item(), dtype_of(y.dtype))
        elif isinstance(y, (bool, int, float, complex)):
            y = current_backend().from_python(y)
        elif backend_of(y) is None:
            raise TypeError(f"vmap: {name} is a {type(y).__name__}, not a Tensor, an array or a number")
        y = wrap(y)
    data = y._data
    own: Batch | None = None
    if raw_namespace(data).__backend__.level >= batch.level:
        if y._node is not None:
            raise GradientError(
                f"vmap: {name} requires grad within the function, where a tensor was made a leaf, and its graph cannot leave; "
                "return y.detach(), or take gradients with xgrad.grad"
            )
        y, own = data.payload, data.batch
    if own is not None and own is not batch:
        raise NotBatchable(name, "it was kept from another call of vmap")
    if own is None and axis is not None:
        y = broadcast_to(y, (batch.size, *y.shape))
    elif own is not None and axis is None:
        raise ValueError(f"vmap: {name} differs between the examples, but out_axes is None for it; give it an axis")
    if axis is not None:
        if not -y.ndim <= axis < y.ndim:
            raise ValueError(f"vmap: {name} has shape {y.shape} with the batch axis, and there is no axis {axis} for that in it")
        y = y if axis == 0 else moveaxis(y, 0, axis)
    if y._node is not None and not mode.get():
        y = y.detach()
    inside = raw_namespace(y._data).__backend__.level > 0
    return y if tensors or inside or y._node is not None else y._data
