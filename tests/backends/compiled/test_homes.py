"""State that is replaced: what is computed from the old is computed before it is written over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .plans import arrays_of, call_by_call, captured, executed, units_apart


def replaced(f: Callable[..., Any], arguments: list[Any], homes: list[int | None], how: str, units: float = 0) -> None:
    """Run twice, the second time on what the first has written."""
    arguments = [np.array(x) for x in arguments]
    plan = captured(f, *arguments)
    at = {slot.index: k for k, (_, slot) in enumerate(plan.inputs)}
    places = [None if home is None else at[home] for home in homes]
    now = [x.copy() for x in arguments]
    want: list[Any] = []
    for _ in range(2):
        want = call_by_call(plan, now)
        for home, y in zip(homes, want):
            if home is not None:
                now[home] = y
    mine = [x.copy() for x in arguments]
    got = executed(plan, mine, how, homes=places, runs=2)
    for k, (x, y) in enumerate(zip(got, want)):
        assert units_apart(x, y) <= units, f"output {k}: {x} is not {y}\n{plan}"
    for x, y in zip(arrays_of(plan, mine), arrays_of(plan, now)):
        assert units_apart(x, y) <= units


A, B = np.arange(12.0).reshape(3, 4), np.ones((3, 4))


def test_each_from_its_own(how: str) -> None:
    replaced(lambda xp, a, b: [a * 2 + b, b - 1], [A, B], [0, 1], how)


def test_crosswise(how: str) -> None:
    replaced(lambda xp, a, b: [b * 2, a + 1], [A, B], [0, 1], how)


def test_chosen(how: str) -> None:
    big, other = np.arange(2000.0) - 1000, np.ones(2000)
    for a, b in ((A, B), (big, other), (big.astype("f"), other.astype("f"))):
        replaced(lambda xp, a, b: [xp.where(a > 3, a, b), b + 1], [a, b], [0, None], how)
        replaced(lambda xp, a, b: [xp.where(a > 3, b, a), xp.where(b > 3, b * 2, -0.0)], [a, b], [0, None], how)
        replaced(lambda xp, a, b: [xp.clip(a, -1, 5), xp.zero_where_not(b, a > 2)], [a, b], [0, 1], how)


def test_exchanged(how: str) -> None:
    replaced(lambda xp, a, b: [b, a], [A, B], [0, 1], how)
    replaced(lambda xp, a, b, c: [b, c, a], [A, B, B + 3], [0, 1, 2], how)


def test_read_in_other_orders(how: str) -> None:
    square = np.arange(9.0).reshape(3, 3)
    replaced(lambda xp, a: [xp.matrix_transpose(a) + 1], [square], [0], how)
    replaced(lambda xp, a: [xp.flip(a)], [square], [0], how)
    replaced(lambda xp, a: [a + xp.matrix_transpose(a), xp.sum(a, axis=0)], [square], [0, None], how)
    replaced(lambda xp, a: [a - a[0], a[:, 1] * 2], [square], [0, None], how)
    replaced(lambda xp, a: [a + xp.sum(a)], [square], [0], how)
    replaced(lambda xp, a: [a @ a, a[1]], [square], [0, None], how)
    replaced(lambda xp, a: [a[xp.asarray([2, 0, 1])]], [square], [0], how)
    replaced(lambda xp, a: [xp.cumulative_sum(a, axis=0)], [square], [0], how)
    replaced(lambda xp, a: [xp.concat([a[1:], a[:1]])], [square], [0], how)


def test_read_after_the_new_state(how: str) -> None:
    def f(xp: Any, a: Any, b: Any) -> Any:
        new = a * 0.5 + b
        late = xp.sum(new * new) + xp.sum(a, axis=1)
        return [new, late, a - new]

    replaced(f, [A, B], [0, None, None], how)


def test_the_same_result_twice(how: str) -> None:
    def f(xp: Any, a: Any, b: Any) -> Any:
        new = a * 2
        return [new, new, new, a, a, b, xp.zeros((2, 2)), xp.asarray(3.0)]

    replaced(f, [A, B], [0, 1, None, None, None, None, None, None], how)


def test_views_as_outputs(how: str) -> None:
    def f(xp: Any, a: Any) -> Any:
        y = a * 2
        return [xp.matrix_transpose(y), y[0], xp.reshape(y, (-1,)), xp.broadcast_to(y[0, 0], (2, 2)), xp.reshape(a, (4, 3)), y]

    replaced(f, [A], [None] * 6, how)


def test_a_constant_as_state(how: str) -> None:
    replaced(lambda xp, a: [xp.zeros((3, 4)), xp.sum(a)], [A], [0, None], how)


def test_a_reduction_as_state(how: str) -> None:
    replaced(lambda xp, a, m: [m * 0.9 + xp.sum(a, axis=0), a + m], [A, np.zeros(4)], [1, 0], how)
    replaced(lambda xp, a, m: [xp.sum(a, axis=0), a + m], [A, np.zeros(4)], [1, 0], how)


def test_one_array_as_two_inputs(how: str) -> None:
    plan = captured(lambda xp, a, b: [a + 1, a * b], A, A.copy())
    got = executed(plan, [A, A], how)
    assert np.array_equal(got[1], A * A)


def test_many_steps(how: str) -> None:
    def f(xp: Any, p: Any, m: Any, v: Any, x: Any) -> Any:
        y = xp.tanh(x @ p)
        g = xp.matrix_transpose(x) @ (y * (1 - y * y))
        m2, v2 = m * 0.9 + g * 0.1, v * 0.99 + g * g * 0.01
        return [p - m2 / (xp.sqrt(v2) + 1e-3), m2, v2, xp.sum(y)]

    rng = np.random.default_rng(0)
    p, m, v, x = rng.normal(size=(4, 3)), np.zeros((4, 3)), np.zeros((4, 3)), rng.normal(size=(5, 4))
    replaced(f, [p, m, v, x], [0, 1, 2, None], how, units=1e4)
