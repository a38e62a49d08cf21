"""What the annotations of a forward say: which parameters are arrays, and whether it returns one or several.

Annotations are evaluated and compared with a marker, `ARRAY`, which `ArrayLike` and `Tensor` carry.
"""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Annotated, Any, Literal, TypeVar, Union

__all__ = ["ARRAY", "array_kinds", "returns"]

ARRAY = object()
"""Marks what stands for an array: in the metadata of ``Annotated[..., ARRAY]``, or as the attribute `_annotates` of a class."""

Kind = Literal["array", "optional", "sequence"]
"""An array; an array or None; a sequence of arrays."""

_SEQUENCES: tuple[type, ...] = (Sequence, Iterable, Collection, list, tuple)


def array_kinds(forward: Callable[..., Any]) -> dict[int, Kind]:
    """Which parameters of ``forward(xp, ...)``, counted from 0 after `xp`, are arrays, and of what kind."""
    parameters = list(inspect.signature(forward).parameters.values())[1:]
    kinds = {i: _kind(p, forward) for i, p in enumerate(parameters)}
    return {i: kind for i, kind in kinds.items() if kind}


def returns(forward: Callable[..., Any]) -> Literal["one", "several", "unknown"]:
    """How many arrays `forward` says that it returns."""
    annotation = inspect.signature(forward).return_annotation
    if annotation is inspect.Signature.empty:
        return "unknown"
    annotation = _evaluated(annotation, forward)
    origin = typing.get_origin(annotation) or annotation
    if isinstance(origin, type) and issubclass(origin, (tuple, list)):
        return "several"
    return "one" if getattr(annotation, "_annotates", None) is ARRAY else "unknown"


def _kind(parameter: inspect.Parameter, forward: Callable[..., Any]) -> Kind | None:
    if parameter.annotation is parameter.empty:
        if parameter.kind is parameter.VAR_POSITIONAL:
            return "sequence"
        kind: Kind | None = "array" if parameter.kind is parameter.POSITIONAL_ONLY else None
    else:
        kind = _kind_of(_evaluated(parameter.annotation, forward))
    if kind and parameter.kind is parameter.VAR_POSITIONAL:
        return "sequence"
    return "optional" if kind == "array" and parameter.default is None else kind


def _kind_of(annotation: Any) -> Kind | None:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return "array" if any(note is ARRAY for note in arguments[1:]) else _kind_of(arguments[0])
    if origin in _SEQUENCES:
        return "sequence" if any(map(_kind_of, arguments[:1])) else None
    if origin is Union or origin is types.UnionType:
        kinds = list(map(_kind_of, arguments))
        if "sequence" in kinds:
            return "sequence"
        return ("optional" if type(None) in arguments else "array") if any(kinds) else None
    if isinstance(annotation, TypeVar):
        kinds = list(map(_kind_of, (annotation.__bound__, *annotation.__constraints__)))
        return next(filter(None, kinds), None)
    if isinstance(annotation, typing.NewType):
        return _kind_of(annotation.__supertype__)
    return "array" if getattr(annotation, "_annotates", None) is ARRAY else None


# ------------------------------------------------------------------------------------------------------------- evaluating


class _Unknown:
    """Stands for what is not known when an op is made: it may be subscripted and be part of a union."""

    def __class_getitem__(cls, _: Any) -> Any:
        return cls


_ARRAY_LIKE = Annotated[Any, ARRAY]
_KNOWN: dict[str, Any] = {  # names that are often imported for type checkers alone
    **{name: getattr(collections.abc, name) for name in ("Collection", "Iterable", "Sequence")},
    **{name: getattr(typing, name) for name in ("Annotated", "Any", "List", "Optional", "Tuple", "Union")},
    "ArrayLike": _ARRAY_LIKE,
    "Tensor": _ARRAY_LIKE,
    "xgrad": types.SimpleNamespace(ArrayLike=_ARRAY_LIKE, Tensor=_ARRAY_LIKE),
}
_read: dict[str, dict[str, Any]] = {}  # what xgrad's own annotations stand for, by module; they are few, and occur often


def _evaluated(annotation: Any, forward: Callable[..., Any]) -> Any:
    """What an annotation of `forward` stands for, which is text under ``from __future__ import annotations``."""
    if not isinstance(annotation, str):
        return annotation
    function = inspect.unwrap(forward)
    scope = getattr(function, "__globals__", {})
    own = str(scope.get("__name__", "")).startswith("xgrad.")
    known = _read.setdefault(scope["__name__"], {}) if own else {}
    if annotation not in known:
        cells = zip(function.__code__.co_freevars, function.__closure__ or ()) if scope else ()
        known[annotation] = _evaluate(annotation, scope, {name: cell.cell_contents for name, cell in cells})
    value = known[annotation]
    return _evaluated(value, forward) if isinstance(value, str) else value  # "'ArrayLike'": quoted as well


def _evaluate(annotation: str, scope: dict[str, Any], names: dict[str, Any]) -> Any:
    while True:
        try:
            return eval(annotation, scope, names)
        except NameError as error:
            if error.name is None or error.name in names:
                return _Unknown
            names[error.name] = _KNOWN.get(error.name, _Unknown)
        except Exception:  # such as an attribute that is not there
            return _Unknown
