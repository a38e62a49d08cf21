"""Layers made of other layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .module import Module

__all__ = ["Sequential"]


class Sequential(Module):
    """Modules or functions that are called one after the other.

    Examples
    --------
    >>> from xgrad.nn import Linear, ReLU, Sequential
    >>> Sequential(Linear(4, 8), ReLU(), Linear(8, 2))
    Sequential(
      (0): Linear(4, 8)
      (1): ReLU()
      (2): Linear(8, 2)
    )
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        for i, layer in enumerate(layers):
            if not callable(layer):
                raise TypeError(f"Sequential: layer {i} is {type(layer).__name__} {layer!r:.40}, which cannot be called")
            setattr(self, str(i), layer)

    @property
    def _layers(self) -> list[Callable[[Any], Any]]:
        return [layer for name, layer in vars(self).items() if name.isdigit()]

    def forward(self, x: Any) -> Any:
        """Call the layers in order, each on the output of the one before."""
        for layer in self._layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self._layers)

    def __iter__(self) -> Iterator[Callable[[Any], Any]]:
        return iter(self._layers)

    def __getitem__(self, i: int) -> Callable[[Any], Any]:
        return self._layers[i]
