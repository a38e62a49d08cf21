"""Training steps with Adam: xgrad and its captured steps, PyTorch and its CUDA graphs, on the same GPU.

No time is measured before the losses of the first six steps agree, from the same weights.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import xgrad
from xgrad import optim

from ..libraries import Library, Torch, Xgrad
from .measuring import Device, Findings, first_line, in_words
from .workloads import Workload, chosen

LR = 1e-3
VERIFIED = 6  # so many losses are compared: those before the first step and after each of five
TOLERANCE = 1e-4
SECONDS = 1.0

Step = Callable[[], Any]
"""One step; it returns the loss before it, which may not be computed yet and is read by ``item()``."""


class OnDevice(Xgrad):
    """xgrad with arrays of the backend that is measured."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        self.device = device

    def parameter(self, x: np.ndarray) -> Any:
        return self.device.tensor(np.array(x), requires_grad=True)

    def data(self, x: np.ndarray) -> Any:
        return self.device.tensor(x)


class TorchOnDevice(Torch):
    """PyTorch on the same device, with its own functions for attention and layer norm."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        self.device = device.torch_device

    def parameter(self, x: np.ndarray) -> Any:
        return self.xp.tensor(x, device=self.device, requires_grad=True)

    def data(self, x: np.ndarray) -> Any:
        return self.xp.tensor(x, device=self.device)


class ComposedTorch(TorchOnDevice):
    """PyTorch with attention and layer norm composed of the same operations as in xgrad."""

    layer_norm, attention = Library.layer_norm, Library.attention


def main(dry: bool, out: Path) -> None:
    """Verify and time each workload in each way."""
    device, findings = Device(dry), Findings(out / "steps.json")
    peak = product_rate(device, findings)
    for workload in chosen(dry):
        print(f"\n{workload.title}: {workload.operations / 1e9:.3g} billion operations in products of matrices")
        losses: list[float] | None = None
        rows: dict[str, Any] = {}
        for name, prepare in ways(device, workload).items():
            try:
                step = prepare()
                own = [float(step().item()) for _ in range(VERIFIED)]
                losses = losses or own
                difference = max(abs(a - b) / max(1.0, abs(a)) for a, b in zip(losses, own))
                if not difference <= TOLERANCE:
                    raise ArithmeticError(f"its losses {own} are not those of {next(iter(rows))}, {losses}")
                rows[name] = {"largest difference": difference, **device.measure(step, SECONDS)}
                rows[name]["share of peak"] = workload.operations / (1e-3 * rows[name]["ms"]) / peak
            except Exception as error:
                rows[name] = {"error": first_line(error)}
            print(f"  {name:44} {in_words(rows[name])}", flush=True)
            findings.add(workload.title, rows)
        compare(rows)
    wrong = [(title, name) for title, rows in findings.found.items() for name, row in rows.items() if "error" in row]
    if wrong:
        raise SystemExit(f"not verified or not measured: {wrong}")


def compare(rows: dict[str, Any]) -> None:
    """Print how xgrad's times compare with PyTorch's best of the same kind."""
    for ours, theirs in (("xgrad", "PyTorch, eager"), ("xgrad.jit", "PyTorch, CUDA graph")):
        rivals = {name: row["ms"] for name, row in rows.items() if name.startswith(theirs) and "ms" in row}
        if rivals and "ms" in rows[ours]:
            best = min(rivals, key=lambda name: rivals[name])
            print(f"  {ours} takes {rows[ours]['ms'] / rivals[best]:.2f} times as long as {best}")


def product_rate(device: Device, findings: Findings) -> float:
    """Floating-point operations a second of a large product of float32 matrices, the better of both libraries."""
    n = 256 if device.dry else 8192
    a, b = (np.random.default_rng(k).normal(size=(n, n)).astype(np.float32) for k in (0, 1))
    x, y = device.array(a), device.array(b)
    rows = {device.name: device.measure(lambda: device.xp.matmul(x, y), SECONDS)}
    if device.torch is not None:
        s, t = (device.torch.tensor(v, device=device.torch_device) for v in (a, b))
        rows["torch"] = device.measure(lambda: s @ t, SECONDS)
    findings.add(f"product of two matrices of {n} x {n}, float32", rows)
    rates = {name: 2.0 * n**3 / (1e-3 * row["ms"]) for name, row in rows.items()}
    print(f"product of two matrices of {n} x {n}, float32:", {k: f"{v / 1e12:.3g} TFLOP/s" for k, v in rates.items()})
    return max(rates.values())


def ways(device: Device, workload: Workload) -> dict[str, Callable[[], Step]]:
    """The ways to make the step: functions that prepare it."""
    found: dict[str, Callable[[], Step]] = {}
    if device.torch is not None:
        composed = functools.partial(torch_step, device, workload, ComposedTorch)
        found["PyTorch, eager, one parameter at a time"] = functools.partial(composed, foreach=False, fused=False)
        found["PyTorch, eager, foreach"] = functools.partial(composed, foreach=True)
        found["PyTorch, eager, fused"] = functools.partial(composed, fused=True)
        if workload.title.startswith("transformer"):
            own = functools.partial(torch_step, device, workload, TorchOnDevice)
            found["PyTorch, with its own attention and norm"] = functools.partial(own, fused=True)
        if device.cuda:
            graph = functools.partial(torch_graph, device, workload)
            found["PyTorch, CUDA graph, foreach"] = functools.partial(graph, foreach=True)
            found["PyTorch, CUDA graph, fused"] = functools.partial(graph, fused=True)
    found["xgrad"] = functools.partial(xgrad_step, device, workload)
    found["xgrad.jit"] = lambda: xgrad.jit(xgrad_step(device, workload))
    return found


def xgrad_step(device: Device, workload: Workload) -> Step:
    """The step as users of xgrad write it."""
    lib = OnDevice(device)
    params, data = [lib.parameter(p) for p in workload.params], [lib.data(x) for x in workload.data]
    return trained(lib, workload, params, data, optim.Adam(params, lr=LR))


def trained(lib: Library, workload: Workload, params: list[Any], data: list[Any], optimizer: Any) -> Step:
    """The step, which xgrad and PyTorch write alike."""

    def step() -> Any:
        optimizer.zero_grad()
        loss = workload.loss(lib, params, *data)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def torch_parts(device: Device, workload: Workload, library: type[TorchOnDevice], **options: Any) -> tuple[list[Any], Any, Step]:
    """The parameters, the optimizer and the step, in PyTorch."""
    lib = library(device)
    params, data = [lib.parameter(p) for p in workload.params], [lib.data(x) for x in workload.data]
    optimizer = device.torch.optim.Adam(params, lr=LR, **options)
    return params, optimizer, trained(lib, workload, params, data, optimizer)


def torch_step(device: Device, workload: Workload, library: type[TorchOnDevice], **options: Any) -> Step:
    """The step as users of PyTorch write it; `options` are those of its Adam."""
    return torch_parts(device, workload, library, **options)[2]


def torch_graph(device: Device, workload: Workload, **options: Any) -> Step:
    """The whole step as a CUDA graph of PyTorch, after its documentation: run on a side stream first, then captured."""
    torch = device.torch
    params, optimizer, step = torch_parts(device, workload, ComposedTorch, capturable=True, **options)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()
    with torch.no_grad():  # as it was before the first step
        for p, start in zip(params, workload.params):
            p.copy_(torch.tensor(start, device=p.device))
        for state in optimizer.state.values():
            for x in state.values():
                x.zero_()

    def replay() -> Any:
        graph.replay()
        return loss

    return replay
