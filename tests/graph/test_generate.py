"""Generated functions: they are named in tracebacks, and no parameter of a user's op collides with a name of theirs."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad.graph import generate
from xgrad.graph.names import registry


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    before = dict(registry)
    yield
    registry.clear()
    registry.update(before)


def test_a_traceback_names_the_rule_and_shows_its_source() -> None:
    @xgrad.op
    def halved(xp: Any, x: xgrad.ArrayLike, /) -> Any:
        return x / 2

    halved.vjp(x=lambda g, x: 1 / 0)
    x = xgrad.Tensor(1.0, requires_grad=True)
    with pytest.raises(ZeroDivisionError) as error:
        halved(x).backward()
    frames = traceback.extract_tb(error.value.__traceback__)
    (frame,) = (frame for frame in frames if frame.filename.startswith("<xgrad"))
    assert frame.filename == "<xgrad: rule of halved for x>" and frame.line == "function = lambda xp, g, saved: rule(g, saved[0])"
    linecache.checkcache()
    assert linecache.getline(frame.filename, 1), "the source stays known"


@pytest.mark.parametrize(
    "name", ["shape", "keep", "call", "forward", "apply", "rule", "numbers", "saved", "function", "default_k"]
)
def test_parameters_may_have_any_name(name: str) -> None:
    """The names are in the source of generated functions, beside those of what they call."""
    scope: dict[str, Any] = {"xgrad": xgrad}
    exec(f"def scaled(xp, {name}: xgrad.ArrayLike, *, k=3.0):\n    return {name} * k", scope)
    scaled = xgrad.op(scope["scaled"])
    exec(f"rule = lambda g, {name}, k: g * k * xp_ones({name})", scope | {"xp_ones": lambda v: v / v}, scope)
    scaled.vjp(**{name: scope["rule"]})
    scaled.linear(name)
    x = xgrad.Tensor(np.ones(2), requires_grad=True)
    xgrad.sum(scaled(x)).backward()
    assert x.grad is not None and x.grad.tolist() == [3.0, 3.0]
    x.zero_grad()
    xgrad.sum(scaled(**{name: x}, k=2.0)).backward()
    assert x.grad is not None and x.grad.tolist() == [2.0, 2.0]
    assert xgrad.jvp(scaled, (np.ones(2),), (np.ones(2),))[1].tolist() == [3.0, 3.0]


def test_what_an_op_saves_is_what_its_rules_name() -> None:
    keep: Any = lambda x: ("kept", x)
    save = generate.saver("test", ["a", "b", "k"], {0, 1, 4}, {0: True, 1: False}, False, None, keep, keep)
    a, b = np.ones(2), np.zeros(3)
    saved = save(a, b, 7, a + 1)
    assert saved[0] is a and saved[1][0] == "kept" and saved[1][1] is b
    assert saved[2:] == (None, None, (2,), None), "k and the output are not needed, and of a the shape"
    assert save(a, 2.0, 7, a)[1] == 2.0, "a number is saved as it is"


def test_a_function_has_the_signature_of_its_forward() -> None:
    def forward(xp: Any, x: Any, /, axis: int = -1, *rest: Any, keepdims: bool = False) -> Any: ...

    function = generate.with_signature(forward, lambda *arguments: arguments, exact=True)
    assert str(function.__signature__).startswith("(x: 'Any', /, axis: 'int' = -1, *rest: 'Any', keepdims: 'bool' = False)")
    assert function(1, 2, 3, keepdims=True) == (1, 2, (3,), True) and function(1) == (1, -1, (), False)
    with pytest.raises(TypeError, match=r"forward\(\) missing 1 required positional argument: 'x'"):
        function()
