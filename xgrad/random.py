"""Seeded random numbers, the same on every backend.

Numbers are drawn on the host by NumPy's Philox generator and moved to the backend, so that a seed gives the same run
everywhere. The functions of this module use one generator that the whole process shares; `Generator` makes others.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from .backend.dtypes import dtype_of, float64, get_default_dtype, int64
from .backend.protocol import Backend
from .backend.scopes import Scope
from .backend.select import current_backend
from .graph.recording import interpreters
from .interpreters.batch.arrays import Batch
from .interpreters.batch.backend import backend_on, base_of
from .tensor.tensor import Tensor, wrap

__all__ = [
    "Generator", "bernoulli", "choice", "default_generator", "get_state", "integers", "normal", "permutation", "replaying",
    "seed", "set_state", "uniform",
]  # fmt: skip

Shape = int | tuple[int, ...]


class Generator:
    """A stream of random numbers that starts at a seed.

    Parameters
    ----------
    seed : int, optional
        Where the stream starts; without it, somewhere new each time.

    Notes
    -----
    Arrays are made on the selected backend, or on the backend and device of the tensor given as `like`. float64 numbers
    are drawn with 53 random bits and all narrower ones with 24, so the numbers depend on the data type, but not on the
    backend. A generator may be shared by threads; the order in which they draw is then theirs.

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
        """NumPy's generator that does the work: another, where draws are repeated."""
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
        """Numbers spread evenly over the half-open interval from `low` to `high` (rounding may reach `high` itself).

        Parameters
        ----------
        shape : int or tuple of int
            The shape of the result.
        low, high : float
            The interval.
        dtype : optional
            A real floating data type; else that of `like`; else the default data type.
        device : optional
            Where the result shall live; else where `like` lives.
        like : Tensor, optional
            Make the result on the backend and device of this tensor.

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
        wanted = _floating("uniform", dtype, like)
        size = _shape("uniform", shape)
        precision: Any = "float64" if wanted is float64 else "float32"

        def draw() -> Any:
            drawn = self._host.random(size, dtype=precision)
            return drawn if (low, high) == (0.0, 1.0) else drawn * drawn.dtype.type(high - low) + drawn.dtype.type(low)

        return _move(draw, wanted, device, like)

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
        """Numbers from the normal distribution of this mean and standard deviation; the rest as in `uniform`.

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
        wanted = _floating("normal", dtype, like)
        size = _shape("normal", shape)
        precision: Any = "float64" if wanted is float64 else "float32"

        def draw() -> Any:
            drawn = self._host.standard_normal(size, dtype=precision)
            return drawn if (mean, std) == (0.0, 1.0) else drawn * drawn.dtype.type(std) + drawn.dtype.type(mean)

        return _move(draw, wanted, device, like)

    def integers(
        self, low: int, high: int, shape: Shape = (), *, dtype: Any = None, device: Any = None, like: Tensor | None = None
    ) -> Tensor:
        """Integers from `low` to `high`, without `high` itself, each as likely as the others; int64 unless told otherwise.

        Raises
        ------
        ValueError
            If there is no integer from `low` to `high`.

        Examples
        --------
        >>> import xgrad.random
        >>> x = xgrad.random.integers(0, 10, (100,))
        >>> bool((x >= 0).all()) and bool((x < 10).all())
        True
        """
        if not low < high:
            raise ValueError(f"integers: there is none from {low} to {high}, which itself is left out")
        size = _shape("integers", shape)
        return _move(
            lambda: self._host.integers(low, high, size, dtype="int64"), int64 if dtype is None else dtype_of(dtype), device, like
        )

    def permutation(self, n: int, *, device: Any = None, like: Tensor | None = None) -> Tensor:
        """The integers from 0 to ``n - 1`` in random order.

        Examples
        --------
        >>> import xgrad.random
        >>> sorted(xgrad.random.permutation(4).tolist())
        [0, 1, 2, 3]
        """
        (count,) = _shape("permutation", n)
        return _move(lambda: self._host.permutation(count), int64, device, like)

    def choice(self, n: int, k: int, *, device: Any = None, like: Tensor | None = None) -> Tensor:
        """`k` different integers from 0 to ``n - 1``, in random order.

        Raises
        ------
        ValueError
            If `k` is more than `n`.

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
            If `p` is no probability.

        Examples
        --------
        >>> import xgrad.random
        >>> bool(xgrad.random.bernoulli(1.0, (3,)).all()), bool(xgrad.random.bernoulli(0.0, (3,)).any())
        (True, False)
        """
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"bernoulli: p must be a probability from 0 to 1, not {p}")
        size = _shape("bernoulli", shape)
        return _move(lambda: self._host.random(size, dtype="float32") < p, dtype_of("bool"), device, like)

    def split(self, n: int) -> list[Generator]:
        """`n` new generators, each seeded with 128 bits drawn from this one: their streams are as good as independent."""
        return [Generator(int.from_bytes(self._host.bytes(16), "little")) for _ in range(n)]

    def get_state(self) -> dict[str, Any]:
        """Where the stream is, as integers and lists that JSON can hold; `set_state` goes back there."""
        state = self._host.bit_generator.state
        return {
            "bit_generator": state["bit_generator"],
            "counter": [int(n) for n in state["state"]["counter"]],
            "key": [int(n) for n in state["state"]["key"]],
            "buffer": [int(n) for n in state["buffer"]],
            **{name: int(state[name]) for name in ("buffer_pos", "has_uint32", "uinteger")},
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Continue where `get_state` was called.

        Raises
        ------
        ValueError
            If `state` is not what `get_state` returned.

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
            raise ValueError(f"set_state: this is no state of a generator ({error}); pass what get_state() returned") from error

    def __reduce__(self) -> Any:
        return _with_state, (self.get_state(),)

    def __repr__(self) -> str:
        return f"<generator at {self._host.bit_generator.state['state']['counter'][0]}>"


def _with_state(state: Mapping[str, Any]) -> Generator:
    made = Generator(0)
    made.set_state(state)
    return made


def _shape(what: str, shape: Shape) -> tuple[int, ...]:
    given = shape if isinstance(shape, (tuple, list)) else (shape,)
    if not all(hasattr(n, "__index__") and n >= 0 for n in given):
        raise ValueError(f"{what}: a shape is made of integers of at least 0, not {shape!r}")
    return tuple(int(n) for n in given)


def _floating(what: str, dtype: Any, like: Tensor | None) -> Any:
    found = dtype_of(dtype) if dtype is not None else get_default_dtype() if like is None else like.dtype
    if found.kind != "real floating":
        raise TypeError(f"{what}: the result is real floating, so dtype cannot be {found.name}")
    return found


def _move(draw: Callable[[], Any], dtype: Any, device: Any, like: Tensor | None) -> Tensor:
    """What `draw` draws on the host; in a batch, for each example, if its `vmap` says so."""
    import numpy

    backend: Backend = current_backend() if like is None else base_of(like._data)
    if device is None and like is not None:
        device = like.device
    apart = _batches_apart()
    if apart:
        examples = [draw() for _ in range(math.prod(batch.size for batch in apart))] or [draw()]
        drawn = numpy.stack(examples)[: math.prod(batch.size for batch in apart)]
        drawn = drawn.reshape(tuple(batch.size for batch in apart) + drawn.shape[1:])
    else:
        drawn = draw()
    host = numpy.asarray(drawn)
    if dtype.name != "bfloat16" and host.dtype != dtype.name:
        host = host.astype(dtype.name)
    made = backend.from_numpy(host, device)
    out = wrap(backend.xp.astype(made, backend.native_dtype(dtype), copy=False))
    for batch in apart:
        out = wrap(backend_on(backend, batch.level).cls(out, batch))
    return out


def _batches_apart() -> list[Batch]:
    """The batches, the outermost first, of which every example shall have numbers of its own."""
    active = [entry for entry in interpreters.get() if isinstance(entry, Batch)]
    if any(batch.randomness == "error" for batch in active):
        raise RuntimeError(
            "vmap: its function draws random numbers; say whether each example shall have its own, vmap(f, "
            'randomness="different"), or all the same, randomness="same"'
        )
    return [batch for batch in active if batch.randomness == "different"]


# ------------------------------------------------------------------------------------------- the generator of the process

_default: Generator | None = None
_replayed: ContextVar[Generator | None] = ContextVar("xgrad_replayed", default=None)
_lock = threading.Lock()


def replaying(state: Mapping[str, Any]) -> Scope[Generator | None]:
    """Draw the same numbers again, in this thread or task alone: the body starts where `get_state` returned `state`.

    It is a decorator too, also of generators and ``async def``, which go on drawing where they were when they are resumed.
    """
    return _Replaying(replaying, (state,), lambda: (_replayed, _with_state(state)))


class _Replaying(Scope["Generator | None"]):
    def for_steps(self) -> Callable[[], Scope[Generator | None]]:
        setting = self._setting()  # of all steps of one generator: they go on in the same stream
        return lambda: Scope(replaying, self._arguments, lambda: setting)


class Draws:
    """The generators that a function draws from while this notes them; and, while it repeats them, those draws again."""

    def __init__(self) -> None:
        self._states: dict[Generator, Any] = {}
        self._again: dict[Generator, Any] | None = None

    def host(self, generator: Generator, host: Any) -> Any:
        """NumPy's generator for `generator`, for which `host` stands so far."""
        if self._again is not None:
            return self._again.get(generator, host)
        if generator not in self._states:
            self._states[generator] = host.bit_generator.state
        return host

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note where each generator is when it is first drawn from in the body."""
        token = _active.set((*_active.get(), self))
        try:
            yield
        finally:
            _active.reset(token)

    def repeated(self) -> AbstractContextManager[None]:
        """Have the generators draw in the body what they drew, and be afterwards where they are now."""
        import numpy

        other = Draws()
        other._again = {}
        for generator, state in self._states.items():
            other._again[generator] = numpy.random.Generator(numpy.random.Philox(0))
            other._again[generator].bit_generator.state = state
        return other.noted()


_active: ContextVar[tuple[Draws, ...]] = ContextVar("xgrad_draws", default=())


def default_generator() -> Generator:
    """The generator that the functions of this module draw from."""
    global _default
    if (again := _replayed.get()) is not None:
        return again
    with _lock:
        if _default is None:
            _default = Generator()
        return _default


def seed(n: int, /) -> None:
    """Start the stream of the functions of this module, and of everything that is given no generator, at a seed.

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
