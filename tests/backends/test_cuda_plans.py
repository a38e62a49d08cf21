"""Fused kernels and plans as CUDA graphs, on CuPy: on a GPU, or on the emulator of its interface."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, nn, optim
from xgrad.backend import find_backend

from ..harness.backends import chosen

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def on_cupy(request: pytest.FixtureRequest) -> Iterator[None]:
    if "cupy" not in chosen(request.config):
        pytest.skip("CuPy is not among the backends of these tests")
    with xgrad.use_backend("cupy"):
        yield


def numbers(*shape: int, dtype: str = "float32") -> Any:
    return RNG.normal(size=shape).astype(dtype)


def executor(jitted: Any) -> Any:
    """What runs the newest plan of a captured function; there was no warning that it runs some slower way."""
    assert jitted.info().executor == "GraphExecutor" and jitted.info().problem is None
    return jitted._recent.executor


def captured(f: Callable[..., Any], *arrays: Any, times: int = 4, tolerance: float = 2e-5) -> Any:
    """Compare a captured function with the same one on NumPy, for other values in each call; return the captured one."""
    jitted = xgrad.jit(f)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for k in range(times):
            given = [a + k if a.dtype.kind == "f" else a for a in arrays]
            found = jitted(*[xgrad.asarray(a) for a in given])
            with xgrad.use_backend("numpy"):
                wanted = f(*[xgrad.asarray(a) for a in given])
            for y, z in zip(*((v if isinstance(v, tuple) else (v,)) for v in (found, wanted))):
                assert y.dtype == z.dtype and y.shape == z.shape
                np.testing.assert_allclose(y.numpy(), z.numpy(), rtol=tolerance, atol=tolerance)
    return jitted


@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 1), (0, 2), (1, 2)])
@pytest.mark.parametrize("shape", [(3, 4, 5), (70, 3, 9), (1, 300, 40)])
def test_reductions_over_any_axes(shape: tuple[int, ...], axis: Any) -> None:
    def f(x: Tensor) -> Any:
        y = xgrad.exp(-x * x)
        return (
            xgrad.sum(y, axis=axis),
            xgrad.max(y, axis=axis),
            xgrad.mean(x, axis=axis, keepdims=True),
            xgrad.any(x > 2, axis=axis),
        )

    captured(f, numbers(*shape))


@pytest.mark.parametrize("shape", [(0, 4), (4, 0)])
def test_no_elements(shape: tuple[int, ...]) -> None:
    captured(lambda x: (xgrad.sum(x * x, axis=0), xgrad.sum(xgrad.exp(x), axis=1), xgrad.tanh(x) + 1), numbers(*shape))


def test_long_reductions_are_done_by_many_blocks() -> None:
    x = numbers(5, 50_000)
    jitted = captured(lambda x: (xgrad.sum(x, axis=1), xgrad.sum(x.mT, axis=0), xgrad.mean(x)), x, tolerance=1e-4)
    assert "part * 5" in executor(jitted).source


def test_sums_over_different_axes_of_one_loop() -> None:
    def f(x: Tensor) -> Any:
        y = x * x
        return xgrad.sum(y, axis=0), xgrad.sum(y, axis=1), xgrad.sum(y), y + 1

    captured(f, numbers(30, 20), tolerance=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products(dtype: str) -> None:
    a, b, v = numbers(6, 5, 4, dtype=dtype), numbers(6, 4, 3, dtype=dtype), numbers(4, dtype=dtype)

    def f(a: Tensor, b: Tensor, v: Tensor) -> Any:
        heads = xgrad.permute_dims(xgrad.reshape(a, (2, 3, 5, 4)), (1, 0, 2, 3))  # not equally far apart
        return (
            a @ b, a @ v, a[0] @ b[1], a[:, ::2] @ b, a.mT @ xgrad.flip(a, axis=1), v @ b, v @ v, heads @ heads.mT,
            a[:, :, ::2] @ b[:, ::2], xgrad.einsum("bij,kj->bik", a, a[0]), xgrad.tensordot(a, b, axes=((0, 2), (0, 1))),
        )  # fmt: skip

    captured(f, a, b, v, tolerance=2e-5)


def test_indices_and_what_is_added_there() -> None:
    rows = np.array([0, 3, 3, -1, 3])

    def f(x: Tensor, rows: Tensor) -> Any:
        taken = xgrad.grad(lambda x: xgrad.sum(x[rows] ** 2))(x)
        written = x * 1
        written[rows] = xgrad.reshape(xgrad.arange(5.0, dtype=x.dtype), (5, 1)) * x[:1]  # of three values the last one stays
        return taken, x[rows, 1], written, xgrad.take_along_axis(x, rows[:4, None], axis=1)

    captured(f, numbers(4, 4), rows)


def test_an_index_that_is_out_of_bounds_reads_nothing_else() -> None:
    f = xgrad.jit(lambda x, i: x[i] * 1)
    x = xgrad.asarray(np.arange(5.0))
    for _ in range(3):
        found = f(x, xgrad.asarray(np.array([7, -6, 2])))
    assert found.tolist() == [2.0, 4.0, 2.0]  # as CuPy's own indices, which wrap around


def test_cusolver_is_called_between_two_graphs() -> None:
    def f(a: Tensor, b: Tensor) -> Tensor:
        return xgrad.exp(-(xgrad.linalg.solve(a @ a.mT + 40 * xgrad.eye(5, dtype=a.dtype), b) ** 2)) + 1

    plan = executor(captured(f, numbers(5, 5), numbers(5, 2)))
    assert len(plan._parts) == 3 and len(plan._apart) == 1


def test_functions_of_the_library_are_part_of_the_graph() -> None:
    plan = executor(
        captured(lambda x: xgrad.sort(xgrad.cumulative_sum(x * 2, axis=0), axis=0) + 1, numbers(9, 3), tolerance=1e-4)
    )
    assert len(plan._parts) == 1


def test_batches_are_copied_and_the_rest_is_not() -> None:
    xgrad.random.seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    @xgrad.jit
    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = xgrad.mean((model(x) - y) ** 2)
        loss.backward()
        optimizer.step()
        return loss.detach()

    losses = [step(xgrad.asarray(numbers(12, 6)), xgrad.asarray(numbers(12, 2))).item() for _ in range(9)]
    plan = executor(step)
    assert np.isfinite(losses).all() and len(plan._parts) == 1 and len(plan._copied_in) == 2 and not plan._copied_out


def test_numbers_change_without_another_graph() -> None:
    f = xgrad.jit(lambda x, a: xgrad.where(x > a, x * a, x - a))
    x = numbers(4, 3)
    for k in range(5):
        a = 0.1 * k
        np.testing.assert_allclose(
            f(xgrad.asarray(x), a).numpy(), np.where(x > a, x * np.float32(a), x - np.float32(a)), rtol=1e-6
        )
    assert f.info().captures == 1


def test_sums_are_the_same_in_deterministic_mode() -> None:
    index = np.array([1, 1, 0, 1])
    xgrad.set_deterministic(True)
    try:
        captured(lambda x, i: xgrad.grad(lambda x: xgrad.sum(x[i] ** 3))(x), numbers(3), index, tolerance=1e-4)
    finally:
        xgrad.set_deterministic(False)


def test_a_source_that_cuda_refuses_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = pytest.importorskip("xgrad_backends.cuda.source")
    monkeypatch.setattr(cuda.Source, "text", lambda self, places: 'extern "C" __global__ void k0() { no }')
    f = xgrad.jit(lambda x: x * 2 + 1)
    x = xgrad.asarray(numbers(3))
    with pytest.warns(UserWarning, match="cannot run as 'cuda'"):
        results = [f(x).tolist() for _ in range(3)]
    assert results[0] == results[2] and f.info().problem is not None


FUSED: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": xgrad.sigmoid,
    "softplus": xgrad.softplus,
    "gelu": lambda x: xgrad.gelu(x, approximate="tanh"),
    "normal_cdf": lambda x: xgrad.gelu(x),
    "tanh": xgrad.tanh,
    "softmax": lambda x: xgrad.softmax(x, axis=-1),
    "log_softmax": lambda x: xgrad.log_softmax(x, axis=0),
    "logsumexp": lambda x: xgrad.logsumexp(x, axis=-1),
    "cross_entropy": lambda x: nn.functional.cross_entropy(x, xgrad.asarray(np.array([0, 2, 1, 3]))),
}
EXTREMES = np.array([[-np.inf, 0.0, 1e-30, 5.0], [1e4, -1e4, 3.0, 3.0], [np.nan, 1.0, 2.0, 3.0], [88.0, -88.0, 40.0, -0.0]])


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("name", list(FUSED))
def test_fused_functions_are_those_of_numpy(name: str, dtype: str) -> None:
    f, found = FUSED[name], []
    for backend in ("cupy", "numpy"):
        with xgrad.use_backend(backend), np.errstate(all="ignore"):
            x = Tensor(xgrad.asarray(EXTREMES.astype(dtype)), requires_grad=True)
            y = f(x)
            xgrad.sum(y).backward()
            assert x.grad is not None
            found.append((y.detach().numpy(), x.grad.numpy()))
    tolerance = {"float16": 2e-3, "float32": 2e-6, "float64": 1e-12}[dtype]
    for a, b in zip(*found):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.SGD(p, lr=0.1),
        lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
        lambda p: optim.Adam(p, lr=0.1, weight_decay=0.1),
        lambda p: optim.AdamW(p, lr=0.1),
    ],
)
def test_an_update_is_one_kernel_over_the_arrays(make: Any) -> None:
    start, found = numbers(4, 3), []
    for backend in ("cupy", "numpy"):
        with xgrad.use_backend(backend):
            p = Tensor(xgrad.asarray(start), requires_grad=True)
            optimizer = make([p])
            memory = None
            for _ in range(4):
                p.zero_grad()
                xgrad.sum(xgrad.sin(p) * p).backward()
                optimizer.step()
                memory = memory if memory is not None else p.data
                assert p.data is memory
            found.append(p.detach().numpy())
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)


def test_a_function_that_cannot_be_one_kernel_runs_as_it_is_written() -> None:
    fused = pytest.importorskip("xgrad_backends.cuda.fused")
    xp = find_backend("cupy").xp

    def looks_at_shapes(xp: Any, x: Any) -> Any:
        return xp.exp(x) / x.shape[0]

    def sums(xp: Any, x: Any) -> Any:
        return xp.exp(x) / xp.sum(x)

    x = xgrad.asarray(numbers(4)).data
    for function in (looks_at_shapes, sums):
        np.testing.assert_allclose(fused.fused(function)(xp, x).get(), function(xp, x).get())
    for function, dtype in ((sums, "complex64"), (lambda xp, x: xp.exp(x) * 2, "float16")):
        y = xgrad.asarray(np.ones(3, dtype)).data
        np.testing.assert_allclose(fused.fused(function)(xp, y).get(), function(xp, y).get())


def test_random_numbers_made_on_the_device_are_those_of_the_host() -> None:
    def drawn(backend: str) -> list[Any]:
        choose, found = np.random.default_rng(1), []
        with xgrad.use_backend(backend):
            g = xgrad.random.Generator(7)
            draws: list[Callable[[int], Tensor]] = [
                lambda n: g.uniform((n,), dtype="float32"),
                lambda n: g.uniform((n,), dtype="float64"),
                lambda n: g.bernoulli(0.3, (n, 2)),
                lambda n: g.uniform((n,), -1.0, 3.0),
                lambda n: g.normal((n,)),  # on the host
                lambda n: g.integers(0, 100, (n,)),
            ]
            for _ in range(80):
                found.append(draws[int(choose.integers(0, 6))](int(choose.integers(0, 23))))
            found.append(g.uniform((5000,)))
            state = g.get_state()
        return [*(x.numpy() for x in found), state]

    one, other = drawn("numpy"), drawn("cupy")
    assert one[-1] == other[-1]
    for x, y in zip(one[:-1], other[:-1]):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


def test_a_counter_that_overflows_is_carried_on() -> None:
    found = []
    for backend in ("numpy", "cupy"):
        with xgrad.use_backend(backend):
            g = xgrad.random.Generator(3)
            state = g.get_state()
            g.set_state({**state, "counter": [2**64 - 2, 2**64 - 1, 5, 0]})
            found.append((g.uniform((40,), dtype="float64").numpy(), g.get_state()))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]
