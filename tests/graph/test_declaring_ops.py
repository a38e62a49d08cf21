"""What `op` reads from a signature, however its annotations are spelled, and how often a forward is run."""

from __future__ import annotations

import functools
import itertools
import textwrap
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor
from xgrad.graph.declare import Op
from xgrad.graph.names import registry

NOW, LATER = "", "from __future__ import annotations\n"
IMPORTS = """
import collections.abc, typing
import xgrad
import xgrad as xg
from collections.abc import Sequence
from typing import Annotated, Any, Iterable, List, NamedTuple, Optional, TYPE_CHECKING
from xgrad import Tensor
from xgrad.tensor.tensor import ArrayLike
from xgrad.tensor.tensor import ArrayLike as Arr
Alias = ArrayLike | None
Bound = typing.TypeVar("Bound", bound=Tensor)
One = typing.TypeVar("One", Tensor, float)
New = typing.NewType("New", Tensor)
class Pair(NamedTuple):
    first: Tensor
    second: Tensor
"""


def declared(header: str, source: str) -> dict[str, Any]:
    """The names of a module whose source this is; the registry stays as it was."""
    before = dict(registry)
    scope: dict[str, Any] = {"__name__": "declared_by_a_test"}
    try:
        exec(compile(header + IMPORTS + textwrap.dedent(source), "declared_by_a_test", "exec", dont_inherit=True), scope)
    finally:
        registry.clear()
        registry.update(before)
    return scope


ONE = [
    "ArrayLike",
    "xgrad.ArrayLike",
    "Arr",
    "xg.ArrayLike",
    "Tensor",
    "xgrad.Tensor",
    "'ArrayLike'",
    "Annotated[ArrayLike, 'a note']",
    "Bound",
    "One",
    "New",
]
OPTIONAL = ["ArrayLike | None", "Optional[ArrayLike]", "Alias", "None | Arr", "typing.Optional[xgrad.Tensor]"]
SEVERAL = [
    "Sequence[ArrayLike]",
    "collections.abc.Sequence[Arr]",
    "list[Tensor]",
    "List[ArrayLike]",
    "tuple[ArrayLike, ...]",
    "Iterable[xgrad.Tensor]",
]
NONE = ["Any", "int", "float | None", "Sequence[int]", "list[str]", "'int'", "tuple[int, ...]", "Optional[bool]"]


@pytest.mark.parametrize("header", [NOW, LATER], ids=["now", "later"])
@pytest.mark.parametrize("annotation", [*ONE, *OPTIONAL, *SEVERAL, *NONE])
def test_an_annotation_means_the_same_however_it_is_spelled(annotation: str, header: str) -> None:
    scope = declared(header, f"def f(xp, a: {annotation}, n: int = 2, /): pass\ndef g(xp, *, a: {annotation}): pass")
    for function in (scope["f"], scope["g"]):
        made: Op[..., Any] = Op(function)
        assert made.arrays == ([] if annotation in NONE else [0])
        assert made.sequence == (annotation in SEVERAL)
        assert made.optional == (annotation in OPTIONAL)


@pytest.mark.parametrize("header", [NOW, LATER], ids=["now", "later"])
@pytest.mark.parametrize("annotation", [*ONE, "A"])
def test_an_op_is_differentiated_however_it_is_annotated(annotation: str, header: str) -> None:
    source = f"""
        if TYPE_CHECKING or {annotation == "A"}:
            A = ArrayLike
        @xgrad.op
        def cubed(xp, x: {annotation}, power: int = 3) -> "Tensor":
            return x**power
        cubed.vjp(x=lambda g, x, power: g * power * x ** (power - 1))

        @xgrad.op
        def blended(xp, first: {annotation}, second: {annotation}):
            return first * second
        blended.vjp(first=lambda g, second: g * second, second=lambda g, first: g * first)
    """
    scope = declared(header, source)
    x = Tensor([1.0, 2.0], requires_grad=True)
    (scope["cubed"](x, power=2) + scope["cubed"](x) + scope["blended"](x, [3.0, 4.0])).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [2 + 3 + 3, 4 + 12 + 4]


@pytest.mark.parametrize("name", ["y", "g", "xp", "t"])
def test_an_argument_with_a_name_of_the_rules_own_is_refused(name: str) -> None:
    scope = declared(NOW, f"@xgrad.op\ndef f(space, {name}, /):\n    return {name} * 2")
    declare = scope["f"].jvp if name == "t" else scope["f"].vjp
    with pytest.raises(TypeError, match=f"{name!r}.*rename"):
        declare(**{name: lambda: 0})


def test_names_that_only_type_checkers_know_are_read_as_text() -> None:
    source = """
        if TYPE_CHECKING:
            from xgrad.tensor.tensor import ArrayLike as Unknown
            from elsewhere import Thing
        def f(xp, x: "xgrad.ArrayLike | Thing", others: "Sequence[ArrayLike] | Thing", what: "Thing"): pass
    """
    scope = declared(LATER, source)
    made: Op[..., Any] = Op(scope["f"])
    assert made.arrays == [0, 1]


def test_a_local_alias_is_read() -> None:
    from xgrad.tensor.tensor import ArrayLike

    Number = ArrayLike

    def f(xp: Any, x: Number, /) -> Any:
        return x if Number is None else x * 2

    assert Op(f).arrays == [0]


RETURNS = ["", " -> tuple[Tensor, Tensor]", " -> Any", " -> 'Pair'", " -> Pair", " -> list[Tensor]", " -> 'tuple[Unknown, ...]'"]


@pytest.mark.parametrize("header", [NOW, LATER], ids=["now", "later"])
@pytest.mark.parametrize("returned", RETURNS)
def test_an_op_of_several_outputs_needs_no_annotation(returned: str, header: str, xp: Any) -> None:
    source = f"""
        @xgrad.op
        def both(xp, x, /){returned}:
            return {"Pair" if "Pair" in returned else ""}(x * 2, x * x)
        both.vjp(x=lambda g, x: g[0] * 2 + g[1] * 2 * x)

        @xgrad.op
        def mixed(xp, x, z, /){returned}:
            return {"Pair" if "Pair" in returned else ""}(x * z, x + z)
        mixed.vjp(x=lambda g, z: g[0] * z + g[1], z=lambda g, x: g[0] * x + g[1])
    """
    scope = declared(header, source)
    assert [v.tolist() for v in scope["both"](xp.asarray([1.0, 2.0]))] == [[2.0, 4.0], [1.0, 4.0]]
    x, y = xp.asarray([1.0, 2.0]).requires_grad_(), xp.asarray([5.0, 7.0]).requires_grad_()
    doubled, squared = scope["both"](x)
    assert isinstance(scope["both"](x), scope["Pair"] if "Pair" in returned else tuple)
    xp.sum(doubled + 10 * squared).backward()
    assert x.grad.tolist() == [22.0, 42.0]
    product, total = scope["mixed"](x, y)
    xp.sum(product * 2 + total).backward()
    assert y.grad.tolist() == [3.0, 5.0]
    second = xgrad.grad(lambda v: xp.sum(xgrad.grad(lambda u: xp.sum(scope["both"](u)[1] ** 2))(v)))(xp.asarray([1.0, 2.0]))
    np.testing.assert_allclose(second.tolist(), [12.0, 48.0], rtol=1e-6)


def test_outputs_without_annotation_are_batched(xp: Any, backend: str) -> None:
    if backend == "dask":
        pytest.skip("vmap is not for dask")
    scope = declared(
        NOW, "@xgrad.op\ndef both(xp, x, /):\n    return x * 2, x * x\nboth.vjp(x=lambda g, x: g[0] * 2 + g[1] * 2 * x)"
    )
    doubled, squared = xgrad.vmap(scope["both"])(xp.asarray([[1.0, 2.0], [3.0, 4.0]]))
    assert doubled.tolist() == [[2.0, 4.0], [6.0, 8.0]] and squared.tolist() == [[1.0, 4.0], [9.0, 16.0]]


@pytest.mark.parametrize("annotated", ["", ": ArrayLike"])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("where", ["plain", "tracked", "vmap", "scalars", "jvp"])
def test_a_forward_that_raises_is_run_once(where: str, count: int, annotated: str, xp: Any, backend: str) -> None:
    if backend == "dask" and where == "vmap":
        pytest.skip("vmap is not for dask")
    names = ["a", "b", "c"][:count]
    parameters = ", ".join(name + annotated for name in names)
    scope = declared(
        LATER,
        f"""
        calls = []
        @xgrad.op(scalars=True)
        def failing(xp, {parameters}, /):
            calls.append(1)
            raise OverflowError("of its own")
        failing.vjp({", ".join(f"{name}=lambda g: g" for name in names)})
        """,
    )
    failing, calls = scope["failing"], scope["calls"]
    arrays = [xp.asarray([1.0, 2.0]) for _ in names]
    if where == "tracked":
        arrays = [x.requires_grad_() for x in arrays]
    if where == "scalars":
        arrays = [arrays[0], *(2.0 for _ in names[1:])]
    run: Any = {"vmap": lambda: xgrad.vmap(failing)(*arrays), "jvp": lambda: xgrad.jvp(failing, tuple(arrays), tuple(arrays))}
    for again in range(1, 3):
        with pytest.raises(OverflowError, match="of its own"):
            run.get(where, lambda: failing(*arrays))()
        assert len(calls) == again


@pytest.mark.parametrize(("count", "batched"), [(n, b) for n, b in itertools.product((1, 2), (False, True))])
def test_errors_of_the_fast_path_are_explained_as_those_of_others(count: int, batched: bool) -> None:
    def run(*arrays: Any) -> Any:
        return xgrad.add(*arrays) if count == 2 else xgrad.reshape(arrays[0], (7,))

    arrays = [xgrad.ones((2, 3)), xgrad.ones((2, 4))][:count]
    with pytest.raises(ValueError, match="do not broadcast" if count == 2 else ".") as caught:
        (xgrad.vmap(run) if batched else run)(*arrays)
    notes = " ".join(getattr(caught.value, "__notes__", []))
    assert count == 2 or "in reshape of x" in notes


def test_a_sequence_beside_another_array_is_refused_when_the_op_is_declared() -> None:
    with pytest.raises(
        TypeError, match="joined: its parameters arrays, scale are arrays and sequences of them; take one sequence"
    ):

        @xgrad.composite
        def joined(xp: Any, arrays: list[Tensor], scale: Tensor) -> Tensor:
            return xp.concat(arrays) * scale


@pytest.mark.parametrize("declare", [xgrad.op, xgrad.composite], ids=["op", "composite"])
def test_what_no_op_can_be_made_of_is_refused_in_plain_words(declare: Any) -> None:
    def nothing() -> None: ...

    def named(*, xp: Any) -> None: ...

    def open_ended(xp: Any, x: Tensor, /, **options: Any) -> None: ...

    class Callable:
        def __call__(self, xp: Any, x: Any, /) -> Any: ...

    for forward in (lambda xp, x, /: x, functools.partial(open_ended, k=2), Callable(), 3):
        with pytest.raises(TypeError, match="an op is made of a function with a name"):
            declare(forward)
    for forward in (nothing, named):
        with pytest.raises(TypeError, match="the first parameter of an op is the namespace xp"):
            declare(forward)
    with pytest.raises(TypeError, match=r"open_ended: an op has a fixed set of parameters, and \*\*options has none"):
        declare(open_ended)


def test_an_op_of_a_function_that_knows_no_module() -> None:
    scope: dict[str, Any] = {"ArrayLike": xgrad.ArrayLike}
    exec("def without_module(xp, x: ArrayLike, k=2):\n    return x * k", scope)
    scope["without_module"].__module__ = None
    for _ in range(2):
        doubled = xgrad.op(scope["without_module"])
        doubled.vjp(x=lambda g, k: g * k)
    assert xgrad.grad(doubled)(np.float64(3.0)) == 2.0
    registry.pop("without_module")


def test_an_op_without_array_parameters_that_is_given_a_tensor_says_how_to_declare_them() -> None:
    def halved(xp, x):  # type: ignore[no-untyped-def]
        return x / 2

    for declare in (xgrad.op, xgrad.composite):
        function = declare(halved)
        with pytest.raises(TypeError, match="halved: none of its parameters takes an array, but it was given a Tensor"):
            function(Tensor([1.0]))
    registry.pop("halved")
