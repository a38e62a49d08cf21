"""What type checkers say of code that uses xgrad: read by mypy and pyright, never run."""

from __future__ import annotations

from typing import Any, assert_type

import xgrad
from xgrad import Tensor


def operators_give_tensors(x: Tensor) -> None:
    assert_type(x + 1, Tensor)
    assert_type(2 * x @ x, Tensor)
    assert_type(-x, Tensor)
    assert_type(x[0], Tensor)
    assert_type(x.shape, tuple[int, ...])
    assert_type(x.grad, Tensor | None)


def functions_keep_their_signatures(x: Tensor) -> None:
    assert_type(xgrad.exp(x), Tensor)
    assert_type(xgrad.sum(x, axis=0, keepdims=True), Tensor)
    assert_type(xgrad.zeros((2, 3)), Tensor)
    xgrad.exp()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    xgrad.sum(x, axes=0)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


@xgrad.op
def cube(xp: Any, x: xgrad.ArrayLike, /) -> Tensor:
    return x * x * x


def an_op_loses_its_namespace(x: Tensor) -> None:
    assert_type(cube(x), Tensor)
    cube.vjp(x=lambda g, x: 3 * g * x * x)
