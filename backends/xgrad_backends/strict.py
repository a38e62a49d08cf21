"""array-api-strict: the standard to the letter on the CPU. Stands in for stricter libraries such as CuPy in tests."""

from __future__ import annotations

from typing import Any

from xgrad.backend import Backend


class Plugin(Backend):
    """array-api-strict, with every flag at its strictest."""

    name = "strict"
    modules = ("array_api_strict",)

    def import_namespace(self) -> Any:
        import array_api_strict

        return array_api_strict

    def to_numpy(self, x: Any) -> Any:
        import numpy

        return numpy.array(x._array)

    def owns_memory(self, x: Any) -> bool:
        return bool(x._array.flags.owndata)

    # Indexing goes to the NumPy array inside: the standard, and this library with it, leaves out arrays among slices,
    # slices out of bounds and writing at integer arrays, all of which the libraries that it stands in for have.

    def get_item(self, x: Any, key: Any) -> Any:
        return type(x)._new(x._array[_inside(x, key)], device=x.device)

    def set_item(self, x: Any, key: Any, value: Any) -> Any:
        out = self.xp.asarray(x, copy=True)
        out._array[_inside(x, key)] = _inside(x, value)
        return out

    def shares_memory(self, y: Any, x: Any) -> bool:
        import numpy

        return numpy.may_share_memory(y._array, x._array)

    def scatter_add(self, x: Any, key: Any, value: Any) -> Any:
        import numpy

        out = self.xp.asarray(x, copy=True)
        numpy.add.at(out._array, _inside(x, key), _inside(x, value))
        return out


def _inside(x: Any, key: Any) -> Any:
    """A key or value with the NumPy arrays that are inside of the arrays in it, all of which must be beside `x`."""
    if isinstance(key, tuple):
        return tuple([_inside(x, part) for part in key])
    if not hasattr(key, "_array"):
        return key
    if key.device != x.device:
        raise ValueError(f"arrays from two different devices ({x.device} and {key.device}) cannot be combined")
    return key._array
