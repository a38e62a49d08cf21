"""Single operations with their gradients, optimizers, and what a call of CuPy costs the host."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import xgrad
from xgrad import optim
from xgrad.nn import functional

from .measuring import Device, Findings, first_line, in_words

SECONDS = 0.2
ROWS = ("softmax", "logsumexp", "max", "sort", "cumulative_sum", "var")  # along the last axis


def main(dry: bool, out: Path) -> None:
    """Time each; errors are written down and end the stage with status 1."""
    device, findings = Device(dry), Findings(out / "operations.json")
    cases: dict[str, Callable[[], Any]] = {}
    for shape in ((16,), (32, 32) if dry else (1024, 1024)):
        cases |= gradients(device, shape)
    cases |= {**losses(device), **steps(device), **calls(device)}
    for name, run in cases.items():
        try:
            facts = device.measure(run, SECONDS)
        except Exception as error:
            facts = {"error": first_line(error)}
        print(f"  {name:48} {in_words(facts)}", flush=True)
        findings.add(name, facts)
    wrong = {name: facts["error"] for name, facts in findings.found.items() if "error" in facts}
    if wrong:
        raise SystemExit(f"errors: {wrong}")


def gradients(device: Device, shape: tuple[int, ...]) -> dict[str, Callable[[], Any]]:
    """The value and the gradient of single operations."""
    rng = np.random.default_rng(0)
    x = device.tensor(rng.uniform(0.1, 1, shape), "float32", requires_grad=True)
    key, mask = device.tensor(rng.integers(0, shape[0], shape[0])), x.detach() > 0.5
    names = ("tanh", "relu", "gelu", "silu", "softplus", "exp", "abs", "sign", "sum")
    functions: dict[str, Callable[[Any], Any]] = {name: getattr(xgrad, name) for name in names}
    functions |= {name: functools.partial(getattr(xgrad, name), axis=-1) for name in ROWS}
    functions |= {"clip": lambda x: xgrad.clip(x, 0.2, 0.8), "x[key]": lambda x: x[key], "x[mask]": lambda x: x[mask]}

    def run(f: Callable[[Any], Any]) -> None:
        x.zero_grad()
        xgrad.sum(f(x)).backward()

    return {f"{name} {shape}": functools.partial(run, f) for name, f in functions.items()}


def losses(device: Device) -> dict[str, Callable[[], Any]]:
    """Losses of a batch, with their gradients."""
    rng = np.random.default_rng(1)
    scores = device.tensor(rng.normal(size=(128, 10)), "float32", requires_grad=True)
    target = device.tensor(rng.uniform(0.1, 0.9, size=(128, 10)), "float32")
    labels = device.tensor(rng.integers(0, 10, 128))

    def run(loss: Callable[[Any, Any], Any], y: Any) -> None:
        scores.zero_grad()
        loss(scores, y).backward()

    names = ("mse", "l1", "huber", "binary_cross_entropy_with_logits")
    cases = {f"{name} (128, 10)": functools.partial(run, getattr(functional, name), target) for name in names}
    return {"cross_entropy (128, 10)": functools.partial(run, functional.cross_entropy, labels), **cases}


def steps(device: Device) -> dict[str, Callable[[], Any]]:
    """Steps of optimizers and clipping, for one parameter with a gradient."""
    rng = np.random.default_rng(2)

    def parameter() -> xgrad.Tensor:
        p = device.tensor(rng.normal(size=(784, 256)), "float32", requires_grad=True)
        xgrad.sum(p * p).backward()
        return p

    adam, sgd, clipped = optim.Adam([parameter()], lr=1e-4), optim.SGD([parameter()], lr=1e-4), [parameter() for _ in range(6)]
    cases = {
        "Adam, one parameter of (784, 256)": adam.step,
        "SGD, one parameter of (784, 256)": sgd.step,
        "clip_grad_norm, six parameters": lambda: optim.clip_grad_norm(clipped, 1e9),
        "clip_grad_value, six parameters": lambda: optim.clip_grad_value(clipped, 1e9),
    }
    return cases if device.dry else {**cases, "Adam of (784, 256) as one kernel of CuPy": one_kernel(device)}


def one_kernel(device: Device) -> Callable[[], Any]:
    """What Adam could cost at best: an elementwise kernel that reads and writes each array once."""
    import cupy

    g, p = (device.array(np.random.default_rng(k).normal(size=(784, 256)), "float32") for k in (0, 1))
    m, v = cupy.zeros_like(p), cupy.zeros_like(p)
    kernel = cupy.ElementwiseKernel(
        "T g, T beta1, T beta2, T rate, T eps",
        "T p, T m, T v",
        "m = m * beta1 + (1 - beta1) * g; v = v * beta2 + (1 - beta2) * g * g; p = p - rate * m / (sqrt(v) + eps)",
        "adam_at_best",
    )
    numbers = [np.float32(x) for x in (0.9, 0.999, 1e-4, 1e-8)]
    return lambda: kernel(g, *numbers, p, m, v)


def calls(device: Device) -> dict[str, Callable[[], Any]]:
    """Single calls of the array library, without xgrad."""
    xp, rng = device.xp, np.random.default_rng(3)
    a, b = (device.array(rng.normal(size=(128, 256)), "float32") for _ in range(2))
    w, key = device.array(rng.normal(size=(256, 256)), "float32"), device.array(rng.integers(0, 128, 512))
    return {
        "library: a + b of (128, 256)": lambda: a + b,
        "library: a + 1.0": lambda: a + 1.0,
        "library: a @ w": lambda: a @ w,
        "library: sum by columns": lambda: xp.sum(a, axis=0),
        "library: max by rows": lambda: xp.max(a, axis=1, keepdims=True),
        "library: where": lambda: xp.where(a > 0, a, b),
        "library: empty": lambda: xp.empty((128, 256), dtype=xp.float32),
        "library: copy": lambda: xp.asarray(a, copy=True),
        "library: take": lambda: xp.take(a, key, axis=0),
        "library: an array of a float": lambda: xp.asarray(1.0, dtype=xp.float32),
        "library: a number to the host": lambda: float(a[0, 0]),
    }
