"""Random numbers: ``cupy.random`` over NumPy's generators. The numbers are others than CuPy's."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np

from . import real
from .arrays import ndarray, new, values_of
from .functions import absent

__all__ = ["random_namespace"]

DRAWS = (
    "random random_sample rand randn standard_normal normal uniform randint integers exponential gamma beta binomial poisson "
    "standard_exponential standard_gamma choice permutation".split()
)


def _drawn(name: str, source: Any) -> Callable[..., Any]:
    def draw(*args: Any, **kwargs: Any) -> ndarray:
        function = getattr(source, name)
        dtype = kwargs.pop("dtype", None)
        size = kwargs.get("size", ())
        kwargs["size"] = () if size is None else size
        if name in ("rand", "randn", "permutation"):
            kwargs.pop("size")
        values = values_of(args)
        return new(f"random.{name}", lambda: np.asarray(function(*values, **kwargs), dtype=dtype), library="cuRAND")

    draw.__name__ = name
    return draw


class Generator:
    """A generator of random numbers, or the state of the old functions."""

    def __init__(self, seed: Any = None, source: Any = None) -> None:
        self._source = np.random.default_rng(seed) if source is None else source

    def __getattr__(self, name: str) -> Any:
        if name in DRAWS and hasattr(self._source, name):
            return _drawn(name, self._source)
        raise AttributeError(name)


def random_namespace() -> types.ModuleType:
    """``cupy.random``."""
    module = types.ModuleType("cupy.random")
    state = np.random.RandomState(0)
    for name in dir(real.cupy.random):
        value = getattr(real.cupy.random, name)
        if name.startswith("_") or isinstance(value, types.ModuleType):
            continue
        setattr(module, name, value if isinstance(value, type) or not callable(value) else absent(f"random.{name}"))
        if name in DRAWS and hasattr(state, name):
            setattr(module, name, _drawn(name, state))
    module.Generator = Generator
    module.default_rng = Generator
    module.RandomState = lambda seed=None: Generator(source=np.random.RandomState(seed))
    module.seed = state.seed
    return module
