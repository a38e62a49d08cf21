"""What an op declares: its parameters, which of them are arrays, and one derivative rule per differentiable argument.

A rule's own parameter names are its memory contract: ``g`` is the cotangent of the output, ``y`` the output, ``x1`` an
input, ``x1_shape`` only its shape, ``axis`` any other parameter, ``xp`` the namespace. They are read once, here, when the
rule is declared; a call saves what they name and nothing else.

Forward mode walks the same graph with the same saved arrays: an op may say how a change of an argument changes its
output, and costs no memory by that. What it does not say is found from the rules for the way back (``pushforward.py``).
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, Generic, NamedTuple, ParamSpec, TypeVar, Union, cast

from ..errors import GradientError
from . import memory
from .generate import _shape, positional

__all__ = ["Op", "array_kinds", "check_forward", "Push", "is_own", "returns"]

P = ParamSpec("P")
R = TypeVar("R")


def check_forward(forward: Any) -> None:
    """An error if `forward` is nothing that an op can be made of."""
    name = getattr(forward, "__name__", None)
    if not callable(forward) or not isinstance(name, str) or not name.isidentifier():
        raise TypeError(f"an op is made of a function with a name, not of {forward!r:.60}: write def name(xp, x, /): ...")
    parameters = list(inspect.signature(forward).parameters.values())
    if not parameters or parameters[0].kind not in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD):
        raise TypeError(f"{name}: the first parameter of an op is the namespace xp: write def {name}(xp, ...): ...")
    if parameters[-1].kind is inspect.Parameter.VAR_KEYWORD:
        raise TypeError(f"{name}: an op has a fixed set of parameters, and **{parameters[-1].name} has none; name each of them")


_INDICES = frozenset({"fweights", "indices", "segment_ids", "sorter"})


class Push(NamedTuple):
    """How an op is pushed forward in one of its array arguments."""

    kind: str
    """``"direct"``, ``"elementwise"`` or ``"linear"``."""
    rule: Callable[..., Any]
    """A function of ``(xp, t, saved)``."""


class Op(Generic[P, R]):
    """A function of the namespace, the declaration of its derivative, and how it is called.

    Parameters annotated ``ArrayLike`` or ``Tensor``, and unannotated ones before the ``/``, are arrays; ``Sequence[ArrayLike]``
    and ``*arrays`` are sequences of them, which an op takes instead of other arrays.
    """

    def __init__(self, forward: Callable[..., Any], *, scalars: bool = False, override: bool = False) -> None:
        parameters = list(inspect.signature(forward).parameters.values())[1:]
        kinds = array_kinds(forward)
        self.name = forward.__name__.rstrip("_")
        self.source, self.forward = forward, positional(forward)
        self.scalars = scalars  # whether the forward takes Python scalars as they are
        self.override = override  # whether raw namespaces get this forward even where the library has the name
        self.names = [p.name for p in parameters]
        self.arrays = list(kinds)
        self.sequence = "sequence" in kinds.values()
        self.optional = "optional" in kinds.values()  # whether an array argument may be None
        self.pointwise = False  # whether it acts on single elements of its arguments, which broadcast
        self.indices = _INDICES.intersection(self.names)  # array arguments that are indices: integers beside floats, too
        self.key_at = self.names.index("key") if "key" in self.names else None  # an index may have arrays in it
        self.dtype_at = self.names.index("dtype") if "dtype" in self.names else None
        self.slots = [*self.names, "y", *(f"{self.names[i]}_shape" for i in self.arrays)]
        self.kind = "unclassified"
        self.conjugates = False  # whether the walk conjugates around the rules where the output is complex
        self.rules: list[Any] = []  # one per array argument, or none at all
        self.needs: list[frozenset[int]] = []
        self.pushes: list[Push | None] = []  # one per array argument; None is the pullback of the pullback
        self.savers: dict[tuple[bool, ...], Callable[..., tuple[Any, ...]]] = {}
        self.per_item = True  # for a sequence: whether the rule is called once for each item, told which by `i`
        self.fills = True  # whether rules get zeros for outputs that nothing used, and not None
        self.write: Callable[..., Any] | None = None
        self.unless: Callable[..., bool] | None = None
        self.call: Callable[..., Any] = self.forward  # set by the engine

    # Each op is in exactly one of these classes, declared beside it.

    def vjp(self, **rules: Callable[..., Any]) -> None:
        """Declare the rules: for each differentiable argument, its cotangent from ``g``, the cotangent of the output.

        The engine sums a broadcast gradient to the input's shape, casts it to the input's dtype, and fills in zeros for
        outputs that were not used; a rule does none of that.
        """
        self._declare("rules", rules)

    def holomorphic(self, **rules: Callable[..., Any]) -> None:
        """Declare the rules of a function that is complex-differentiable as calculus has them, ``g f'(x)``.

        The gradient of a complex argument is ``g conj(f'(x))``, which is ``conj(conj(g) f'(x))``: the engine conjugates
        before and after, so that the rule needs not.
        """
        self._declare("rules", rules)
        self.conjugates = True

    def zero_gradient(self) -> None:
        """Declare the derivative zero wherever it exists (``floor``, ``sign``)."""
        self._declare("zero", {self.names[i]: lambda xp, g: xp.zeros_like(g) for i in self.arrays})

    def not_differentiable(self) -> None:
        """Declare that the result carries no gradient (booleans, indices)."""
        self.kind = "none"

    # Forward mode, declared after the rules for the way back.

    def jvp(self, **rules: Callable[..., Any]) -> None:
        """Declare what a change ``t`` of an argument changes in the output, for one argument or several.

        What the arguments make is added up, broadcast to the output's shape and cast to its dtype, by its real part where
        that is real. Of arrays, a rule may name those that the same argument's rule for the way back names, since no
        others are kept; of an op on a sequence, it gets ``t`` as a list, with zeros for what does not change; for an op of
        several outputs, it returns a tuple, with None for an output that does not change.
        """
        self._not_called("t")
        for name, rule in rules.items():
            self._push(name, "direct", *compile_rule(self, rule, "t"))

    def elementwise(self, *names: str) -> None:
        """Declare that each element of the output depends on one element of each argument, or just of those named.

        The derivative is diagonal then, its own transpose: the rules for the way back are those for forward mode too. (Where
        complex numbers come in, that is so for ``holomorphic`` rules, and for others where the real derivative is
        symmetric.)
        """
        for name in names or self._differentiable():
            self._push(name, "elementwise", self.rules[self._place(name)], [])

    def linear(self, *names: str) -> None:
        """Declare the op linear in each of its arguments, or just in those named, while the others are held fixed.

        The change of the output is the op itself, of the change. A sum is *not* this: it is linear in its arguments together.
        """
        for name in names or self._differentiable():
            values = ["t" if other == name else f"s[{i}]" for i, other in enumerate(self.names)]
            rule = eval(f"lambda xp, t, s: apply(xp, {', '.join(values)})", {"apply": self._apply, "__xgrad__": True})
            self._push(name, "linear", rule, [other for other in self.names if other != name])

    def _apply(self, xp: Any, *values: Any) -> Any:
        return self.forward(xp, *values) if hasattr(xp, "__backend__") else self.call(*values)

    def _differentiable(self) -> list[str]:
        return [self.names[i] for i, rule in zip(self.arrays, self.rules) if rule is not None]

    def _place(self, name: str) -> int:
        if name not in self._differentiable():
            raise TypeError(
                f"{self.name}: forward mode is declared for {name!r}, but the arguments with a rule for the way back are "
                f"{self._differentiable()}; declare that first, with .vjp(...)"
            )
        return self.arrays.index(self.names.index(name))

    def _push(self, name: str, kind: str, rule: Callable[..., Any], named: list[str]) -> None:
        k = self._place(name)
        named = [*named, f"{name}_shape"] if self.sequence else named  # for zeros in place of what does not change
        needs = frozenset(self.slots.index(n) for n in named if n in self.slots)
        if missing := [self.slots[i] for i in needs - self.needs[k] if i in self.arrays or self.slots[i] == "y"]:
            raise TypeError(
                f"{self.name}: forward mode in {name!r} needs {' and '.join(sorted(missing))}, which its rule for the way back "
                "does not keep; name no other arrays than that does"
            )
        self.needs[k] |= needs
        self.pushes[k] = Push(kind, rule)
        self.savers.clear()

    def view(self, write: Callable[..., Any], unless: Callable[..., bool] | None = None) -> None:
        """Declare the result a view of its first argument.

        ``write(xp, x, v, *parameters)`` is `x` after `v` was written to the view; where ``unless(y, x, *parameters)``
        holds of the arrays, the result was a copy after all.
        """
        self.write, self.unless = write, unless

    def _declare(self, kind: str, rules: Mapping[str, Callable[..., Any]]) -> None:
        arrays = [self.names[i] for i in self.arrays]
        if unknown := set(rules) - set(arrays):
            raise TypeError(
                f"{self.name}: rules are declared for {sorted(unknown)}, but its array arguments are {arrays}; those are what is "
                "annotated ArrayLike or Tensor, and what stands before the / unannotated"
            )
        self._not_called("g", "y", "xp", *(("i",) if self.sequence else ()))
        self.kind, self.rules, self.needs, self.conjugates = kind, [], [], False
        self.pushes = [None] * len(arrays)
        self.savers.clear()
        for name in arrays:
            rule, named = compile_rule(self, rules[name]) if name in rules else (None, [])
            self.rules.append(rule)
            self.needs.append(frozenset(self.slots.index(n) for n in named if n in self.slots))
            self.per_item = not self.sequence or "i" in named

    def _not_called(self, *own: str) -> None:
        if taken := set(own).intersection(self.names):
            raise TypeError(
                f"{self.name}: its argument {min(taken)!r} has a name that means something else in rules (g is the cotangent, "
                "y the output, xp the namespace, t a change, i the number of an item); rename it"
            )

    def saver(self, tracked: tuple[bool, ...]) -> Callable[..., tuple[Any, ...]]:
        """A function of all parameters and the output that returns what to save of them, one entry per slot.

        Parameters
        ----------
        tracked : tuple of bool
            Which array arguments require grad; for a sequence, just ``(True,)``.
        """
        if self.kind == "unclassified":
            raise GradientError(
                f"{self.name} has no derivative: declare it with .vjp(...), .zero_gradient() or .not_differentiable()"
            )
        needed: set[int] = set()
        for i, tracks in enumerate(tracked):
            if tracks and self.rules[i] is None:
                raise GradientError(
                    f"{self.name} has no derivative in its argument {self.names[self.arrays[i]]!r}, which requires grad; "
                    "pass x.detach() there if no gradient is wanted"
                )
            if tracks:
                needed |= self.needs[i]
        shape = "[_shape(v) for v in {}]" if self.sequence else "_shape({})"
        kept = [*self.names, "y", *(shape.format(self.names[i]) for i in self.arrays)]
        for i, tracks in zip(self.arrays, tracked):
            if not tracks:  # a constant, which its owner may write to
                kept[i] = f"{kept[i]} if {kept[i]}.__class__ in _numbers else _keep({kept[i]})"
        if self.key_at is not None:
            kept[self.key_at] = f"_keep_key({kept[self.key_at]})"
        entries = ", ".join(entry if k in needed else "None" for k, entry in enumerate(kept))
        scope = {"_shape": _shape, "_keep": memory.keep, "_keep_key": memory.keep_key, "_numbers": frozenset({float, int})}
        self.savers[tracked] = save = eval(f"lambda {', '.join(self.names)}, y: ({entries},)", scope)
        return cast(Callable[..., tuple[Any, ...]], save)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return cast(R, self.call(*args, **kwargs))

    def __repr__(self) -> str:
        return f"<op {self.name}>"


# What annotations say. They are objects, or their text under ``from __future__ import annotations``.


def array_kinds(forward: Callable[..., Any]) -> dict[int, str]:
    """Which parameters of ``forward(xp, ...)``, counted from 0 after `xp`, are arrays, and of what kind (see `_kind`)."""
    parameters = list(inspect.signature(forward).parameters.values())[1:]
    kinds = {i: _kind(p, forward) for i, p in enumerate(parameters)}
    return {i: kind for i, kind in kinds.items() if kind}


def _kind(parameter: inspect.Parameter, forward: Callable[..., Any]) -> str:
    """What a parameter takes: ``"array"``, ``"optional"`` (an array or None), ``"sequence"`` of arrays, or ``""``."""
    if parameter.annotation is parameter.empty:
        if parameter.kind is parameter.VAR_POSITIONAL:
            return "sequence"
        kind = "array" if parameter.kind is parameter.POSITIONAL_ONLY else ""
    else:
        kind = _kind_of(annotated(parameter.annotation, forward))
    if kind and parameter.kind is parameter.VAR_POSITIONAL:
        return "sequence"
    return "optional" if kind == "array" and parameter.default is None else kind


def _kind_of(annotation: Any) -> str:
    if isinstance(annotation, str):  # its names are not known where the op is made
        if not re.search(r"\b(ArrayLike|Tensor)\b", annotation):
            return ""
        if re.match(rf"(\w+\.)*({'|'.join(t.__name__ for t in _SEQUENCES)}|List|Tuple)\[", annotation):
            return "sequence"
        return "optional" if re.search(r"\b(None|Optional)\b", annotation) else "array"
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _kind_of(typing.get_args(annotation)[0])
    if origin in _SEQUENCES:
        return "sequence" if any(map(_kind_of, typing.get_args(annotation)[:1])) else ""
    if origin is Union or origin is types.UnionType:
        kinds = list(map(_kind_of, typing.get_args(annotation)))
        if "sequence" in kinds:
            return "sequence"
        return ("optional" if type(None) in typing.get_args(annotation) else "array") if any(kinds) else ""
    if isinstance(annotation, TypeVar):
        kinds = list(map(_kind_of, (annotation.__bound__, *annotation.__constraints__)))
        return next(filter(None, kinds), "")
    if isinstance(annotation, typing.NewType):
        return _kind_of(annotation.__supertype__)
    return "array" if getattr(annotation, "__xgrad_tensor__", False) else ""


_SEQUENCES: tuple[type, ...] = (Sequence, Iterable, Collection, list, tuple)


def annotated(annotation: Any, forward: Callable[..., Any]) -> Any:
    """What the annotation of a parameter of `forward` stands for; its text, where that has names that are not known."""
    if not isinstance(annotation, str):
        return annotation
    function = inspect.unwrap(forward)
    scope = getattr(function, "__globals__", {})
    own = str(scope.get("__name__", "")).startswith("xgrad.")  # whose many annotations are few different ones
    if own and annotation in (known := _read.setdefault(scope["__name__"], {})):
        return known[annotation]
    cells = zip(function.__code__.co_freevars, function.__closure__ or ()) if scope else ()
    try:
        found = eval(annotation, scope, {name: cell.cell_contents for name, cell in cells})
    except Exception:  # a name that is known to type checkers alone, or in another function
        return annotation
    if own:
        known[annotation] = found
    return found


_read: dict[str, dict[str, Any]] = {}  # what xgrad's own annotations stand for, by module


def returns(forward: Callable[..., Any]) -> str:
    """What `forward` says that it returns: ``"one"`` array, ``"several"``, or ``"unknown"``."""
    said = inspect.signature(forward).return_annotation
    if said is inspect.Signature.empty:
        return "unknown"
    said = annotated(said, forward)
    if isinstance(said, str):
        return "unknown"
    origin = typing.get_origin(said) or said
    if isinstance(origin, type) and issubclass(origin, (tuple, list)):
        return "several"
    return "one" if getattr(said, "__xgrad_tensor__", False) else "unknown"


def compile_rule(op: Op[..., Any], rule: Callable[..., Any], g: str = "g") -> tuple[Callable[..., Any], list[str]]:
    """The rule as a function of ``(xp, g, saved)``, with ``i`` if it names that, and the names that it uses.

    A rule of forward mode takes ``t`` for `g`.
    """
    named = list(inspect.signature(rule).parameters)
    own = {"xp", "g", "i"} if g == "g" else {"xp", g}
    if unknown := set(named) - own - set(op.slots):
        raise TypeError(f"{op.name}: a rule names {sorted(unknown)}; it may name xp, {g} and {', '.join(op.slots)}")
    given = ", ".join(f"s[{op.slots.index(n)}]" if n in op.slots else n for n in named)
    head = f"xp, {g}, s, i" if "i" in named else f"xp, {g}, s"
    compiled = eval(f"lambda {head}: rule({given})", {"rule": rule, "__xgrad__": True})
    return (compiled if is_own(op) else _watched(op, compiled, rule)), named


def is_own(op: Op[..., Any]) -> bool:
    return (op.source.__module__ or "").startswith("xgrad.")


def _watched(op: Op[..., Any], compiled: Callable[..., Any], rule: Callable[..., Any]) -> Callable[..., Any]:
    """A user's rule, looked at where it is run on Tensors: what it returns must be in their graph."""
    looking: list[Callable[..., Any]] = []

    def run(xp: Any, g: Any, s: Any, *i: int) -> Any:
        if not hasattr(xp, "__backend__"):
            if not looking:
                from ..engine import watch as once  # which builds on this module

                looking.append(once.watched(op.name, compiled, once.is_once(rule)))
            return looking[0](xp, g, s, *i)
        return compiled(xp, g, s, *i)

    return run
