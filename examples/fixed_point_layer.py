"""A layer whose output z solves ``z = tanh(W z + U x + b)``, trained on handwritten digits.

    python examples/fixed_point_layer.py
    python examples/fixed_point_layer.py --epochs 5 --backend torch

The layer is applied until its output converges (Bai, Kolter and Koltun, Deep Equilibrium Models, 2019). Its gradient comes
from the implicit function theorem at the solution, and takes the memory of one application. The rows of W are scaled so that
the iteration contracts. It writes a plot of the run.
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
    from data import load
    from tqdm import tqdm

    import xgrad
    from xgrad import nn, optim
    from xgrad.nn.functional import cross_entropy
except ImportError as error:
    sys.exit(f"error: {error}; python -m pip install 'xgrad[train]' installs what this example needs")


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", default=None, help="numpy, cupy, torch, jax or strict")
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
    try:
        xgrad.set_backend(args.backend or xgrad.get_backend())
    except (ValueError, RuntimeError) as error:
        parser.error(str(error))
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
        scores = model(xgrad.asarray(images)).numpy()
    return float((scores.argmax(1) == labels).mean())


def draw(history: dict[str, list[float]], path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("no plot without matplotlib: pip install matplotlib")
        return
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    for axes, (name, values) in zip(figure.subplots(1, 3), history.items()):
        axes.plot(range(1, len(values) + 1), values, "o-", ms=3)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set(xlabel="epoch", title=name)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    print(f"wrote {path}")


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    xgrad.random.seed(args.seed)
    rng = np.random.default_rng(args.seed)
    data = load("digits")
    images, tests = (x.reshape(len(x), -1) for x in (data.train_images, data.test_images))  # (N, 64)
    images, labels = images[: args.images], data.train_labels[: args.images]
    layer = Equilibrium(images.shape[1], args.hidden)
    model = nn.Sequential(layer, nn.Linear(args.hidden, 10))
    optimizer = optim.Adam(model.parameters(), lr=args.lr)
    steps = math.ceil(len(labels) / args.batch)
    print(f"{len(labels)} images for training, {len(tests)} for testing, on {xgrad.get_backend()}")
    history: dict[str, list[float]] = {"loss": [], "test accuracy": [], "applications of the layer": []}
    bar = tqdm(total=args.epochs * steps, unit="step", mininterval=0.2)
    for epoch in range(1, args.epochs + 1):
        total, applied = 0.0, 0
        for batch in np.array_split(rng.permutation(len(labels)), steps):
            layer.applied = 0
            loss = cross_entropy(model(xgrad.asarray(images[batch])), xgrad.asarray(labels[batch]))
            applied += layer.applied
            optimizer.lr = args.lr * (1 + math.cos(math.pi * bar.n / bar.total)) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
            bar.update()
        if not math.isfinite(total):
            sys.exit(f"error: the loss is infinite or NaN in epoch {epoch}; try a smaller --lr than {args.lr:g}")
        for values, value in zip(
            history.values(), (total / len(labels), evaluate(model, tests, data.test_labels), applied / steps)
        ):
            values.append(value)
        bar.set_postfix_str("loss {:.4f}, test {:.2%}, {:.1f} applications".format(*(v[-1] for v in history.values())))
    bar.close()
    loss, accuracy, applied = (values[-1] for values in history.values())
    print(f"test accuracy {accuracy:.2%}, loss {loss:.4f}; the layer is {applied:.1f} applications deep")
    draw(history, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
