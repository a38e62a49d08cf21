"""Train a network to read handwritten digits, on any backend.

    python examples/train_digits.py
    python examples/train_digits.py --data mnist --backend torch
    python examples/train_digits.py --data mnist --backend cupy --jit

The images stay on the device, and the host reads one small array an epoch. ``--jit`` captures the training step.

It writes a folder, ``runs/<data>-<time>`` or ``--out``, with the curves of the run, a drawing of the graph of the first batch,
and the network's parameters. The folder is created at the end, when all files are complete.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for matrices this small, more threads are slower

try:
    import numpy as np
    from common import Progress, Stop, add_backend, first_line, select
    from data import NAMES, DataError, load, shifted

    import xgrad
    from xgrad import io, nn, optim
    from xgrad.nn.functional import cross_entropy
    from xgrad.visualize import draw_curves, draw_dot, mermaid
except ImportError as error:
    sys.exit(f"error: {error}; python -m pip install 'xgrad[train]' installs what this example needs")

#                 layers        epochs  batch  learning rate  dropout  shift by up to (pixels)
DIGITS = dict(hidden=(256, 128), epochs=60, batch=64, lr=3e-3, dropout=0.2, shift=0.7)
LARGER = dict(hidden=(256, 128), epochs=12, batch=128, lr=2e-3, dropout=0.0, shift=1.5)


BLOCK = 1 << 18  # so many pixels are shifted at once


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data", choices=NAMES, default="digits", help="the data set (default: digits, which comes with scikit-learn)"
    )
    add_backend(parser)
    parser.add_argument("--device", default=None, help="a device of that backend, such as cuda:0")
    parser.add_argument("--epochs", type=positive(int), default=None, help="how many times to go through the data")
    parser.add_argument("--batch", type=positive(int), default=None, help="how many images in a step")
    parser.add_argument("--lr", type=positive(float), default=None, help="the learning rate at the start")
    parser.add_argument("--seed", type=int, default=0, help="runs of one seed are equal (default: 0)")
    parser.add_argument("--jit", action="store_true", help="capture the training step, and repeat it from its plan")
    parser.add_argument("--out", type=Path, default=None, help="the folder to write (default: runs/<data>-<time>)")
    args = parser.parse_args(argv)
    for name, value in (DIGITS if args.data == "digits" else LARGER).items():
        if getattr(args, name, None) is None:
            setattr(args, name, value)
    return args


def positive(cls: type) -> Any:
    def parse(text: str) -> Any:
        number = cls(text)
        if not 0 < number < math.inf:
            raise argparse.ArgumentTypeError(f"{text} is not a positive number")
        return number

    parse.__name__ = cls.__name__
    return parse


def claim(args: argparse.Namespace) -> Path:
    """The folder to write at the end; raises now if it cannot be written."""
    out: Path = args.out or Path("runs") / f"{args.data}-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out.parent).close()
        occupied = out.exists() and (not out.is_dir() or any(out.iterdir()))
    except OSError as error:
        raise Stop(f"cannot make the folder {out}: {error}") from None
    if occupied:
        raise Stop(f"{out} exists already; name another folder with --out, or remove it")
    return out


def network(nin: int, hidden: tuple[int, ...], classes: int, dropout: float, device: Any) -> nn.Sequential:
    layers: list[Any] = []
    for nout in hidden:
        layers += [nn.Linear(nin, nout, init=nn.init.kaiming_uniform, device=device), nn.ReLU()]
        layers += [nn.Dropout(dropout)] if dropout else []
        nin = nout
    return nn.Sequential(*layers, nn.Linear(nin, classes, device=device))


def batches(images: Any, labels: Any, steps: int, limit: float, rng: np.random.Generator, device: Any) -> Iterator[Any]:
    """The batches of an epoch, in a new order, each image shifted by up to `limit` pixels: (B, H*W) and (B,).

    The images are gathered and shifted where they are, many at a time. The order and the distances come from the host, once.
    """
    n, size = images.shape[0], images.shape[1] * images.shape[2]
    order = xgrad.asarray(rng.permutation(n), device=device)
    distances = xgrad.asarray(rng.uniform(-limit, limit, size=(n, 2)).astype(np.float32), device=device)
    bounds = [n * k // steps for k in range(steps + 1)]
    several = max(1, BLOCK * steps // (n * size))
    for k in range(0, steps, several):
        first, *ends = bounds[k : k + several + 1]
        rows = order[first : ends[-1]]
        x = shifted(xgrad.take(images, rows, axis=0), distances[first : ends[-1]], limit)
        x, y = xgrad.reshape(x, (-1, size)), xgrad.take(labels, rows, axis=0)
        start = first
        for end in ends:
            yield x[start - first : end - first], y[start - first : end - first]
            start = end


def evaluate(model: nn.Module, images: Any, labels: Any) -> tuple[float, float]:
    """The mean loss and the accuracy, for images of shape (N, H*W)."""
    n, sums = labels.shape[0], []
    model.eval()
    with xgrad.no_grad():
        for i in range(0, n, 1000):
            scores, y = model(images[i : i + 1000]), labels[i : i + 1000]  # (B, 10), (B,)
            sums.append(summed(cross_entropy(scores, y, reduction="sum"), scores, y))
    model.train()
    loss, right = xgrad.sum(xgrad.stack(sums), axis=0).tolist()  # the host waits once
    return loss / n, right / n


def summed(loss: Any, scores: Any, labels: Any) -> Any:
    """The loss of a batch and the number of images that were recognized, as an array of shape (2,)."""
    right = xgrad.argmax(scores, axis=-1) == labels  # (B,)
    return xgrad.stack([loss, xgrad.sum(xgrad.astype(right, loss.dtype))])


def training_step(model: nn.Module, optimizer: optim.Optimizer) -> Any:
    """The function that makes one step."""

    def step(x: Any, y: Any, sums: Any) -> Any:
        """`sums` with the loss of a batch before the step, and the number of its images that were recognized, added."""
        scores = model(x)  # (B, 10)
        loss = cross_entropy(scores, y)  # ()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return sums + summed(loss.detach() * y.shape[0], scores.detach(), y)

    return step


def train(args: argparse.Namespace, out: Path, work: Path) -> float:
    """Train, write the results into the folder `work`, and return the accuracy on the test set."""
    device = select(args.backend, args.device)
    data = load(args.data)
    n, size = len(data.train_labels), data.train_images[0].size
    images, labels, test_images, test_labels = (xgrad.asarray(x, device=device) for x in data[:4])
    test_images = xgrad.reshape(test_images, (-1, size))
    xgrad.random.seed(args.seed)
    rng = np.random.default_rng(args.seed)
    model = network(size, args.hidden, 10, args.dropout, device)
    optimizer = optim.Adam(model.parameters(), lr=args.lr)
    step = training_step(model, optimizer)
    if args.jit:
        step = xgrad.jit(step)
    steps = math.ceil(n / args.batch)
    print(f"{args.data} from {data.source}: {n} images for training, {len(data.test_labels)} for testing")
    print(f"{size}-{'-'.join(map(str, args.hidden))}-10 on {xgrad.get_backend()}, seed {args.seed}")

    notes: list[str] = []
    history: dict[str, list[float]] = {"training loss": [], "test loss": [], "training accuracy": [], "test accuracy": []}
    with Progress(args.epochs * steps, "images") as progress:
        for epoch in range(1, args.epochs + 1):
            args.where = f"in epoch {epoch} of {args.epochs}"
            sums = xgrad.zeros(2, dtype=images.dtype, device=device)  # the loss, and how many were recognized
            progress.begin()
            for x, y in batches(images, labels, steps, args.shift, rng, device):
                if not progress.done:
                    notes += draw(model, x, y, work)
                optimizer.lr = args.lr * (1 + math.cos(math.pi * progress.done / progress.total)) / 2
                sums = step(x, y, sums)
                progress.step(x.shape[0])
            loss, accuracy = (value / n for value in sums.tolist())  # the host waits for the device here, once an epoch
            progress.end()
            if not math.isfinite(loss):
                raise Stop(f"the loss is infinite or NaN {args.where}; try a smaller --lr than {args.lr:g}")
            test_loss, test_accuracy = evaluate(model, test_images, test_labels)
            for curve, value in zip(history.values(), (loss, test_loss, accuracy, test_accuracy)):
                curve.append(value)
            progress.show(f"epoch {epoch}/{args.epochs} loss {loss:.4f} accuracy {accuracy:.2%} test {test_accuracy:.2%}")
    print(f"trained on {progress.throughput()}, without tests and the first epoch")
    args.where = "while the results were being written"
    draw_curves(history, work / "curves.png")
    facts: dict[str, Any] = {"data": args.data, "layers": [size, *args.hidden, 10], "epochs": args.epochs, "seed": args.seed}
    io.save(work / "model.safetensors", model.state_dict(), metadata={**facts, "test accuracy": history["test accuracy"][-1]})
    for note in notes:
        print(note)
    return history["test accuracy"][-1]


def draw(model: nn.Module, x: Any, y: Any, work: Path) -> list[str]:
    """Draw the graph of the loss of a batch; return notes to print."""
    state = xgrad.random.get_state()  # the drawing leaves no trace in the run
    loss = cross_entropy(model(x), y)
    loss.name = "loss"
    xgrad.random.set_state(state)
    drawing = draw_dot(loss, names=dict(model.named_parameters()), rankdir="TB")
    try:
        drawing.render(work / "graph", format="svg", timeout=20)
    except (RuntimeError, TimeoutError) as error:
        drawing.render(work / "graph", format="dot")
        (work / "graph.mmd").write_text(mermaid(loss, names=dict(model.named_parameters())) + "\n", encoding="utf-8")
        return [f"graph.svg was not drawn, graph.dot and graph.mmd hold the graph as text: {first_line(error)}"]
    return []


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    args.where = "before training began"
    start = time.perf_counter()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM ends the run as an interrupt does
    work: Path | None = None
    try:
        out = claim(args)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        accuracy = train(args, out, work)
        work.chmod(0o755)
        if out.exists():
            out.rmdir()  # it is empty
        work.rename(out)
    except KeyboardInterrupt:
        print(f"interrupted {args.where}: nothing was saved", file=sys.stderr)
        return 130
    except (Stop, DataError, OSError, ImportError, MemoryError) as error:
        print(f"error: {first_line(error)}; nothing was saved", file=sys.stderr)
        return 1
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)
    files = ", ".join(sorted(p.name for p in out.iterdir()))
    print(f"test accuracy {accuracy:.2%} after {time.perf_counter() - start:.1f} s; see {out}: {files}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
