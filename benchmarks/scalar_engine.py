"""A scalar engine like micrograd: one Python object and one closure per number.

It is measured as a reference for engines that work on arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable


def _nothing() -> None:
    pass


class Value:
    """A number with references to the numbers it was computed from, and a function that adds to their gradients."""

    def __init__(self, data: float, parents: tuple[Value, ...] = ()) -> None:
        self.data = data
        self.grad = 0.0
        self.parents = set(parents)
        self.pass_on: Callable[[], None] = _nothing

    def _with(self, pass_on: Callable[[], None]) -> Value:
        self.pass_on = pass_on
        return self

    def __add__(self, other: Value | float) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))

        def pass_on() -> None:
            self.grad += out.grad
            other.grad += out.grad

        return out._with(pass_on)

    def __mul__(self, other: Value | float) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other))

        def pass_on() -> None:
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        return out._with(pass_on)

    def _of_one(self, data: float, slope: float) -> Value:
        out = Value(data, (self,))

        def pass_on() -> None:
            self.grad += slope * out.grad

        return out._with(pass_on)

    def __pow__(self, n: float) -> Value:
        return self._of_one(self.data**n, n * self.data ** (n - 1))

    def relu(self) -> Value:
        return self._of_one(max(self.data, 0.0), float(self.data > 0))

    def tanh(self) -> Value:
        y = math.tanh(self.data)
        return self._of_one(y, 1 - y * y)

    def __neg__(self) -> Value:
        return self * -1.0

    def __sub__(self, other: Value | float) -> Value:
        return self + -other

    def __truediv__(self, other: Value | float) -> Value:
        return self * other**-1 if isinstance(other, Value) else self * (1 / other)

    def __rtruediv__(self, other: float) -> Value:
        return self**-1 * other

    __radd__, __rmul__ = __add__, __mul__

    def backward(self) -> None:
        """Set `grad` of every number to the derivative of this one with respect to it."""
        order: list[Value] = []
        seen: set[Value] = set()
        stack: list[tuple[Value, bool]] = [(self, False)]  # not recursive: a sum of 300 would exceed the recursion limit
        while stack:
            value, done = stack.pop()
            if done:
                order.append(value)
            elif value not in seen:
                seen.add(value)
                stack.append((value, True))
                stack.extend((part, False) for part in value.parents)
        self.grad = 1.0
        for value in reversed(order):
            value.pass_on()
