"""What xgrad asks of a GPU, counted on the emulator of CuPy's interface: no waits, no uploads, and how many kernels.

``nox -s tests-cupy-emulated`` runs it. Elsewhere it is skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, nn, optim
from xgrad.nn import functional

from .cupy_interface import is_active
from .cupy_interface.counters import Counts, counted

if not is_active():
    pytest.skip("runs on the emulator of CuPy's interface: nox -s tests-cupy-emulated", allow_module_level=True)

# Kernels of a step of the MLP 784-256-128-10 with Adam, as it was last changed for the better: the emulator counts. Captured, all
# but one are in a graph. Before kernels were fused there were 156, and on an H200 158: cuBLAS splits products into two kernels.
LAUNCHES = {"eager": 51, "captured": 23}


@pytest.fixture(autouse=True)
def _on_cupy() -> None:
    xgrad.set_backend("cupy")


def tensor(values: Any, requires_grad: bool = False) -> Tensor:
    return Tensor(xgrad.asarray(np.asarray(values)), requires_grad=requires_grad)


def numbers(*shape: int) -> Any:
    return np.random.default_rng(0).uniform(0.1, 0.9, size=shape).astype("float32")


def repeated(run: Callable[[], Any], times: int = 5) -> Counts:
    """What the last of several calls asks of the device: the first ones make arrays that are kept, and capture plans."""
    for _ in range(times - 1):
        run()
    with counted() as counts:
        run()
    return counts


def assert_no_waits(counts: Counts) -> None:
    assert counts.launches, "nothing was computed"
    assert not counts.syncs, f"the host waits for the device\n{counts.text()}"
    assert not counts.uploads, f"numbers are copied to the device\n{counts.text()}"


def mlp_step(
    make: Callable[..., Any],
    *,
    widths: tuple[int, ...] = (12, 8, 6, 4),
    clip: Callable[[], Any] | None = None,
    dropout: float = 0.0,
    batch: int = 5,
) -> Callable[[], None]:
    """A training step of an MLP on labels."""
    layers: list[Any] = []
    for nin, nout in zip(widths[:-1], widths[1:]):
        layers += [nn.Linear(nin, nout), nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
    model = nn.Sequential(*layers[:-1])
    optimizer = make(model.parameters())
    x, y = tensor(numbers(batch, widths[0])), tensor(np.arange(batch) % widths[-1])

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        if clip is not None:
            clip(model.parameters(), 0.1)  # type: ignore[call-arg]
        optimizer.step()

    return step


OPTIMIZERS = {
    "Adam": lambda parameters: optim.Adam(parameters, lr=1e-3),
    "AdamW": lambda parameters: optim.AdamW(parameters, lr=1e-3),
    "SGD": lambda parameters: optim.SGD(parameters, lr=1e-3),
    "SGD with momentum": lambda parameters: optim.SGD(parameters, lr=1e-3, momentum=0.9, nesterov=True, weight_decay=0.1),
}


@pytest.mark.parametrize("captured", [False, True], ids=["eager", "captured"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_of_an_mlp_neither_waits_nor_uploads(name: str, captured: bool) -> None:
    step = mlp_step(OPTIMIZERS[name])
    assert_no_waits(repeated(xgrad.jit(step) if captured else step))


@pytest.mark.parametrize("clip", ["clip_grad_norm", "clip_grad_value"])
def test_clipping_neither_waits_nor_uploads(clip: str) -> None:
    assert_no_waits(repeated(mlp_step(OPTIMIZERS["SGD"], clip=getattr(optim, clip))))


LOSSES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "mse": lambda p, q, labels: functional.mse(p, q),
    "l1": lambda p, q, labels: functional.l1(p, q),
    "huber": lambda p, q, labels: functional.huber(p, q, delta=0.1),
    "binary_cross_entropy": lambda p, q, labels: functional.binary_cross_entropy(p, q),
    "binary_cross_entropy_with_logits": lambda p, q, labels: functional.binary_cross_entropy_with_logits(p, q),
    "cross_entropy": lambda p, q, labels: functional.cross_entropy(p, labels),
    "cross_entropy of probabilities": lambda p, q, labels: functional.cross_entropy(p, q),
    "cross_entropy, smoothed": lambda p, q, labels: functional.cross_entropy(p, labels, label_smoothing=0.1),
    "cross_entropy, sum": lambda p, q, labels: functional.cross_entropy(p, labels, reduction="sum"),
}


def test_every_loss_is_among_them() -> None:
    assert {name.partition(" ")[0].rstrip(",") for name in LOSSES} == set(functional.__all__) - {"dropout"}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_neither_wait_nor_upload(name: str) -> None:
    p, q, labels = tensor(numbers(6, 4), True), tensor(numbers(6, 4)), tensor(np.arange(6) % 4)

    def run() -> None:
        p.zero_grad()
        LOSSES[name](p, q, labels).backward()

    assert_no_waits(repeated(run))


OPS: dict[str, Callable[[Any], Any]] = {
    "abs": xgrad.abs,
    "sign": xgrad.sign,
    "clip": lambda x: xgrad.clip(x, 0.2, 0.8),
    "maximum with a number": lambda x: xgrad.maximum(x, 0.5),
    "where with a number": lambda x: xgrad.where(x > 0.5, x, 0.0),
    "vector_norm": xgrad.linalg.vector_norm,
    "softmax": xgrad.softmax,
    "logsumexp": xgrad.logsumexp,
    "gelu": xgrad.gelu,
    "silu": xgrad.silu,
    "softplus": xgrad.softplus,
    "sort": xgrad.sort,
    "max": xgrad.max,
    "var": xgrad.var,
    "cumulative_sum": lambda x: xgrad.cumulative_sum(x, axis=0),
    "tril": xgrad.tril,
    "slices": lambda x: x[1:, ::2],
    "pow": lambda x: x**2.5,
}


@pytest.mark.parametrize("name", OPS)
def test_ops_neither_wait_nor_upload(name: str) -> None:
    x = tensor(numbers(6, 4), True)

    def run() -> None:
        x.zero_grad()
        OPS[name](x).sum().backward()

    assert_no_waits(repeated(run))


def test_dropout_neither_waits_nor_uploads() -> None:
    assert_no_waits(repeated(mlp_step(OPTIMIZERS["SGD"], dropout=0.5)))


@pytest.mark.parametrize("how", LAUNCHES)
def test_launches_of_a_step_of_an_mlp(how: str) -> None:
    step = mlp_step(OPTIMIZERS["Adam"], widths=(784, 256, 128, 10), batch=128)
    counts = repeated(xgrad.jit(step) if how == "captured" else step)
    assert counts.launches.total() + counts.replayed <= LAUNCHES[how], counts.text()
