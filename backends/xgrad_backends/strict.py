"""array-api-strict: the standard to the letter on the CPU. Stands in for stricter libraries such as CuPy in tests."""

from __future__ import annotations

from typing import Any

from xgrad.backend import Backend


class Plugin(Backend):
    """array-api-strict, with every flag at its strictest."""

    name = "strict"
    modules = ("array_api_strict",)
    install = "python -m pip install array-api-strict"

    def import_namespace(self) -> Any:
        import array_api_strict

        return array_api_strict

    def to_numpy(self, x: Any) -> Any:
        import numpy

        return numpy.array(x._array)

    def owns_memory(self, x: Any) -> bool:
        return bool(x._array.flags.owndata)

    def scatter_add(self, x: Any, key: Any, value: Any) -> Any:
        import numpy

        def host(index: Any) -> Any:
            return index._array if hasattr(index, "_array") else index

        out = self.xp.asarray(x, copy=True)
        key = tuple(host(k) for k in key) if isinstance(key, tuple) else host(key)
        numpy.add.at(out._array, key, host(value))
        return out
