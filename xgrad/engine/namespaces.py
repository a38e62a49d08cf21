"""The Array API namespace of each backend, which ``x.__array_namespace__()`` returns.

Code written to the standard makes arrays without saying where (``xp.zeros(3)``), so each backend has a namespace bound to
it: a module with xgrad's functions in which those that make arrays make them there. The top-level `xgrad` is the
namespace that follows `set_backend`.
"""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from ..backend.find import find_backend
from ..backend.protocol import Backend
from ..backend.select import current_backend
from ..graph.names import public, xg
from ..tensor.tensor import Tensor, wrap

__all__ = ["creates", "namespace"]

P = ParamSpec("P")
R = TypeVar("R")

_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")
_namespaces: dict[str, types.ModuleType] = {}


class Creator(Generic[P, R]):
    """The type of a function made by `creates`."""

    on: Callable[[Backend], Callable[..., Any]]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        raise NotImplementedError


def creates(forward: Callable[Concatenate[Any, P], R], /) -> Creator[P, R]:
    """Make a function ``f(xp, ...)`` that makes arrays into one that makes Tensors, on the selected backend.

    `forward` gets a raw namespace; `dtype` reaches it as that library's own object, or None; an array that it returns is
    wrapped, anything else is passed on. ``f.on(backend)`` is the same function bound to one backend.
    """
    signature = inspect.signature(forward)
    public = signature.replace(parameters=list(signature.parameters.values())[1:])

    def bind(find: Callable[[], Backend]) -> Any:
        def create(*args: Any, **kwargs: Any) -> Any:
            backend = find()
            if kwargs.get("dtype") is not None:
                kwargs["dtype"] = backend.native_dtype(kwargs["dtype"])
            result = forward(backend.xp, *args, **kwargs)
            return tuple(map(_wrapped, result)) if isinstance(result, tuple) else _wrapped(result)

        create.__name__ = create.__qualname__ = forward.__name__
        create.__doc__, create.__module__ = forward.__doc__, forward.__module__
        create.__signature__ = public  # type: ignore[attr-defined]
        return create

    function = bind(current_backend)
    function.on = lambda backend: bind(lambda: backend)
    return cast("Creator[P, R]", function)


def _wrapped(result: Any) -> Any:
    return wrap(result) if hasattr(result, "shape") and not isinstance(result, Tensor) else result


@public
def namespace(name: str, /, *, api_version: str | None = None) -> types.ModuleType:
    """The Array API namespace bound to a backend, always the same module object.

    Parameters
    ----------
    name : str
        A backend's name, as in `set_backend`.
    api_version : str, optional
        A version of the standard; all that are known are served by the same namespace.

    Raises
    ------
    ValueError
        If the backend or the version is not known.
    BackendError
        If the backend cannot run here.

    Examples
    --------
    >>> import xgrad
    >>> xp = xgrad.namespace("numpy")
    >>> xp.zeros(2).backend, xp is xgrad.ones(1).__array_namespace__()
    ('numpy', True)
    """
    if api_version is not None and api_version not in _VERSIONS:
        raise ValueError(f"api_version {api_version!r} is not known; the known ones are {', '.join(_VERSIONS)}")
    if name not in _namespaces:
        backend = find_backend(name)
        backend.load()
        module = _bind(xg, f"xgrad.on_{name}", backend, xg.ops.FOR_RULES)
        module.__doc__ = f"xgrad's functions, making arrays on backend {name!r}."
        _namespaces[name] = module
    return _namespaces[name]


def _bind(source: Any, name: str, backend: Backend, for_rules: Sequence[str] = ()) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__["__array_api_version__"] = _VERSIONS[-1]
    info = ("__array_namespace_info__",) if hasattr(source, "__array_namespace_info__") else ()
    for key in (*source.__all__, *for_rules, *info):
        value = getattr(source, key)
        if isinstance(value, types.ModuleType) and value.__name__ in ("xgrad.linalg", "xgrad.fft", "xgrad.special"):
            value = _bind(value, f"{name}.{key}", backend)
        elif hasattr(value, "on") and not isinstance(value, type):
            value = value.on(backend)
        setattr(module, key, value)
    module.__dict__["__all__"] = list(source.__all__)
    sys.modules[name] = module
    return module
