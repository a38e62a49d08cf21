"""Seeded random numbers, the same on every backend.

NumPy's Philox generator draws numbers on the host, and they are moved to the backend, so that a seed gives the same numbers
on every backend. Its uniform numbers, and so the masks of dropout, are made on the device by backends that can (CuPy). The
functions of this module use one generator that the process shares; `Generator` makes others.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from .backend.dtypes import dtype_of, float64, get_default_dtype, int64
from .backend.protocol import Backend
from .backend.scopes import Scope
from .backend.select import current_backend
from .graph.recording import interpreters
from .interpreters.batch.backend import Batch
from .interpreters.interpreter import base_of
from .interpreters.interpreter import draw as drawn_in_each_run
from .tensor.tensor import Tensor, wrap

__all__ = [
    "Generator", "bernoulli", "choice", "default_generator", "get_state", "integers", "normal", "permutation", "replaying",
    "seed", "set_state", "uniform",
]  # fmt: skip

Shape = int | tuple[int, ...]


class Generator:
    """A stream of random numbers that starts with a seed.

    Parameters
    ----------
    seed : int, optional
        The seed of the stream; by default a new one from the operating system.

    Notes
    -----
    Arrays are on the selected backend, or on the backend and device of the tensor `like`. Numbers have 53 random bits in
    float64, and 24 in narrower data types: they depend on the data type, but not on the backend. Threads may share a generator;
    the order in which they draw is not determined.

    Examples
    --------
    >>> from xgrad.random import Generator
    >>> Generator(0).uniform((2,)).tolist() == Generator(0).uniform((2,)).tolist()
    True
    """

    def __init__(self, seed: int | None = None) -> None:
        import numpy

        if seed is not None and (not hasattr(seed, "__index__") or seed < 0):
            raise ValueError(f"a seed is an integer of at least 0, not {seed!r}")
        self._own = numpy.random.Generator(numpy.random.Philox(seed))

    @property
    def _host(self) -> Any:
        """The NumPy generator to draw from: another one while draws are repeated."""
        host = self._own
        for draws in _active.get():
            host = draws.host(self, host)
        return host

    def uniform(
        self,
        shape: Shape = (),
        low: float = 0.0,
        high: float = 1.0,
        *,
        dtype: Any = None,
        device: Any = None,
        like: Tensor | None = None,
    ) -> Tensor:
        """Numbers from the uniform distribution on the half-open interval from `low` to `high` (rounding may give `high`).

        Parameters
        ----------
        shape : int or tuple of int
            The shape of the result.
        low, high : float
            The interval.
        dtype : optional
            A real floating data type; by default that of `like`, or the default data type.
        device : optional
            The device of the result; by default that of `like`.
        like : Tensor, optional
            A tensor whose backend and device the result has.

        Returns
        -------
        Tensor
            It does not require grad.

        Raises
        ------
        ValueError
            If `high` is less than `low`.

        Examples
        --------
        >>> import xgrad.random
        >>> xgrad.random.uniform((2, 3), -1.0, 1.0).shape
        (2, 3)
        """
        if not high >= low:
            raise ValueError(f"uniform: high ({high}) must be at least low ({low})")
        result_dtype = _floating("uniform", dtype, like)
        size = _shape("uniform", shape)
        precision: Any = "float64" if result_dtype is float64 else "float32"

        def stretched(numbers: Any) -> Any:
            return numbers if (low, high) == (0.0, 1.0) else numbers * (high - low) + low

        return self._uniform(size, precision, stretched, result_dtype, device, like)

    def _uniform(
        self, size: tuple[int, ...], precision: Any, then: Callable[[Any], Any], dtype: Any, device: Any, like: Tensor | None
    ) -> Tensor:
        """``then(x)`` for uniform numbers `x`, which some backends make on the device."""

        def on_device(backend: Backend, device: Any) -> Any:
            numbers = backend.uniform(self._host, size, precision, device)
            return None if numbers is None else then(numbers)

        return _move(lambda: then(self._host.random(size, dtype=precision)), dtype, device, like, on_device)

    def normal(
        self,
        shape: Shape = (),
        mean: float = 0.0,
        std: float = 1.0,
        *,
        dtype: Any = None,
        device: Any = None,
        like: Tensor | None = None,
    ) -> Tensor:
        """Numbers from the normal distribution with this mean and standard deviation; other parameters as in `uniform`.

        Raises
        ------
        ValueError
            If `std` is negative.

        Examples
        --------
        >>> from xgrad.random import Generator
        >>> bool(abs(Generator(0).normal(10_000, mean=3.0).numpy().mean() - 3.0) < 0.1)
        True
        """
        if not std >= 0:
            raise ValueError(f"normal: std ({std}) must not be negative")
        result_dtype = _floating("normal", dtype, like)
        size = _shape("normal", shape)
        precision: Any = "float64" if result_dtype is float64 else "float32"

        def draw() -> Any:
            numbers = self._host.standard_normal(size, dtype=precision)
            if (mean, std) == (0.0, 1.0):
                return numbers
            return numbers * numbers.dtype.type(std) + numbers.dtype.type(mean)

        return _move(draw, result_dtype, device, like)

    def integers(
        self, low: int, high: int, shape: Shape = (), *, dtype: Any = None, device: Any = None, like: Tensor | None = None
    ) -> Tensor:
        """Integers from `low` to ``high - 1`` with equal probability; by default of int64.

        Raises
        ------
        ValueError
            If `low` is not less than `high`.

        Examples
        --------
        >>> import xgrad.random
        >>> x = xgrad.random.integers(0, 10, (100,))
        >>> bool((x >= 0).all()) and bool((x < 10).all())
        True
        """
        if not low < high:
            raise ValueError(f"integers: there is none from {low} to {high}, since {high} itself is not included")
        size = _shape("integers", shape)
        return _move(
            lambda: self._host.integers(low, high, size, dtype="int64"), int64 if dtype is None else dtype_of(dtype), device, like
        )

    def permutation(self, n: int, *, device: Any = None, like: Tensor | None = None) -> Tensor:
        """The integers from 0 to ``n - 1`` in a random order.

        Examples
        --------
        >>> import xgrad.random
        >>> sorted(xgrad.random.permutation(4).tolist())
        [0, 1, 2, 3]
        """
        (count,) = _shape("permutation", n)
        return _move(lambda: self._host.permutation(count), int64, device, like)

    def choice(self, n: int, k: int, *, device: Any = None, like: Tensor | None = None) -> Tensor:
        """`k` different integers from 0 to ``n - 1``, in a random order.

        Raises
        ------
        ValueError
            If `k` is negative or more than `n`.

        Examples
        --------
        >>> import xgrad.random
        >>> len(set(xgrad.random.choice(100, 10).tolist()))
        10
        """
        if not 0 <= k <= n:
            raise ValueError(f"choice: cannot choose {k} different integers among {n}")
        return _move(lambda: self._host.choice(n, k, replace=False), int64, device, like)

    def bernoulli(self, p: float, shape: Shape = (), *, device: Any = None, like: Tensor | None = None) -> Tensor:
        """Booleans that are True with probability `p`.

        Raises
        ------
        ValueError
            If `p` is not a probability.

        Examples
        --------
        >>> import xgrad.random
        >>> bool(xgrad.random.bernoulli(1.0, (3,)).all()), bool(xgrad.random.bernoulli(0.0, (3,)).any())
        (True, False)
        """
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"bernoulli: p must be a probability from 0 to 1, not {p}")
        size = _shape("bernoulli", shape)
        return self._uniform(size, "float32", lambda numbers: numbers < p, dtype_of("bool"), device, like)

    def split(self, n: int) -> list[Generator]:
        """`n` new generators, each seeded with 128 bits drawn from this one. Their streams are independent for all purposes."""
        return [Generator(int.from_bytes(self._host.bytes(16), "little")) for _ in range(n)]

    def get_state(self) -> dict[str, Any]:
        """The state of the stream, as a dict of integers and lists, which JSON can store; see `set_state`."""
        state = self._host.bit_generator.state
        return {
            "bit_generator": state["bit_generator"],
            "counter": [int(n) for n in state["state"]["counter"]],
            "key": [int(n) for n in state["state"]["key"]],
            "buffer": [int(n) for n in state["buffer"]],
            **{name: int(state[name]) for name in ("buffer_pos", "has_uint32", "uinteger")},
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Set the stream to a state that `get_state` returned.

        Raises
        ------
        ValueError
            If `state` is not a state that `get_state` returned.

        Examples
        --------
        >>> from xgrad.random import Generator
        >>> g = Generator(1)
        >>> state = g.get_state()
        >>> x = g.normal()
        >>> g.set_state(state)
        >>> g.normal().item() == x.item()
        True
        """
        import numpy

        try:
            arrays = {name: numpy.asarray(state[name], dtype=numpy.uint64) for name in ("counter", "key", "buffer")}
            self._host.bit_generator.state = {
                "bit_generator": state["bit_generator"],
                "state": {"counter": arrays["counter"], "key": arrays["key"]},
                "buffer": arrays["buffer"],
                **{name: state[name] for name in ("buffer_pos", "has_uint32", "uinteger")},
            }
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"set_state: this is no state of a generator ({error}); pass a result of get_state()") from error

    def __reduce__(self) -> Any:
        return _with_state, (self.get_state(),)

    def __repr__(self) -> str:
        return f"<generator at {self._host.bit_generator.state['state']['counter'][0]}>"


def _with_state(state: Mapping[str, Any]) -> Generator:
    """A new generator with this state."""
    generator = Generator(0)
    generator.set_state(state)
    return generator


def _shape(function: str, shape: Shape) -> tuple[int, ...]:
    """The argument `shape` of a function as a tuple."""
    lengths = shape if isinstance(shape, (tuple, list)) else (shape,)
    if not all(hasattr(n, "__index__") and n >= 0 for n in lengths):
        raise ValueError(f"{function}: a shape is made of integers of at least 0, not {shape!r}")
    return tuple(int(n) for n in lengths)


def _floating(function: str, dtype: Any, like: Tensor | None) -> Any:
    """The real floating data type of the result of a function."""
    result = dtype_of(dtype) if dtype is not None else get_default_dtype() if like is None else like.dtype
    if result.kind != "real floating":
        raise TypeError(f"{function}: the result is real floating, so dtype cannot be {result.name}")
    return result


def _move(
    draw: Callable[[], Any], dtype: Any, device: Any, like: Tensor | None, on_device: Callable[..., Any] = lambda *_: None
) -> Tensor:
    """The numbers that `draw` returns on the host, as a Tensor. Every array of random numbers comes from this function.

    `draw` is called for each example of the active batches with ``randomness="different"``. Without such batches
    ``on_device(backend, device)``, the same numbers in an array of the library, is used, if it is not None.
    """
    backend: Backend = current_backend() if like is None else base_of(like._data)
    if device is None and like is not None:
        device = like.device
    batches = _different_batches()

    def array() -> Any:
        y = None if batches else on_device(backend, device)
        if y is None:
            y = backend.from_numpy(_drawn(draw, [batch.size for batch in batches], dtype), device)
        return backend.xp.astype(y, backend.native_dtype(dtype), copy=False)

    out = wrap(drawn_in_each_run(array))
    for batch in batches:
        out = wrap(batch.backend(backend).cls(out, batch))
    return out


def _drawn(draw: Callable[[], Any], sizes: Sequence[int], dtype: Any) -> Any:
    """The results of `draw` on the host, stacked along axes of these sizes, in a dtype of NumPy's."""
    import numpy

    if sizes:
        count = math.prod(sizes)
        numbers = numpy.stack([draw() for _ in range(max(count, 1))])[:count]
        host = numbers.reshape((*sizes, *numbers.shape[1:]))
    else:
        host = numpy.asarray(draw())
    return host if dtype.name == "bfloat16" or host.dtype == dtype.name else host.astype(dtype.name)


def _different_batches() -> list[Batch]:
    """The active batches whose examples have their own random numbers, the outermost first."""
    active = [entry for entry in interpreters.get() if isinstance(entry, Batch)]
    if any(batch.randomness == "error" for batch in active):
        raise RuntimeError(
            'vmap: its function draws random numbers; pass randomness="different" to vmap for each example to have its own, or '
            'randomness="same" for all to have the same'
        )
    return [batch for batch in active if batch.randomness == "different"]


# ------------------------------------------------------------------------------------------- the generator of the process

_default: Generator | None = None
_replayed: ContextVar[Generator | None] = ContextVar("xgrad_replayed", default=None)
_lock = threading.Lock()


def replaying(state: Mapping[str, Any]) -> Scope[Generator | None]:
    """Let the functions of this module draw from a generator with this state in the body, in this thread or task only.

    It is a decorator too, also of generators and ``async def`` functions, which continue their stream when they are resumed.
    """
    return _Replaying(replaying, (state,), lambda: (_replayed, _with_state(state)))


class _Replaying(Scope["Generator | None"]):
    def for_steps(self) -> Callable[[], Scope[Generator | None]]:
        setting = self._setting()  # one for all steps of a generator function, so that they continue the same stream
        return lambda: Scope(replaying, self._arguments, lambda: setting)


class Draws:
    """The generators that a function draws from, with their states before, so that its draws can be repeated."""

    def __init__(self) -> None:
        self._states: dict[Generator, Any] = {}
        self._repeating: dict[Generator, Any] | None = None  # NumPy generators that repeat the draws

    def host(self, generator: Generator, host: Any) -> Any:
        """The NumPy generator that `generator` draws from, instead of `host`."""
        if self._repeating is not None:
            return self._repeating.get(generator, host)
        if generator not in self._states:
            self._states[generator] = host.bit_generator.state
        return host

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the state of each generator before its first draw in the body."""
        token = _active.set((*_active.get(), self))
        try:
            yield
        finally:
            _active.reset(token)

    def repeated(self) -> AbstractContextManager[None]:
        """Repeat the noted draws in the body, without a change of the generators."""
        import numpy

        draws = Draws()
        draws._repeating = {}
        for generator, state in self._states.items():
            host = draws._repeating[generator] = numpy.random.Generator(numpy.random.Philox(0))
            host.bit_generator.state = state
        return draws.noted()


_active: ContextVar[tuple[Draws, ...]] = ContextVar("xgrad_draws", default=())
"""Those that are noting or repeating, the outermost first."""


def default_generator() -> Generator:
    """The generator that the functions of this module draw from."""
    global _default
    if (replayed := _replayed.get()) is not None:
        return replayed
    with _lock:
        if _default is None:
            _default = Generator()
        return _default


def seed(n: int, /) -> None:
    """Seed the generator of the process, from which the functions of this module draw, and layers without their own generator.

    Parameters
    ----------
    n : int
        At least 0.

    Examples
    --------
    >>> import xgrad.random
    >>> xgrad.random.seed(0); x = xgrad.random.normal()
    >>> xgrad.random.seed(0); xgrad.random.normal().item() == x.item()
    True
    """
    fresh = Generator(n)
    default_generator().set_state(fresh.get_state())


def get_state() -> dict[str, Any]:
    """See `Generator.get_state`."""
    return default_generator().get_state()


def set_state(state: Mapping[str, Any], /) -> None:
    """See `Generator.set_state`."""
    default_generator().set_state(state)


def uniform(shape: Shape = (), low: float = 0.0, high: float = 1.0, **options: Any) -> Tensor:
    """See `Generator.uniform`."""
    return default_generator().uniform(shape, low, high, **options)


def normal(shape: Shape = (), mean: float = 0.0, std: float = 1.0, **options: Any) -> Tensor:
    """See `Generator.normal`."""
    return default_generator().normal(shape, mean, std, **options)


def integers(low: int, high: int, shape: Shape = (), **options: Any) -> Tensor:
    """See `Generator.integers`."""
    return default_generator().integers(low, high, shape, **options)


def permutation(n: int, **options: Any) -> Tensor:
    """See `Generator.permutation`."""
    return default_generator().permutation(n, **options)


def choice(n: int, k: int, **options: Any) -> Tensor:
    """See `Generator.choice`."""
    return default_generator().choice(n, k, **options)


def bernoulli(p: float, shape: Shape = (), **options: Any) -> Tensor:
    """See `Generator.bernoulli`."""
    return default_generator().bernoulli(p, shape, **options)
