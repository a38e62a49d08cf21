"""PyTorch: its arrays and kernels, on every device that it supports. Its own autograd records nothing here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import array_api_compat.torch
import numpy
import torch

from xgrad.backend import Backend, is_deterministic, may_repeat
from xgrad_backends.in_turn import in_turn
from xgrad_backends.numpy import scipy_special


class Plugin(Backend):
    """PyTorch through array-api-compat."""

    name = "torch"
    weak_scalars = True

    def import_namespace(self) -> Any:
        return array_api_compat.torch

    def amend(self) -> Mapping[str, Any]:
        return {"can_cast": _can_cast, "unique_all": _unique_all, **in_turn(array_api_compat.torch)}

    def check(self, x: Any) -> None:
        if x.requires_grad:
            raise ValueError(
                "a torch tensor that requires grad belongs to torch's autograd, which xgrad cannot follow; hand over x.detach()"
            )
        super().check(x)

    def to_numpy(self, x: Any) -> Any:
        x = x.detach().cpu().resolve_conj().resolve_neg()
        return numpy.array((x.float() if x.dtype is torch.bfloat16 else x).numpy())

    def from_numpy(self, x: Any, device: Any = None) -> Any:
        if not x.flags.writeable or not x.dtype.isnative or any(n < 0 for n in x.strides):
            x = numpy.array(x, dtype=x.dtype.newbyteorder("="))  # torch cannot share this memory
        return torch.asarray(x, device=device)

    def to_device(self, x: Any, device: Any) -> Any:
        return x.to(device)

    def cheap_to_read(self, x: Any) -> bool:
        return bool(x.device.type == "cpu")

    def owns_memory(self, x: Any) -> bool:
        # Whether no other tensor holds the memory. Memory that is not torch's own cannot be resized.
        return bool(x.untyped_storage().resizable()) and 0 < _users(x) <= _ALONE

    def from_parts(self, re: Any, im: Any) -> Any:
        return torch.complex(re, im)

    def shares_memory(self, y: Any, x: Any) -> bool:
        return bool(y.untyped_storage().data_ptr() == x.untyped_storage().data_ptr())

    def fingerprint(self, x: Any) -> Any:
        return None if x.is_inference() else x._version  # torch counts the writes into each piece of memory

    def get_item(self, x: Any, key: Any) -> Any:
        # torch refuses negative steps: read those axes in the other direction, then flip them.
        parts = _parts(key)
        if not any(map(_backwards, parts)):
            return x[tuple(parts)]
        used = sum(_width(part) for part in parts)
        axis, flipped = 0, []
        for i, part in enumerate(parts):
            if _backwards(part):
                steps = range(*part.indices(x.shape[axis]))
                start = x.shape[axis] - 1 - steps.start
                parts[i] = slice(start, start - len(steps) * steps.step, -steps.step) if steps else slice(0, 0)
                flipped.append(axis)
            axis += x.ndim - used if part is Ellipsis else _width(part)
        return torch.flip(x, flipped)[tuple(parts)]

    def set_item(self, x: Any, key: Any, value: Any) -> Any:
        if not any(map(_backwards, parts := _parts(key))):
            out = x.clone()
            out[tuple(parts)] = value
        else:
            at = self.flat_positions(x, key)
            out = torch.clone(x, memory_format=torch.contiguous_format)
            out.view(-1)[at] = torch.broadcast_to(torch.as_tensor(value, dtype=x.dtype, device=x.device), at.shape)
        return out

    def scatter_add(self, x: Any, key: Any, value: Any) -> Any:
        if not may_repeat(key):
            return self.set_item(x, key, self.get_item(x, key) + value)
        if is_deterministic() and x.device.type != "cpu":
            return super().scatter_add(x, key, value)
        out = torch.clone(x, memory_format=torch.contiguous_format)
        if getattr(key, "ndim", 0) == 1:
            out.index_put_((key.long(),), value.to(x.dtype), accumulate=True)
        else:
            at = self.flat_positions(x, key)
            value = torch.broadcast_to(value, at.shape).to(x.dtype)
            out.view(-1).index_put_((at.reshape(-1),), value.reshape(-1), accumulate=True)
        return out

    def accumulator(self, x: Any, key: Any) -> Any:
        dtype = super().accumulator(x, key)
        missing = x.device.type == "mps" and dtype in (torch.float64, torch.complex128)
        return None if missing else dtype

    def special(self, name: str) -> Callable[..., Any] | None:
        if name == "ndtr":
            return None  # torch's is (1 + erf) / 2, which has no left tail
        own = getattr(torch.special, _SPECIAL.get(name, name), None)
        if name == "psi" and own is not None:  # in float32 torch's loses digits near its zero
            return lambda x: own(x.double()).to(x.dtype)
        host = self.special_on_host(name) if name in ("j0", "j1", "y0", "y1") else None
        if own is None or host is None:
            return own
        # beyond 5 torch's have errors of up to 1e-6; SciPy's are better, on the CPU
        return lambda x: (host if x.device.type == "cpu" else own)(x)

    def special_on_host(self, name: str) -> Callable[..., Any] | None:
        function = scipy_special(name)
        if function is None:
            return None

        def run(*arrays: Any) -> Any:
            if (device := next((x.device for x in arrays if x.device.type != "cpu"), None)) is not None:
                raise NotImplementedError(f"{name}: PyTorch has no such function, and SciPy's cannot run on device {device}")
            return torch.as_tensor(function(*(x.numpy() for x in arrays)))

        return run

    def memory(self, device: Any) -> int | None:
        if torch.device(device).type == "cuda":
            return int(torch.cuda.mem_get_info(device)[1])
        return super().memory(device)

    def synchronize(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    def peak_memory(self) -> int | None:
        return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None


_SPECIAL = {
    "j0": "bessel_j0", "j1": "bessel_j1", "y0": "bessel_y0", "y1": "bessel_y1", "k0": "modified_bessel_k0",
    "k1": "modified_bessel_k1", "k0e": "scaled_modified_bessel_k0", "k1e": "scaled_modified_bessel_k1",
}  # fmt: skip


def _users(x: Any) -> int:
    """How many tensors hold the memory of `x`; 0 if this version of torch does not say."""
    storage = x.untyped_storage()
    return int(torch._C._storage_Use_Count(storage._cdata)) if hasattr(torch._C, "_storage_Use_Count") else 0


_ALONE = _users(torch.zeros(1))


def _width(part: Any) -> int:
    """How many axes a part of an index uses up."""
    if part is None or part is Ellipsis or isinstance(part, bool):
        return 0
    return part.ndim if getattr(part, "dtype", None) is torch.bool else 1


def _backwards(part: Any) -> bool:
    return isinstance(part, slice) and (part.step or 1) < 0


def _parts(key: Any) -> list[Any]:
    """The parts of an index, with indices as int64: torch reads uint8 as a mask, and refuses int16.

    Beside an array of indices, an integer becomes an array too, as in NumPy. It decides which axis of the result is indexed.
    """
    parts = [
        part.long() if isinstance(part, torch.Tensor) and part.dtype not in (torch.bool, torch.int64) else part
        for part in (key if isinstance(key, tuple) else (key,))
    ]
    beside = next((part for part in parts if getattr(part, "ndim", 0)), None)
    if beside is None:
        return parts
    return [torch.tensor([int(part)], device=beside.device) if _is_integer(part) else part for part in parts]


def _is_integer(part: Any) -> bool:
    return (isinstance(part, int) and not isinstance(part, bool)) or getattr(part, "ndim", None) == 0


def _can_cast(from_: Any, to: Any, /) -> bool:
    # torch's own compares the kinds of the dtypes, not their ranges.
    try:
        return bool(array_api_compat.torch.result_type(getattr(from_, "dtype", from_), to) == to)
    except TypeError:  # two kinds that do not promote
        return False


def _unique_all(x: Any, /) -> Any:
    values, inverse, counts = torch.unique(x, return_inverse=True, return_counts=True)
    order = torch.argsort(inverse.reshape(-1), stable=True)
    indices = order[torch.cumsum(counts, 0) - counts]
    return array_api_compat.torch.UniqueAllResult(values, indices, inverse, counts)
