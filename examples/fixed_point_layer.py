"""A layer whose output z solves ``z = tanh(W z + U x + b)``, trained on handwritten digits.

    python examples/fixed_point_layer.py
    python examples/fixed_point_layer.py --epochs 5 --backend torch

The layer is applied until its output converges (Bai, Kolter and Koltun, Deep Equilibrium Models, 2019). Its gradient comes
from the implicit function theorem at the solution, and takes the memory of one application. The rows of W are scaled so that
the iteration contracts. It writes a plot of the run.

The images stay on the device. The host reads the loss once an epoch, but it waits for the device while the iteration decides
whether it has converged. For the same reason the step cannot be captured by `xgrad.jit`.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for matrices this small, more threads are slower

try:
    import numpy as np
    from common import Progress, add_backend, new_figure, save_figure, select_or_exit
    from data import load

    import xgrad
    from xgrad import nn, optim
    from xgrad.nn.functional import cross_entropy
except ImportError as error:
    sys.exit(f"error: {error}; python -m pip install 'xgrad[train]' installs what this example needs")


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_backend(parser)
    parser.add_argument("--epochs", type=int, default=15, help="how many times to go through the data (default: 15)")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--hidden", type=int, default=64, help="the size of z (default: 64)")
    parser.add_argument("--lr", type=float, default=5e-3, help="the learning rate at the start (default: 0.005)")
    parser.add_argument("--images", type=int, default=None, help="train on this many images only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("fixed_point_layer.png"), help="the plot to write")
    args = parser.parse_args(argv)
    for name in ("epochs", "batch", "hidden", "lr"):
        if getattr(args, name) <= 0:
            parser.error(f"--{name} must be positive")
    select_or_exit(parser, args)
    return args


class Equilibrium(nn.Module):
    """``z = tanh(W z + U x + b)``, with each row of W scaled to a sum of absolute values of 0.9 at most."""

    def __init__(self, nin: int, nout: int) -> None:
        super().__init__()
        self.inner = nn.Linear(nout, nout, bias=False)
        self.outer = nn.Linear(nin, nout)
        self.applied = 0

    def forward(self, x: Any) -> Any:
        weight = self.inner.weight
        size = xgrad.sum(xgrad.abs(weight), axis=0)  # one sum for each element of z
        weight = weight * (0.9 / xgrad.maximum(size, 0.9))
        constant = self.outer(x)  # (B, nout)

        def apply(z: Any) -> Any:
            self.applied += 1
            return xgrad.tanh(z @ weight + constant)

        return xgrad.fixed_point(apply, xgrad.zeros_like(constant.detach()), tol=1e-5)


def evaluate(model: Any, images: Any, labels: Any) -> float:
    with xgrad.no_grad():
        right = xgrad.argmax(model(images), axis=-1) == labels  # (N,)
    return float(xgrad.mean(xgrad.astype(right, images.dtype)))


def draw(history: dict[str, list[float]], path: Path) -> None:
    figure = new_figure(11, 3.4)
    if figure is None:
        return
    for axes, (name, values) in zip(figure.subplots(1, 3), history.items()):
        axes.plot(range(1, len(values) + 1), values, "o-", ms=3)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set(xlabel="epoch", title=name)
        axes.grid(alpha=0.3)
    save_figure(figure, path)


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    xgrad.random.seed(args.seed)
    rng = np.random.default_rng(args.seed)
    data = load("digits")
    parts = (data.train_images[: args.images], data.test_images)
    images, tests = (xgrad.asarray(x.reshape(len(x), -1)) for x in parts)  # (N, 64)
    labels, test_labels = xgrad.asarray(data.train_labels[: args.images]), xgrad.asarray(data.test_labels)  # (N,)
    layer = Equilibrium(images.shape[1], args.hidden)
    model = nn.Sequential(layer, nn.Linear(args.hidden, 10))
    optimizer = optim.Adam(model.parameters(), lr=args.lr)
    n = labels.shape[0]
    steps = math.ceil(n / args.batch)
    print(f"{n} images for training, {tests.shape[0]} for testing, on {xgrad.get_backend()}")
    history: dict[str, list[float]] = {"loss": [], "test accuracy": [], "applications of the layer": []}
    with Progress(args.epochs * steps, "images") as progress:
        for epoch in range(1, args.epochs + 1):
            total, applied = xgrad.zeros((), dtype=images.dtype), 0
            order = xgrad.asarray(rng.permutation(n))
            progress.begin()
            for k in range(steps):
                rows = order[n * k // steps : n * (k + 1) // steps]
                layer.applied = 0
                loss = cross_entropy(model(xgrad.take(images, rows, axis=0)), xgrad.take(labels, rows, axis=0))
                applied += layer.applied
                optimizer.lr = args.lr * (1 + math.cos(math.pi * progress.done / progress.total)) / 2
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total = total + loss.detach() * rows.shape[0]
                progress.step(rows.shape[0])
            mean = total.item() / n
            progress.end()
            if not math.isfinite(mean):
                sys.exit(f"error: the loss is infinite or NaN in epoch {epoch}; try a smaller --lr than {args.lr:g}")
            for values, value in zip(history.values(), (mean, evaluate(model, tests, test_labels), applied / steps)):
                values.append(value)
            progress.show("loss {:.4f}, test {:.2%}, {:.1f} applications".format(*(v[-1] for v in history.values())))
    print(f"trained on {progress.throughput()}, without tests and the first epoch")
    loss, accuracy, applied = (values[-1] for values in history.values())
    print(f"test accuracy {accuracy:.2%}, loss {loss:.4f}; the layer is {applied:.1f} applications deep")
    draw(history, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
