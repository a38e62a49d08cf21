"""The standard's inspection interface: the capabilities, data types and devices of a namespace."""

from __future__ import annotations

from typing import Any

from ..backend.dtypes import DType, dtype_of, get_default_dtype
from ..backend.protocol import Backend
from ..engine.namespaces import creates

__all__ = ["__array_namespace_info__"]

_NAMES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float32", "float64", "complex64", "complex128",
)  # fmt: skip


class Info:
    """The result of `__array_namespace_info__`: the properties of one backend, with xgrad's data types."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        native = getattr(backend.xp.__native__, "__array_namespace_info__", None)
        self._native: Any = None if native is None else native()

    def capabilities(self) -> dict[str, Any]:
        """Whether boolean indexing and shapes that depend on values work, and how many axes an array may have."""
        native = {} if self._native is None else dict(self._native.capabilities())
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64} | native

    def default_device(self) -> Any:
        """The device on which arrays are created by default."""
        if self._native is not None:
            return self._native.default_device()
        return self._backend.device(self._backend.xp.zeros(0))

    def default_dtypes(self, *, device: Any = None) -> dict[str, DType]:
        """The default data type of each kind."""
        real = get_default_dtype()
        return {
            "real floating": real,
            "complex floating": dtype_of("complex128" if real.name == "float64" else "complex64"),
            "integral": dtype_of("int64"),
            "indexing": dtype_of("int64"),
        }

    def dtypes(self, *, device: Any = None, kind: str | tuple[str, ...] | None = None) -> dict[str, DType]:
        """The standard's data types on `device`, by name; all of them or those of a kind."""
        native = None if self._native is None else self._native.dtypes(device=device)
        names = [name for name in _NAMES if (native is None or name in native) and hasattr(self._backend.xp, name)]
        dtypes = {name: dtype_of(name) for name in names}
        backend = self._backend
        return {n: d for n, d in dtypes.items() if kind is None or backend.xp.isdtype(backend.native_dtype(d), kind)}

    def devices(self) -> tuple[Any, ...]:
        """The available devices."""
        return (self.default_device(),) if self._native is None else tuple(self._native.devices())

    def __repr__(self) -> str:
        return f"<what backend {self._backend.name!r} can do>"


@creates
def __array_namespace_info__(xp: Any) -> Info:  # noqa: N807  (the standard's name)
    """The inspection of this namespace: ``capabilities``, ``default_device``, ``default_dtypes``, ``devices``, ``dtypes``.

    Returns
    -------
    Info
        An object with these five methods.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.__array_namespace_info__().default_dtypes()["real floating"]
    xgrad.float32
    """
    return Info(xp.__backend__)
