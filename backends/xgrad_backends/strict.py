"""array-api-strict: the standard to the letter on the CPU. In tests it takes the place of strict libraries such as CuPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import array_api_strict
import numpy

from xgrad.backend import Backend
from xgrad_backends import sums
from xgrad_backends.numpy import Plugin as NumPy
from xgrad_backends.numpy import from_parts, scipy_special
from xgrad_backends.scatter import add_at

_NUMPY = NumPy()


class Plugin(Backend):
    """array-api-strict, with every flag at its strictest."""

    name = "strict"
    modules = ("array_api_strict",)
    writes_in_order = True

    def import_namespace(self) -> Any:
        return array_api_strict

    def amend(self) -> Mapping[str, Any]:
        return {"clip": _clip, **{name: self._precise(name) for name in ("cumulative_sum", "mean", "sum", "var")}}

    def _precise(self, name: str) -> Callable[..., Any]:
        own, precise = getattr(array_api_strict, name), getattr(sums, name)

        def run(x: Any, /, **options: Any) -> Any:
            if options.get("dtype") is not None:
                x = self.xp.astype(x, options.pop("dtype"), copy=False)
            if not array_api_strict.isdtype(x.dtype, "real floating" if name == "var" else ("real floating", "complex floating")):
                return own(x, **options)
            return self.xp.asarray(numpy.asarray(precise(x._array, **options)), device=x.device)

        return run

    def to_numpy(self, x: Any) -> Any:
        return numpy.array(x._array)

    def cheap_to_read(self, x: Any) -> bool:
        return True

    def owns_memory(self, x: Any) -> bool:
        return bool(x._array.flags.owndata)

    def from_parts(self, re: Any, im: Any) -> Any:
        return self.xp.asarray(from_parts(re._array, im._array), device=re.device)

    def shares_memory(self, y: Any, x: Any) -> bool:
        return bool(numpy.may_share_memory(y._array, x._array))

    def fingerprint(self, x: Any) -> Any:
        return _NUMPY.fingerprint(x._array)

    def get_item(self, x: Any, key: Any) -> Any:
        try:
            return x[key]
        except IndexError:  # the standard promises fewer forms of index than libraries have
            return self.xp.asarray(numpy.asarray(x._array[self._key(key)]), device=x.device)

    def set_item(self, x: Any, key: Any, value: Any) -> Any:
        out = self.xp.asarray(x, copy=True)
        out._array[self._key(key)] = _inside(value)  # the standard has no writing at arrays of indices
        return out

    def scatter_add(self, x: Any, key: Any, value: Any) -> Any:
        out = self.xp.asarray(x, copy=True)
        add_at(out._array, self._key(key), _inside(value))
        return out

    def special(self, name: str) -> Callable[..., Any] | None:
        function = scipy_special(name)
        if function is None:
            return None

        def run(*arrays: Any) -> Any:
            devices = {x.device for x in arrays}
            if len(devices) > 1:
                raise ValueError("arrays from two different devices can not be combined")
            return self.xp.asarray(numpy.asarray(function(*map(_inside, arrays))), device=devices.pop())

        return run

    def _key(self, key: Any) -> Any:
        return tuple(map(_inside, key)) if isinstance(key, tuple) else _inside(key)


def _inside(part: Any) -> Any:
    return getattr(part, "_array", part)


def _clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    if min is not None and max is not None:  # one bound at a time: the library refuses a lower bound above the upper one
        x, min = array_api_strict.clip(x, min), None
    return array_api_strict.clip(x, min, max)
