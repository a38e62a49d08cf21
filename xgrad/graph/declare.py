"""What an op declares: its parameters, which of them are arrays, and one derivative rule per differentiable argument.

A rule's own parameter names are its memory contract: ``g`` is the cotangent of the output, ``y`` the output, ``x1`` an
input, ``x1_shape`` only its shape, ``axis`` any other parameter, ``xp`` the namespace. They are read once, here, when the
rule is declared; a call saves what they name and nothing else.

`jvp`, `elementwise` and `linear` declare the forward rule of an argument. It may use only arrays that the reverse rule saves.
Without one, the reverse rule is applied twice (``engine/forward.py``).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, Generic, Literal, NamedTuple, ParamSpec, TypeVar, cast

from ..errors import GradientError
from . import memory
from .annotations import Kind, array_kinds, returns
from .generate import by_position, linear_rule, rule_adapter, saver

__all__ = ["Op", "Push", "check_forward"]

P = ParamSpec("P")
R = TypeVar("R")


def check_forward(forward: Any) -> None:
    """Raise if no op can be made of `forward`."""
    name = getattr(forward, "__name__", None)
    if not callable(forward) or not isinstance(name, str) or not name.isidentifier():
        raise TypeError(f"an op is made of a function with a name, not of {forward!r:.60}: write def name(xp, x, /): ...")
    parameters = list(inspect.signature(forward).parameters.values())
    if not parameters or parameters[0].kind not in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD):
        raise TypeError(f"{name}: the first parameter of an op is the namespace xp: write def {name}(xp, ...): ...")
    if parameters[-1].kind is inspect.Parameter.VAR_KEYWORD:
        raise TypeError(f"{name}: an op has a fixed set of parameters, and **{parameters[-1].name} has none; name each of them")


_INDICES = frozenset({"fweights", "indices", "segment_ids", "sorter"})


Derivative = Literal["undeclared", "rules", "zero", "none", "composite"]
"""How the derivative of an op is declared."""


class Push(NamedTuple):
    """The forward rule of one array argument of an op."""

    way: Literal["direct", "elementwise", "linear"]
    rule: Callable[..., Any]
    """A function of ``(xp, t, saved)``."""


class Op(Generic[P, R]):
    """A function of the namespace, the declaration of its derivative, and how it is called.

    Parameters annotated ``ArrayLike`` or ``Tensor``, and unannotated ones before the ``/``, are arrays; ``Sequence[ArrayLike]``
    and ``*arrays`` are sequences of them, which an op takes instead of other arrays.
    """

    def __init__(
        self,
        forward: Callable[..., Any],
        *,
        scalars: bool = False,
        override: bool = False,
        elementwise: bool = False,
        passes_through: bool = False,
        arrays: Collection[str] | None = None,
        outputs: int | None = None,
    ) -> None:
        parameters = list(inspect.signature(forward).parameters.values())[1:]
        self.name = forward.__name__.rstrip("_")
        self.names = [p.name for p in parameters]
        kinds = array_kinds(forward) if arrays is None else self._named(arrays, array_kinds(forward))
        self.source, self.forward = forward, by_position(self.name, forward)
        self.is_own = (forward.__module__ or "").startswith("xgrad.")  # no op of a user's
        self.scalars = scalars  # whether the forward takes Python scalars as they are
        self.override = override  # whether raw namespaces get this forward even where the library has the name
        self.is_elementwise = elementwise  # whether it acts on single elements of its arguments, which broadcast
        self.passes_through = passes_through  # whether it is written as a call of one function that every interpreter has
        self.returns = returns(forward) if outputs is None else "one" if outputs == 1 else "several"
        self.arrays = list(kinds)
        self.sequence = "sequence" in kinds.values()
        self.optional = "optional" in kinds.values()  # whether an array argument may be None
        self.indices = _INDICES.intersection(self.names)  # array arguments that are indices: integers beside floats, too
        self.key_at = self.names.index("key") if "key" in self.names else None  # an index may have arrays in it
        self.dtype_at = self.names.index("dtype") if "dtype" in self.names else None
        self.slots = [*self.names, "y", *(f"{self.names[i]}_shape" for i in self.arrays)]
        self.derivative: Derivative = "undeclared"
        self.conjugates = False  # whether the walk conjugates around the rules where the output is complex
        self.rules: list[Any] = []  # one per array argument, or none at all
        self.needs: list[frozenset[int]] = []
        self.pushes: list[Push | None] = []  # one per array argument; None is the pullback of the pullback
        self.savers: dict[tuple[bool, ...], Callable[..., tuple[Any, ...]]] = {}
        self.per_item = True  # for a sequence: whether the rule is called once for each item, with its number `i`
        self.fills = True  # whether rules get zeros for outputs that nothing used, and not None
        self.write: Callable[..., Any] | None = None
        self.unless: Callable[..., bool] | None = None
        self.call: Callable[..., Any] = self.forward  # set by the engine

    def _named(self, arrays: Collection[str], kinds: Mapping[int, Kind]) -> dict[int, Kind]:
        if unknown := set(arrays) - set(self.names):
            raise TypeError(f"{self.name}: arrays names {sorted(unknown)}, but its parameters are {self.names}")
        return {i: kinds.get(i, "array") for i, name in enumerate(self.names) if name in arrays}

    # Each op is in exactly one of these classes, declared beside it.

    def vjp(self, **rules: Callable[..., Any]) -> None:
        """Declare the rules: for each differentiable argument, its cotangent from ``g``, the cotangent of the output.

        The engine sums a broadcast gradient to the input's shape, casts it to the input's dtype, and fills in zeros for
        outputs that were not used; a rule does none of that.
        """
        self._declare("rules", rules)

    def holomorphic(self, **rules: Callable[..., Any]) -> None:
        """Declare the rules of a complex-differentiable function as calculus has them, ``g f'(x)``.

        The gradient of a complex argument is ``g conj(f'(x))``, which is ``conj(conj(g) f'(x))``. The engine conjugates before
        and after the rule.
        """
        self._declare("rules", rules)
        self.conjugates = True

    def zero_gradient(self) -> None:
        """Declare the derivative zero wherever it exists (``floor``, ``sign``)."""
        self._declare("zero", {self.names[i]: lambda xp, g: xp.zeros_like(g) for i in self.arrays})

    def not_differentiable(self) -> None:
        """Declare that the result carries no gradient (booleans, indices)."""
        self.derivative = "none"

    # Forward mode, declared after the reverse rules.

    def jvp(self, **rules: Callable[..., Any]) -> None:
        """Declare forward rules: the change of the output, given the change ``t`` of one argument.

        The engine adds the changes for all arguments, broadcasts the sum to the output's shape and casts it to its dtype (a real
        output takes the real part). A forward rule may use only arrays that the reverse rule of its argument saves. For an op on
        a sequence, ``t`` is a list, with zeros for items that do not change. For an op with several outputs, the rule returns a
        tuple, with None for an output that does not change.
        """
        self._not_called("t")
        for name, rule in rules.items():
            self._push(name, "direct", *self._adapted(rule, name, "t"))

    def elementwise(self, *names: str) -> None:
        """Declare that each element of the output depends on one element of each argument, or of those named.

        The derivative is then diagonal, which is its own transpose, so the reverse rules are the forward rules too. (With complex
        numbers this holds for ``holomorphic`` rules, and for others where the real derivative is symmetric.)
        """
        for name in names or self._differentiable():
            self._push(name, "elementwise", self.rules[self._place(name)], [])

    def linear(self, *names: str) -> None:
        """Declare the op linear in each of its arguments, or in those named, while the others are held fixed.

        The change of the output is the op applied to the change. A sum of arguments is *not* linear in this sense: it is linear
        in all of them together.
        """
        for name in names or self._differentiable():
            rule = linear_rule(f"forward rule of {self.name} for {name}", self._apply, self.names, name)
            self._push(name, "linear", rule, [other for other in self.names if other != name])

    def _apply(self, xp: Any, *values: Any) -> Any:
        return self.forward(xp, *values) if hasattr(xp, "__backend__") else self.call(*values)

    def _differentiable(self) -> list[str]:
        return [self.names[i] for i, rule in zip(self.arrays, self.rules) if rule is not None]

    def _place(self, name: str) -> int:
        if name not in self._differentiable():
            raise TypeError(
                f"{self.name}: forward mode is declared for {name!r}, but the arguments with a reverse rule are "
                f"{self._differentiable()}; declare that first, with .vjp(...)"
            )
        return self.arrays.index(self.names.index(name))

    def _push(
        self, name: str, way: Literal["direct", "elementwise", "linear"], rule: Callable[..., Any], named: list[str]
    ) -> None:
        k = self._place(name)
        named = [*named, f"{name}_shape"] if self.sequence else named  # for zeros in place of what does not change
        needs = frozenset(self.slots.index(n) for n in named if n in self.slots)
        if missing := [self.slots[i] for i in needs - self.needs[k] if i in self.arrays or self.slots[i] == "y"]:
            raise TypeError(
                f"{self.name}: forward mode in {name!r} needs {' and '.join(sorted(missing))}, but the "
                "reverse rule does not save it; use only arrays that the reverse rule names"
            )
        self.needs[k] |= needs
        self.pushes[k] = Push(way, rule)
        self.savers.clear()

    def view(self, write: Callable[..., Any], unless: Callable[..., bool] | None = None) -> None:
        """Declare the result a view of its first argument.

        ``write(xp, x, v, *parameters)`` returns `x` after writing `v` to the view. If ``unless(y, x, *parameters)`` is true of
        the arrays, the result is a copy and no view.
        """
        self.write, self.unless = write, unless

    def _declare(self, derivative: Derivative, rules: Mapping[str, Callable[..., Any]]) -> None:
        arrays = [self.names[i] for i in self.arrays]
        if unknown := set(rules) - set(arrays):
            raise TypeError(
                f"{self.name}: rules are declared for {sorted(unknown)}, but its array arguments are {arrays}; those are what is "
                "annotated ArrayLike or Tensor, and what stands before the / unannotated"
            )
        self._not_called("g", "y", "xp", *(("i",) if self.sequence else ()))
        self.derivative, self.rules, self.needs, self.conjugates = derivative, [], [], False
        self.pushes = [None] * len(arrays)
        self.savers.clear()
        for name in arrays:
            rule, named = self._adapted(rules[name], name, "g") if name in rules else (None, [])
            self.rules.append(rule)
            self.needs.append(frozenset(self.slots.index(n) for n in named if n in self.slots))
            self.per_item = not self.sequence or "i" in named
        if self.is_elementwise and derivative == "rules":
            self.elementwise()

    def _adapted(self, rule: Callable[..., Any], name: str, g: str) -> tuple[Callable[..., Any], list[str]]:
        """The rule as a function of ``(xp, g, saved)``, with ``i`` if it names that, and the names that it uses.

        A rule of forward mode takes ``t``, the change of the argument, for ``g``.
        """
        named = list(inspect.signature(rule).parameters)
        own = {"xp", "g", "i"} if g == "g" else {"xp", g}
        if unknown := set(named) - own - set(self.slots):
            raise TypeError(f"{self.name}: a rule names {sorted(unknown)}; it may name xp, {g} and {', '.join(self.slots)}")
        title = f"{'rule' if g == 'g' else 'forward rule'} of {self.name} for {name}"
        return rule_adapter(title, rule, named, self.slots, g), named

    def _not_called(self, *own: str) -> None:
        if reserved := set(own).intersection(self.names):
            raise TypeError(
                f"{self.name}: its argument {min(reserved)!r} has a name that means something else in rules (g is the cotangent, "
                "y the output, xp the namespace, t a change, i the number of an item); rename it"
            )

    def saver(self, tracked: tuple[bool, ...]) -> Callable[..., tuple[Any, ...]]:
        """A function of all parameters and the output that returns the values to save, one entry per slot.

        Parameters
        ----------
        tracked : tuple of bool
            Which array arguments require grad; for a sequence, just ``(True,)``.
        """
        if self.derivative == "undeclared":
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
        arrays = dict(zip(self.arrays, tracked if not self.sequence else (True,)))
        title = f"what {self.name} saves"
        save = saver(title, self.names, needed, arrays, self.sequence, self.key_at, memory.keep, memory.keep_key)
        self.savers[tracked] = save
        return save

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return cast(R, self.call(*args, **kwargs))

    def __repr__(self) -> str:
        return f"<op {self.name}>"
