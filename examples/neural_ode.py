"""A neural differential equation: a network learns the motion of a pendulum.

    python examples/neural_ode.py
    python examples/neural_ode.py --gradient direct --backend torch

The network is the right-hand side of the equation. It is trained to reproduce short pieces of the true path. The gradient
comes from the adjoint equation, or from backpropagation through the steps of the solver. It writes a plot of the true path
and of the learned one.

The true path stays on the device, and the host reads the losses every 20 steps. But SciPy's solver runs on the host and chooses
the time steps by the values of the states, so that the host waits for the device at each of them. For the same reason the step
cannot be captured by `xgrad.jit`.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for matrices this small, more threads are slower

try:
    import numpy as np
    from common import Progress, add_backend, new_figure, save_figure, select_or_exit

    import xgrad
    from xgrad import nn, optim
except ImportError as error:
    sys.exit(f"error: {error}; python -m pip install 'xgrad[train]' installs what this example needs")

LENGTH = 40  # of a piece of the path, in time steps
EVERY = 8  # every so many time steps are compared
READ = 20  # every so many steps of training the host reads the losses


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_backend(parser)
    parser.add_argument("--steps", type=int, default=600, help="steps of Adam (default: 600)")
    parser.add_argument("--batch", type=int, default=32, help="pieces of the path in a step (default: 32)")
    parser.add_argument("--hidden", type=int, default=50, help="the width of the network (default: 50)")
    parser.add_argument("--lr", type=float, default=2e-2, help="the learning rate at the start (default: 0.02)")
    parser.add_argument("--gradient", choices=("adjoint", "direct"), default="adjoint")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("neural_ode.png"), help="the plot to write")
    args = parser.parse_args(argv)
    for name in ("steps", "batch", "hidden", "lr"):
        if getattr(args, name) <= 0:
            parser.error(f"--{name} must be positive")
    select_or_exit(parser, args)
    return args


def true_path(times: Any) -> Any:
    """The angle and the speed of a damped pendulum that starts at rest at 2.5 radians: (T, 2)."""
    motion = lambda t, y: xgrad.stack([y[1], -4 * xgrad.sin(y[0]) - 0.2 * y[1]])
    return xgrad.odeint(motion, np.array([2.5, 0.0]), times, method="DOP853", rtol=1e-9)


def draw(times: Any, path: Any, before: Any, after: Any, losses: list[float], out: Path) -> None:
    figure = new_figure(12, 3.8)
    if figure is None:
        return
    plane, lines, curve = figure.subplots(1, 3)
    plane.plot(*path.T, "k", lw=1, label="truth")
    plane.plot(*before.T, ":", label="before training")
    plane.plot(*after.T, "--", label="after training")
    plane.set(xlabel="angle", ylabel="speed", title="path", ylim=(-4.2, 5))
    plane.legend(fontsize="small", loc="upper right")
    for k, name in enumerate(("angle", "speed")):
        lines.plot(times, path[:, k], f"C{k}", lw=1, label=name)
        lines.plot(times, after[:, k], f"C{k}--", label=f"{name}, learned")
    lines.set(xlabel="time", title="course", ylim=(-4.2, 5))
    lines.legend(fontsize="small", loc="upper center", ncols=2)
    curve.semilogy(losses)
    curve.set(xlabel="step", title="mean squared error of a batch")
    save_figure(figure, out)


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    xgrad.set_default_dtype(xgrad.float64)
    xgrad.random.seed(args.seed)
    rng = np.random.default_rng(args.seed)
    times = np.linspace(0.0, 10.0, 401)
    path = true_path(times)
    model = nn.Sequential(nn.Linear(2, args.hidden), nn.Tanh(), nn.Linear(args.hidden, 2))
    optimizer = optim.Adam(model.parameters(), lr=args.lr)

    def solve(y0: Any, times: Any, **options: Any) -> Any:
        return xgrad.odeint(lambda t, y: model(y), xgrad.asarray(y0), times, rtol=1e-4, atol=1e-5, **options)

    def learned_path() -> Any:
        with xgrad.no_grad():
            return solve(path[0], times).numpy()

    before = learned_path()
    losses: list[float] = []
    print(f"{sum(p.size for p in model.parameters())} parameters, gradient {args.gradient}, on {xgrad.get_backend()}")
    inside = xgrad.asarray(path)  # (401, 2), on the device
    starts = xgrad.asarray(rng.integers(0, len(times) - LENGTH, (args.steps, args.batch)))
    offsets = xgrad.asarray(np.arange(0, LENGTH + 1, EVERY)[:, None])  # (6, 1)
    unread: list[Any] = []
    with Progress(args.steps, "pieces") as progress:
        for step in range(args.steps):
            target = inside[starts[step] + offsets]  # (6, B, 2)
            optimizer.lr = args.lr * (1 + np.cos(np.pi * step / args.steps)) / 2
            states = solve(target[0], times[: LENGTH + 1 : EVERY], gradient=args.gradient)  # (6, B, 2)
            loss = xgrad.mean((states - target) ** 2)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            unread.append(loss.detach())
            progress.step(args.batch)
            if len(unread) == READ or step == args.steps - 1:
                losses += xgrad.stack(unread).tolist()
                unread.clear()
                progress.end()
                if not np.isfinite(losses).all():
                    wrong = int(np.argmin(np.isfinite(losses)))
                    sys.exit(f"error: the loss is infinite or NaN in step {wrong}; try a smaller --lr than {args.lr:g}")
                progress.show(f"loss {losses[-1]:.2e}")
    print(f"trained on {progress.throughput()} of the path")
    after = learned_path()
    errors = [np.sqrt(np.mean((learned - path) ** 2)) for learned in (before, after)]
    print(f"mean squared error of a batch: {losses[0]:.2e} in the first step, {np.median(losses[-10:]):.2e} in the last ten")
    print(f"error of the whole path from its start: {errors[0]:.3f} before training, {errors[1]:.3f} after")
    draw(times, path, before, after, losses, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
