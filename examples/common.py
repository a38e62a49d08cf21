"""What the examples share: the choice of the backend, progress with the time that is left, throughput, and plots."""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import xgrad

__all__ = ["Progress", "Stop", "add_backend", "first_line", "new_figure", "save_figure", "select", "select_or_exit"]


class Stop(Exception):
    """Ends the program; the message is one line."""


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


# ---------------------------------------------------------------------------------------------------- backend and device


def add_backend(parser: argparse.ArgumentParser, names: str = "numpy, cupy, torch, jax or strict") -> None:
    """Add the option ``--backend``."""
    parser.add_argument("--backend", default=None, help=f"{names} (default: $XGRAD_BACKEND, else numpy)")


def select(backend: str | None, device: str | None = None) -> Any:
    """Select the backend; return the device for arrays, or None for the backend's default.

    Raises
    ------
    Stop
        If the backend cannot run here, or has no such device.
    """
    try:
        xgrad.set_backend(backend or xgrad.get_backend())
        xgrad.zeros(1)  # raises if the backend of XGRAD_BACKEND is missing
    except (ValueError, RuntimeError) as error:  # BackendError is a RuntimeError
        raise Stop(str(error)) from None
    if device is None:
        return None
    devices = xgrad.namespace(xgrad.get_backend()).__array_namespace_info__().devices()
    found = next((d for d in devices if device in (str(d), getattr(d, "_device", None))), device)
    try:
        xgrad.zeros(1, device=found)
    except Exception as error:  # libraries raise different errors
        names = ", ".join(str(d) for d in devices)
        raise Stop(f"backend {xgrad.get_backend()!r} has no device {device!r} (it has {names}): {first_line(error)}") from None
    return found


def select_or_exit(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Select the backend of ``--backend``; if it cannot run here, end the program as for a wrong argument."""
    try:
        select(args.backend)
    except Stop as error:
        parser.error(str(error))


# ---------------------------------------------------------------------------------------------- progress and throughput


class Progress:
    """A bar of steps with the time that is left, and a count of what they have worked through.

    A device works while the host goes on. So time is counted in stretches, each of which ends when the host has read a number
    that the last step computed. The first stretch, in which kernels are compiled and plans captured, is left out if there are
    others.

    Parameters
    ----------
    total : int
        How many steps there will be.
    unit : str
        What a step works through, such as ``"images"``.
    """

    def __init__(self, total: int, unit: str) -> None:
        from tqdm import tqdm

        self.bar: Any = tqdm(total=total, unit="step", mininterval=0.2, dynamic_ncols=True)
        self.total, self.done, self.unit = total, 0, unit
        self.rates: list[float] = []  # units per second, for each stretch
        self.count, self.since = 0, time.perf_counter()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def begin(self) -> None:
        """Begin a stretch: what came after the last one, such as a test, is not counted."""
        self.count, self.since = 0, time.perf_counter()

    def step(self, units: int) -> None:
        """Count a step that was started."""
        self.count += units
        self.done += 1
        self.bar.update()

    def end(self) -> None:
        """End a stretch, after the host has read what its last step computed; the next one begins."""
        if self.count:
            self.rates.append(self.count / max(time.perf_counter() - self.since, 1e-9))
        self.begin()

    def show(self, text: str) -> None:
        """Show `text` beside the bar."""
        self.bar.set_postfix_str(text)

    @property
    def rate(self) -> float:
        """Units per second: the median over the stretches."""
        return statistics.median(self.rates[1:] or self.rates or [0.0])

    def throughput(self) -> str:
        """The rate in words: ``"12,345 images per second"``."""
        return f"{self.rate:,.{0 if self.rate >= 100 else 1}f} {self.unit} per second"


# ---------------------------------------------------------------------------------------------------------------- plots


def new_figure(width: float, height: float) -> Any:
    """A figure of matplotlib, or None, and a note, where that is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("no plot without matplotlib: pip install matplotlib")
        return None
    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Any, path: Path) -> None:
    """Write the figure, and say where."""
    figure.savefig(path, dpi=120)
    print(f"wrote {path}")
