"""Thirty-three cases in which engines differ or are silently wrong: each is a test, named after it, where it belongs.

A test called ``test_pitfall_<number>_...`` stands with the other tests of what it is about; those about several parts at
once stand here.
"""

from __future__ import annotations

import ast
import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor

PITFALLS = {
    1: "ties of max, min, median and sort",
    2: "ties of maximum and minimum",
    3: "many ties in half precision",
    4: "the edges of clip",
    5: "abs, relu and sign at zero",
    6: "norm, std and hypot at zero",
    7: "the branch of where that was not taken",
    8: "powers at zero and of negative numbers",
    9: "the product of numbers among which is a zero",
    10: "the cumulative product of such numbers",
    11: "sinc at zero, to fourth order",
    12: "logsumexp, logaddexp and softmax at minus infinity; atan2 at the origin; tails",
    13: "the determinant of a singular matrix",
    14: "an element that is indexed twice",
    15: "eigenvectors of repeated eigenvalues",
    16: "cotangents of symmetric matrices",
    17: "writing to a value that a graph needs",
    18: "writing through views",
    19: "writing to an array behind the graph's back",
    20: "gradients of another dtype than their tensor",
    21: "integers that shall require grad",
    22: "0-d, size 0, broadcasting, matrix products of every shape, negative steps",
    23: "two leaves of equal value",
    24: "long chains, and values that are used very often",
    25: "backward twice, of two losses, of what is no scalar",
    26: "nested gradients in many threads",
    27: "perturbation confusion",
    28: "complex numbers",
    29: "Fourier transforms of odd and even length",
    30: "a rule whose test never ran",
    31: "conversions that leave the graph",
    32: "forward and reverse mode where distances are zero",
    33: "checkpoints and random numbers; hooks that leak",
}


def names() -> list[str]:
    return [
        node.name
        for path in Path(__file__).parent.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]


def test_every_pitfall_is_a_test() -> None:
    found = {int(match[1]) for name in names() if (match := re.match(r"test_pitfall_(\d+)_", name))}
    assert found == set(PITFALLS), f"without a test: {sorted(set(PITFALLS) - found)}; unknown: {sorted(found - set(PITFALLS))}"


POINTS = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])


def distances(xp: Any, x: Tensor) -> Tensor:
    difference = x[:, None, :] - x[None, :, :]
    return xp.linalg.vector_norm(difference, axis=-1)


def test_pitfall_32_forward_and_reverse_mode_agree_where_distances_are_zero(xp: Any) -> None:
    x = xp.asarray(POINTS)
    by_rows = xgrad.jacrev(lambda x: distances(xp, x))(x).numpy()
    by_columns = xgrad.jacfwd(lambda x: distances(xp, x))(x).numpy()
    np.testing.assert_allclose(by_rows, by_columns, atol=1e-14)
    np.testing.assert_allclose(by_rows[0, 1], [[-0.6, -0.8], [0.6, 0.8], [0, 0]], atol=1e-14)
    assert not by_rows[0, 2].any()


@pytest.mark.parametrize("order", [1, 2])
def test_pitfall_33_a_checkpoint_draws_the_same_numbers_again(xp: Any, order: int) -> None:
    def layer(x: Tensor) -> Tensor:
        return xp.sum(xp.exp(xgrad.nn.functional.dropout(x * x, 0.5)))

    found = []
    for f in (layer, xgrad.checkpoint(layer)):
        xgrad.random.seed(3)
        x = xp.asarray(np.linspace(0.1, 1.0, 40)).requires_grad_()
        f(x).backward(create_graph=order == 2)
        g = x.grad
        if order == 2:
            x.zero_grad()
            xp.sum(g * g).backward()
            g = x.grad
        found.append((g.detach().numpy(), xgrad.random.uniform((3,)).numpy()))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])  # the numbers after it are those without it
    assert (found[0][0] == 0).any() and (found[0][0] != 0).any()


def test_pitfall_33_graphs_of_gradients_do_not_leak() -> None:
    def step() -> None:
        x = Tensor(np.ones(10_000), requires_grad=True)
        (x * xgrad.sin(x)).sum().backward(create_graph=True)
        xgrad.sum(x.grad * x.grad).backward()

    step()
    tracemalloc.start()
    step()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(10):
        step()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 10_000 * 8, f"{after - before} bytes are still there after ten steps"
