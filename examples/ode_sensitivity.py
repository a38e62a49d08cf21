"""Predators and prey: fit the parameters of a differential equation, with their errors and sensitivities.

    python examples/ode_sensitivity.py
    python examples/ode_sensitivity.py --backend jax

The counts are the pelts of hares and lynxes (in thousands) that the Hudson's Bay Company bought from 1900 to 1920, after
Howard, Modeling Basics, 2009. The Lotka-Volterra equation is fitted to their logarithms with the exact Jacobian. The
sensitivity of the solution to each parameter is compared with differences. It writes a plot of both.

SciPy's solver runs on the host and looks at the state of two numbers in each time step: a GPU does not help here, and `xgrad.jit`
cannot capture a solution.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_ENABLE_X64", "1")

try:
    import numpy as np
    from common import add_backend, new_figure, save_figure, select_or_exit

    import xgrad
    from xgrad.optimize import least_squares
except ImportError as error:
    sys.exit(f"error: {error}; python -m pip install 'xgrad[train]' installs what this example needs")

HARES = "30 47.2 70.2 77.4 36.3 20.6 18.1 21.4 22 25.4 27.1 40.3 57 76.6 52.3 19.5 11.2 7.6 14.6 16.2 24.7"
LYNXES = "4 6.1 9.8 35.2 59.4 41.7 19 13 8.3 9.1 7.4 8 12.3 19.5 45.7 51.1 29.7 15.8 9.7 10.1 8.6"
COUNTS = np.array([HARES.split(), LYNXES.split()], dtype=float).T  # (21, 2)
NAMES = ["birth of hares", "hunting", "death of lynxes", "growth by hunting", "hares in 1900", "lynxes in 1900"]


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_backend(parser)
    parser.add_argument("--years", type=int, default=21, help="how many of the 21 years to fit (default: all)")
    parser.add_argument("--rtol", type=float, default=1e-6, help="the tolerance of the solver (default: 1e-6)")
    parser.add_argument("--out", type=Path, default=Path("ode_sensitivity.png"), help="the plot to write")
    args = parser.parse_args(argv)
    if not 5 <= args.years <= len(COUNTS):
        parser.error(f"--years must be from 5 to {len(COUNTS)}")
    select_or_exit(parser, args)
    return args


def change(t: Any, y: Any, rates: Any) -> Any:
    """The time derivative of hares and lynxes."""
    hares, lynxes = y[0], y[1]
    meetings = hares * lynxes
    return xgrad.stack([rates[0] * hares - rates[1] * meetings, -rates[2] * lynxes + rates[3] * meetings])


def populations(p: Any, times: Any, rtol: float) -> Any:
    """Hares and lynxes at each time, (T, 2); `p` are the logarithms of the rates and of the first populations."""
    p = xgrad.exp(p)
    return xgrad.odeint(change, p[4:], times, p[:4], rtol=rtol, atol=1e-8, gradient="direct")


def draw(times: Any, fine: Any, counts: Any, fitted: Any, slopes: Any, path: Path) -> None:
    figure = new_figure(12, 6)
    if figure is None:
        return
    top, left, right = figure.subplot_mosaic("AA;BC").values()
    for k, name in enumerate(("hares", "lynxes")):
        top.plot(1900 + fine, fitted[:, k], f"C{k}", label=f"{name}, fitted")
        top.plot(1900 + times, counts[:, k], f"C{k}o", label=f"{name}, counted")
    top.set(xlabel="year", ylabel="pelts (thousands)", title="the Lotka-Volterra equation, fitted")
    top.legend(ncols=2, fontsize="small")
    for axes, k, name in ((left, 0, "hares"), (right, 1, "lynxes")):
        for j, label in enumerate(NAMES):  # two of them coincide: the dashes show both
            axes.plot(1900 + fine, slopes[:, k, j], "--" if j > 3 else "-", label=label)
        axes.set(xlabel="year", ylabel="thousands", title=f"derivative of {name} by the logarithm of each")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(NAMES), fontsize="small")
    for axes in (top, left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
    save_figure(figure, path)


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    counts = COUNTS[: args.years]  # (T, 2)
    times = np.arange(float(args.years))
    target = xgrad.asarray(np.log(counts))
    start = xgrad.asarray(np.log([0.5, 0.03, 0.8, 0.03, *counts[0]]))

    residuals = lambda p: xgrad.log(populations(p, times, args.rtol)) - target
    start_time = time.perf_counter()
    result = least_squares(residuals, start, method="lm", xtol=1e-10)
    seconds = time.perf_counter() - start_time
    p, freedom = result.x.numpy(), counts.size - len(NAMES)
    variance = 2 * result.cost / freedom
    errors = np.sqrt(variance * np.diag(np.linalg.inv(result.jac.T @ result.jac)))  # of the logarithms: relative errors
    print(f"{args.years} years, {counts.size} counts, on {xgrad.get_backend()}: {result.nfev} solutions, {result.njev} Jacobians")
    print(f"fitted in {seconds:.2f} s, {(result.nfev + result.njev) / seconds:,.1f} solutions and Jacobians per second")
    for name, value, error in zip(NAMES, np.exp(p), errors):
        print(f"  {name:18} {value:8.4f}  +- {value * error:.4f}")
    print(f"one standard deviation of the counts is a factor of {np.exp(np.sqrt(variance)):.2f}")

    fine = np.linspace(0.0, times[-1], 8 * args.years)
    solve = lambda p: populations(p, fine, args.rtol)
    fitted, slopes = solve(result.x).numpy(), xgrad.jacobian(solve)(result.x).numpy()  # (F, 2), (F, 2, 6)
    step, worst = 1e-5, 0.0
    for k in range(len(NAMES)):
        shifted = [populations(xgrad.asarray(p + sign * step * np.eye(6)[k]), fine, 1e-10).numpy() for sign in (1, -1)]
        difference = (shifted[0] - shifted[1]) / (2 * step)
        worst = max(worst, float(np.abs(slopes[..., k] - difference).max() / np.abs(difference).max()))
    print(f"the sensitivities differ from central differences by {worst:.1e} of the largest")
    draw(times, fine, counts, fitted, slopes, args.out)
    return 0 if worst < 1e-3 else 1


if __name__ == "__main__":
    sys.exit(main())
