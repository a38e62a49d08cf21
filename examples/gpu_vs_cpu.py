"""The same network trained on the CPU by NumPy and on a GPU by CuPy: do they agree, and how much faster is it?

    python examples/gpu_vs_cpu.py
    python examples/gpu_vs_cpu.py --width 2048 --batch 4096 --steps 100 --jit
    python examples/gpu_vs_cpu.py --device-backend torch --device cuda:0

A classifier of made-up data starts from the same weights on both and sees the same batches. The curves of its loss must agree
within ``--tolerance``; the exit status is 1 if they do not. Throughput is measured after a warm-up, from one time that the host
waited for the device to another. It writes a plot of both curves. ``--jit`` captures the training step on both.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

try:
    import numpy as np
    from common import Progress, Stop, new_figure, save_figure, select

    import xgrad
    from xgrad import nn, optim
    from xgrad.nn.functional import cross_entropy
except ImportError as error:
    sys.exit(f"error: {error}; python -m pip install 'xgrad[train]' installs what this example needs")

FEATURES, CLASSES, EXAMPLES = 784, 10, 8192
READ = 50  # every so many steps the host reads the losses


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device-backend", default="cupy", help="the backend of the device: cupy, torch or jax (default: cupy)")
    parser.add_argument("--device", default=None, help="a device of that backend, such as cuda:0 (default: the backend's own)")
    parser.add_argument("--width", type=int, default=256, help="of the first hidden layer; the second has half (default: 256)")
    parser.add_argument("--batch", type=int, default=128, help="examples in a step (default: 128)")
    parser.add_argument("--steps", type=int, default=300, help="steps after the warm-up (default: 300)")
    parser.add_argument("--warm-up", type=int, default=20, help="steps that are not timed (default: 20)")
    parser.add_argument("--lr", type=float, default=1e-3, help="Adam's learning rate (default: 0.001)")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="the losses may differ by so much (default: 0.001)")
    parser.add_argument("--jit", action="store_true", help="capture the training step on both")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("gpu_vs_cpu.png"), help="the plot to write")
    args = parser.parse_args(argv)
    if args.device_backend == "numpy":
        parser.error("--device-backend names what NumPy is compared with: cupy, torch or jax")
    for name in ("width", "batch", "steps", "warm_up", "lr", "tolerance"):
        if getattr(args, name) <= 0:
            parser.error(f"--{name.replace('_', '-')} must be positive")
    return args


def made_up(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Ten clouds of points that overlap, (N, 784) float32, and the cloud of each point, (N,)."""
    labels = rng.integers(0, CLASSES, EXAMPLES)
    centres = rng.normal(0, 0.1, size=(CLASSES, FEATURES))
    return (centres[labels] + rng.normal(size=(EXAMPLES, FEATURES))).astype(np.float32), labels


def network(width: int, device: Any = None) -> nn.Sequential:
    sizes = (FEATURES, width, max(1, width // 2), CLASSES)
    linear = [nn.Linear(nin, nout, device=device) for nin, nout in zip(sizes, sizes[1:])]
    return nn.Sequential(linear[0], nn.ReLU(), linear[1], nn.ReLU(), linear[2])


def train(args: argparse.Namespace, device: Any, weights: dict[str, Any], data: tuple[Any, Any], batches: Any) -> Any:
    """Train on the selected backend; return the losses of all steps and the examples per second after the warm-up."""
    model = network(args.width, device)
    model.load_state_dict({name: xgrad.asarray(value, device=device) for name, value in weights.items()})
    optimizer = optim.Adam(model.parameters(), lr=args.lr)
    x, y, batches = (xgrad.asarray(values, device=device) for values in (*data, batches))

    def step(x: Any, y: Any) -> Any:
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    if args.jit:
        step = xgrad.jit(step)
    losses: list[float] = []
    unread: list[Any] = []
    with Progress(args.warm_up + args.steps, "examples") as progress:
        for k in range(progress.total):
            rows = batches[k]  # (B,)
            unread.append(step(xgrad.take(x, rows, axis=0), xgrad.take(y, rows, axis=0)))
            progress.step(args.batch)
            if k + 1 == args.warm_up or (k + 1 - args.warm_up) % READ == 0 or k + 1 == progress.total:
                losses += xgrad.stack(unread).tolist()  # the host waits for the device here
                unread.clear()
                progress.end()
                progress.show(f"{xgrad.get_backend()}, loss {losses[-1]:.4f}")
    return np.asarray(losses), progress.rate


def draw(curves: dict[str, Any], path: Path) -> None:
    figure = new_figure(10, 3.6)
    if figure is None:
        return
    left, right = figure.subplots(1, 2)
    for (name, losses), style in zip(curves.items(), ("-", "--")):
        left.plot(losses, style, label=name)
    left.set(xlabel="step", ylabel="loss", title="loss of each batch")
    left.legend()
    ours, theirs = curves.values()
    right.semilogy(np.maximum(abs(ours - theirs), 1e-9))
    right.set(xlabel="step", title="difference of the two")
    save_figure(figure, path)


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    rng = np.random.default_rng(args.seed)
    data = made_up(rng)
    batches = rng.integers(0, EXAMPLES, size=(args.warm_up + args.steps, args.batch))
    try:
        device = select(args.device_backend, args.device)  # first of all: it may be missing
    except Stop as error:
        print(f"error: there is no device to compare with: {error}", file=sys.stderr)
        return 1
    select("numpy")
    xgrad.random.seed(args.seed)
    weights = {name: value.numpy() for name, value in network(args.width).state_dict().items()}
    print(f"{FEATURES}-{args.width}-{args.width // 2}-{CLASSES}, batch {args.batch}, Adam, {os.cpu_count()} cores")
    results = {}
    for backend, place in (("numpy", None), (args.device_backend, device)):
        select(backend)
        title = f"{backend} on {xgrad.zeros(1, device=place).device}"
        results[title] = train(args, place, weights, data, batches)
        rate = results[title][1]
        print(f"{title}: {rate:,.0f} examples per second, {rate / args.batch:,.1f} steps per second")
    (ours, slow), (theirs, quick) = results.values()
    difference = float(np.max(abs(ours - theirs) / np.maximum(1.0, abs(ours))))
    agree = difference <= args.tolerance  # False for NaN
    print(f"loss {ours[0]:.4f} at the start, {ours[-10:].mean():.4f} at the end")
    print(f"the losses of all {len(ours)} steps {'agree' if agree else 'do not agree'}: they differ by {difference:.1e} at most")
    print(f"{args.device_backend} works through {quick / slow:.2f} times as many examples per second as NumPy")
    draw({title: losses for title, (losses, _) in results.items()}, args.out)
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
