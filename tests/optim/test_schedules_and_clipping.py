"""Schedules of learning rates, and clipping of gradients, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad.optim import clip_grad_norm, clip_grad_value, cosine, exponential, linear, piecewise

torch = pytest.importorskip("torch")


def rates(scheduler: Any, steps: int) -> list[float]:
    """The learning rates that a scheduler of PyTorch sets, starting from 0.1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    schedule, result = scheduler(optimizer), []
    for _ in range(steps):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return result


@pytest.mark.parametrize(
    ("schedule", "scheduler"),
    [
        (cosine(0.1, steps=20, end=0.01), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 20, 0.01)),
        (linear(0.1, steps=20), lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.0, 20)),
        (exponential(0.1, rate=0.9), lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.9)),
        (piecewise(0.1, {7: 0.05, 13: 0.025}), lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [7, 13], 0.5)),
    ],
    ids=["cosine", "linear", "exponential", "piecewise"],
)
def test_schedules_are_pytorchs(schedule: Any, scheduler: Any) -> None:
    np.testing.assert_allclose([schedule(k) for k in range(20)], rates(scheduler, 20), rtol=1e-6)


def test_warmup_rises_to_the_rate_and_joins_the_decay() -> None:
    rate = cosine(1.0, steps=30, warmup=10)
    assert [rate(k) for k in range(10)] == [pytest.approx((k + 1) / 10) for k in range(10)]
    assert rate(10) == 1.0 and rate(11) < 1.0 and rate(30) == rate(1000) == 0.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cosine(-1.0, steps=3), "negative"),
        (lambda: linear(1.0, steps=3, warmup=3), "warmup must be"),
        (lambda: exponential(1.0, rate=0.5, every=0), "every must be"),
        (lambda: piecewise(1.0, {3: -1.0}), "negative"),
        (lambda: clip_grad_norm([], 1.0), "no parameter has a gradient"),
        (lambda: clip_grad_norm([], 0.0), "must be positive"),
        (lambda: clip_grad_value([], float("nan")), "must be positive"),
    ],
)
def test_bad_arguments(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_clipping_is_pytorchs(xp: Any, limit: float) -> None:
    rng = np.random.default_rng(0)
    gradients = [rng.normal(size=shape) for shape in ((3, 4), (), (5,))]
    mine = [xp.asarray(np.zeros(g.shape)).requires_grad_() for g in gradients]
    theirs = [torch.zeros(g.shape, dtype=torch.float64, requires_grad=True) for g in gradients]
    without = xp.asarray(np.zeros(2)).requires_grad_()
    for by in ("norm", "value"):
        for p, q, g in zip(mine, theirs, gradients):
            p.grad, q.grad = xp.asarray(g), torch.tensor(g)
        if by == "norm":
            norm = clip_grad_norm([*mine, without], limit)
            np.testing.assert_allclose(norm.numpy(), torch.nn.utils.clip_grad_norm_(theirs, limit).numpy(), rtol=1e-12)
        else:
            clip_grad_value([*mine, without], limit)
            torch.nn.utils.clip_grad_value_(theirs, limit)
        for p, q in zip(mine, theirs):
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-5)
    assert without.grad is None


@pytest.mark.filterwarnings("ignore:invalid value")  # an infinite gradient by its infinite norm
def test_a_norm_that_is_not_finite_is_returned() -> None:
    p = xgrad.Tensor([1.0, 2.0], requires_grad=True)
    p.grad = xgrad.Tensor([float("inf"), 0.0])
    assert clip_grad_norm([p], 1.0).item() == float("inf")
