"""Train a network to read handwritten digits, on any backend.

    python examples/train_digits.py
    python examples/train_digits.py --data mnist --backend torch

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
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for matrices this small, more threads are slower

try:
    import numpy as np
    from data import NAMES, DataError, load, shifted
    from tqdm import tqdm

    import xgrad
    from xgrad import io, nn, optim
    from xgrad.nn.functional import cross_entropy
    from xgrad.visualize import draw_curves, draw_dot, mermaid
except ImportError as error:
    sys.exit(f"error: {error}; python -m pip install 'xgrad[train]' installs what this example needs")

#                 layers        epochs  batch  learning rate  dropout  shift by up to (pixels)
DIGITS = dict(hidden=(256, 128), epochs=60, batch=64, lr=3e-3, dropout=0.2, shift=0.7)
LARGER = dict(hidden=(256, 128), epochs=12, batch=128, lr=2e-3, dropout=0.0, shift=1.5)


class Stop(Exception):
    """Ends the program; the message is one line."""


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data", choices=NAMES, default="digits", help="the data set (default: digits, which comes with scikit-learn)"
    )
    parser.add_argument("--backend", default=None, help="numpy, cupy, torch, jax or strict (default: $XGRAD_BACKEND, else numpy)")
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


def choose(args: argparse.Namespace) -> Any:
    """Select the backend; return the device for arrays, or None for the backend's default."""
    try:
        if args.backend:
            xgrad.set_backend(args.backend)
        xgrad.zeros(1)  # raises if the backend of XGRAD_BACKEND is missing
    except (ValueError, RuntimeError) as error:  # BackendError is a RuntimeError
        raise Stop(str(error)) from None
    if args.device is None:
        return None
    devices = xgrad.namespace(xgrad.get_backend()).__array_namespace_info__().devices()
    device = next((d for d in devices if args.device in (str(d), getattr(d, "_device", None))), args.device)
    try:
        xgrad.zeros(1, device=device)
    except Exception as error:  # libraries raise different errors
        names = ", ".join(str(d) for d in devices)
        raise Stop(
            f"backend {xgrad.get_backend()!r} has no device {args.device!r} (it has {names}): {first_line(error)}"
        ) from None
    return device


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


def evaluate(model: nn.Module, images: Any, labels: Any, device: Any) -> tuple[float, float]:
    """The mean loss and the accuracy."""
    loss = right = 0.0
    model.eval()
    with xgrad.no_grad():
        for i in range(0, len(labels), 1000):
            x = xgrad.asarray(images[i : i + 1000].reshape(-1, images[0].size), device=device)  # (B, H*W)
            y = xgrad.asarray(labels[i : i + 1000], device=device)  # (B,)
            scores = model(x)  # (B, 10)
            loss += cross_entropy(scores, y, reduction="sum").item()
            right += xgrad.sum(xgrad.astype(xgrad.argmax(scores, axis=-1) == y, xgrad.int64)).item()
    model.train()
    return loss / len(labels), right / len(labels)


def training_step(model: nn.Module, optimizer: optim.Optimizer) -> Any:
    """The function that makes one step."""

    def step(x: Any, y: Any) -> tuple[Any, Any]:
        """The loss of a batch before the step, and the number of its images that were recognized."""
        scores = model(x)  # (B, 10)
        loss = cross_entropy(scores, y)  # ()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right = xgrad.argmax(scores.detach(), axis=-1) == y  # (B,)
        return loss.detach(), xgrad.sum(xgrad.astype(right, xgrad.int64))

    return step


def train(args: argparse.Namespace, out: Path, work: Path) -> float:
    """Train, write the results into the folder `work`, and return the accuracy on the test set."""
    device = choose(args)
    data = load(args.data)
    n, size = len(data.train_labels), data.train_images[0].size
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
    bar = tqdm(total=args.epochs * steps, unit="step", mininterval=0.2, dynamic_ncols=True)
    with bar:
        for epoch in range(1, args.epochs + 1):
            args.where = f"in epoch {epoch} of {args.epochs}"
            total = right = 0.0
            for batch in np.array_split(rng.permutation(n), steps):
                images = shifted(data.train_images[batch], args.shift, rng)  # (B, H, W)
                x = xgrad.asarray(images.reshape(len(batch), size), device=device)  # (B, H*W)
                y = xgrad.asarray(data.train_labels[batch], device=device)  # (B,)
                if not bar.n:
                    notes += draw(model, x, y, work)
                optimizer.lr = args.lr * (1 + math.cos(math.pi * bar.n / bar.total)) / 2
                loss, recognized = step(x, y)
                total += loss.item() * len(batch)
                right += recognized.item()
                bar.update()
            if not math.isfinite(total):
                raise Stop(f"the loss is infinite or NaN {args.where}; try a smaller --lr than {args.lr:g}")
            test_loss, test_accuracy = evaluate(model, data.test_images, data.test_labels, device)
            for curve, value in zip(history.values(), (total / n, test_loss, right / n, test_accuracy)):
                curve.append(value)
            bar.set_postfix_str(
                f"epoch {epoch}/{args.epochs} loss {total / n:.4f} accuracy {right / n:.2%} test {test_accuracy:.2%}"
            )

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


def first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


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
