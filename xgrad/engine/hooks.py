"""Hooks: functions of the user that the engine calls.

* `Tensor.register_hook`: the hook gets the cotangent of a tensor in a backward pass, and may replace it;
* `Tensor.register_post_accumulate_grad_hook`: the hook gets a leaf when its gradient is complete;
* `saved_tensors_hooks` packs the arrays that a graph keeps, and unpacks them when they are needed.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Literal, overload

from ..backend.find import backend_of, raw_namespace
from ..backend.protocol import Backend
from ..errors import GradientError
from ..graph.names import public
from ..graph.node import Leaf, Node
from ..graph.recording import Recorder, interpreters, recording, watching
from ..tensor.tensor import Tensor, wrap

__all__ = ["HookHandle", "offload_to_host", "register_hook", "saved_tensors_hooks"]


# -------------------------------------------------------------------------------------------------------- tensors' hooks


class _Hooks(dict[int, Callable[[Tensor], Any]]):
    """The hooks of one node, in the order in which they were registered."""

    __slots__ = ("__weakref__",)


class HookHandle:
    """Removes a hook, by `remove` or at the end of a ``with`` statement."""

    def __init__(self, hooks: _Hooks, key: int) -> None:
        self._hooks, self._key = weakref.ref(hooks), key  # weak: the handle does not keep the graph alive

    def remove(self) -> None:
        """Remove the hook. Does nothing if it is removed already."""
        hooks = self._hooks()
        if hooks is not None:
            hooks.pop(self._key, None)

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.remove()


_next_key = itertools.count().__next__


@public
def register_hook(node: Node, when: Literal["hooks", "after"], hook: Callable[[Tensor], Any]) -> HookHandle:
    """Register `hook` at `node`: in its notes ``"hooks"``, called with the cotangent, or ``"after"``, called with the leaf."""
    if not callable(hook):
        raise TypeError(f"a hook is a function of a Tensor, not {hook!r:.60}")
    notes = node.note()
    hooks = getattr(notes, when)
    if hooks is None:
        hooks = _Hooks()
        setattr(notes, when, hooks)
    key = _next_key()
    hooks[key] = hook
    return HookHandle(hooks, key)


# --------------------------------------------------------------------------------------------------------- saved arrays


def saved_tensors_hooks(pack: Callable[[Tensor], Any], unpack: Callable[[Any], Any], /) -> AbstractContextManager[None]:
    """Pack each array that a graph saves in the body of a ``with`` statement, and unpack it when a derivative needs it.

    Parameters
    ----------
    pack : callable
        Takes a Tensor; returns anything, which the graph keeps instead: a name of a file, an array of half precision.
    unpack : callable
        Takes that; returns a Tensor or an array with the values, shape, dtype and device that the Tensor had (the values may
        be less exact). It is called each time that a rule asks for the array, also outside of the ``with`` statement.

    Raises
    ------
    GradientError
        When `unpack` returns something of another shape or dtype.

    See Also
    --------
    offload_to_host : keep them in the memory of the host
    checkpoint : compute them again

    Notes
    -----
    Of hooks that are nested the innermost alone are called. Do not write to what `pack` is given.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor([1.0, 2.0], requires_grad=True)
    >>> with xgrad.saved_tensors_hooks(lambda x: x.tolist(), lambda values: xgrad.asarray(values)):
    ...     y = xgrad.sum(xgrad.exp(x) * x)
    >>> y.backward()
    """
    return watching(_Packer(pack, unpack))


def offload_to_host() -> AbstractContextManager[None]:
    """Keep what a graph saves in the body of a ``with`` statement in the memory of the host, and bring it back when needed.

    For arrays on a device whose memory is short. Arrays of leaves, such as the parameters of a model, stay where they are,
    since they are there in any case, and so do those in a function under `vmap`.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor([1.0, 2.0], requires_grad=True)
    >>> with xgrad.offload_to_host():
    ...     y = xgrad.sum((3 * x) ** 2)
    >>> y.backward()
    >>> x.grad
    Tensor([18., 36.])
    """

    def pack(x: Tensor) -> Any:
        backend: Backend = raw_namespace(x._data).__backend__
        return backend, backend.to_numpy(x._data), backend.device(x._data), x._data.dtype

    def unpack(packed: Any) -> Any:
        backend, host, device, dtype = packed
        return backend.xp.astype(backend.from_numpy(host, device), dtype, copy=False)

    return watching(_Packer(pack, unpack, leaves=False))


class _Packer(Recorder):
    def __init__(self, pack: Callable[[Tensor], Any], unpack: Callable[[Any], Any], leaves: bool = True) -> None:
        if not callable(pack) or not callable(unpack):
            raise TypeError("saved_tensors_hooks takes two functions, pack and unpack")
        self.pack, self.unpack, self.leaves = pack, unpack, leaves

    def recorded(self, node: Node, output: Any, inputs: Any) -> None:
        if isinstance(node.saved, _Saved) or (
            not self.leaves and interpreters.get()
        ):  # arrays of an interpreter cannot be moved to the host
            return
        spared: set[int] = set()
        if not self.leaves:
            owners = [parent.owner() for parent in node.parents if isinstance(parent, Leaf)]
            spared = {id(owner._data) for owner in owners if owner is not None}
        with recording(False):
            entries = [self._packed(value, spared) for value in node.saved]
        if any(isinstance(e, _Parcel) or (isinstance(e, list) and any(isinstance(v, _Parcel) for v in e)) for e in entries):
            node.saved = _Saved(entries, self.unpack, node.name)

    def _packed(self, value: Any, spared: set[int]) -> Any:
        if isinstance(value, (list, tuple)):  # of a sequence of arrays, or of several outputs
            packed = [self._packed(v, spared) for v in value]
            return packed if any(isinstance(v, _Parcel) for v in packed) else value
        if not hasattr(value, "dtype") or id(value) in spared or backend_of(value) is None:
            return value
        return _Parcel(self.pack(wrap(value)), tuple(value.shape), value.dtype)


class _Parcel:
    """The packed form of an array."""

    __slots__ = ("content", "dtype", "shape")

    def __init__(self, content: Any, shape: tuple[int, ...], dtype: Any) -> None:
        self.content, self.shape, self.dtype = content, shape, dtype


class _Saved(Sequence[Any]):
    """The saved values of a node, some of them packed. An entry is unpacked each time that a rule reads it."""

    __slots__ = ("entries", "name", "unpack")

    def __init__(self, entries: list[Any], unpack: Callable[[Any], Any], name: str) -> None:
        self.entries, self.unpack, self.name = entries, unpack, name

    @overload
    def __getitem__(self, i: int) -> Any: ...
    @overload
    def __getitem__(self, i: slice) -> list[Any]: ...
    def __getitem__(self, i: Any) -> Any:
        return self._opened(self.entries[i])

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Any]:
        return map(self._opened, self.entries)

    def _opened(self, entry: Any) -> Any:
        if isinstance(entry, list):
            return [self._opened(e) for e in entry]
        if not isinstance(entry, _Parcel):
            return entry
        value = self.unpack(entry.content)
        data = value._data if isinstance(value, Tensor) else value
        if getattr(data, "shape", None) != entry.shape or data.dtype != entry.dtype:
            returned = f"{tuple(data.shape)} {data.dtype}" if hasattr(data, "dtype") else f"a {type(value).__name__}"
            raise GradientError(
                f"saved_tensors_hooks: for an array that {self.name} saved, {entry.shape} {entry.dtype}, unpack returned "
                f"{returned}"
            )
        return data
