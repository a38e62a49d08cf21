"""A Gaussian process whose kernel is fitted by the marginal likelihood of noisy measurements.

    python examples/gaussian_process.py
    python examples/gaussian_process.py --points 200 --backend jax

It writes a plot of the prediction and its uncertainty. If scikit-learn is installed, the likelihood is compared with its.

The matrices stay on the device. SciPy's optimizer runs on the host: it reads the likelihood and three derivatives in each step,
and differentiates the function itself, so that there is no step to capture by `xgrad.jit`.
"""

from __future__ import annotations

import argparse
import math
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
    from xgrad.linalg import cholesky, diagonal, solve
    from xgrad.optimize import minimize
except ImportError as error:
    sys.exit(f"error: {error}; python -m pip install 'xgrad[train]' installs what this example needs")


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_backend(parser)
    parser.add_argument("--points", type=int, default=60, help="the number of simulated measurements (default: 60)")
    parser.add_argument("--noise", type=float, default=0.2, help="the standard deviation of their errors (default: 0.2)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("gaussian_process.png"), help="the plot to write")
    args = parser.parse_args(argv)
    if args.points < 2:
        parser.error("--points must be at least 2")
    select_or_exit(parser, args)
    return args


def kernel(a: Any, b: Any, p: dict[str, Any]) -> Any:
    """The covariance of the values of a smooth function at `a` and `b`: (N, M)."""
    return xgrad.exp(2 * p["size"] - 0.5 * ((a[:, None] - b[None, :]) / xgrad.exp(p["width"])) ** 2)


def covariance(x: Any, p: dict[str, Any]) -> Any:
    """The covariance of measurements at `x`, with errors: (N, N)."""
    return kernel(x, x, p) + xgrad.exp(2 * p["noise"]) * xgrad.eye(x.shape[0], dtype=x.dtype)


def negative_log_likelihood(p: dict[str, Any], x: Any, y: Any) -> Any:
    """Minus the logarithm of the marginal likelihood of the measurements `y`."""
    lower = cholesky(covariance(x, p))
    white = solve(lower, y[:, None])[:, 0]  # has unit covariance if the kernel is right
    return 0.5 * xgrad.sum(white**2) + xgrad.sum(xgrad.log(diagonal(lower))) + 0.5 * x.shape[0] * math.log(2 * math.pi)


def predict(p: dict[str, Any], x: Any, y: Any, at: Any) -> tuple[Any, Any]:
    """The mean and the standard deviation of the function at the points `at`."""
    lower, cross = cholesky(covariance(x, p)), kernel(x, at, p)
    white = solve(lower, xgrad.concat([y[:, None], cross], axis=1))
    mean = xgrad.matrix_transpose(white[:, 1:]) @ white[:, 0]
    return mean, xgrad.sqrt(xgrad.exp(2 * p["size"]) - xgrad.sum(white[:, 1:] ** 2, axis=0))


def truth(x: Any) -> Any:
    return np.sin(2 * x) + 0.4 * np.cos(5 * x)


def draw(x: Any, y: Any, at: Any, mean: Any, spread: Any, path: Path) -> None:
    figure = new_figure(7, 4)
    if figure is None:
        return
    axes = figure.subplots()
    axes.fill_between(at, mean - 2 * spread, mean + 2 * spread, alpha=0.2, label="two standard deviations")
    axes.plot(at, mean, label="mean")
    axes.plot(at, truth(at), "k:", label="truth")
    axes.plot(x, y, "k.", label="measurements")
    axes.set(xlabel="x", ylabel="y", title="Gaussian process, kernel fitted by the marginal likelihood")
    axes.set_ylim(top=2.6)
    axes.legend(loc="upper center", ncols=4, fontsize="small")
    save_figure(figure, path)


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    rng = np.random.default_rng(args.seed)
    points = np.sort(
        np.concatenate([rng.uniform(-3, 0.5, args.points // 2), rng.uniform(1.5, 3, args.points - args.points // 2)])
    )
    values = truth(points) + args.noise * rng.normal(size=args.points)
    x, y = xgrad.asarray(points), xgrad.asarray(values)

    start = {name: xgrad.asarray(0.0, dtype=x.dtype) for name in ("size", "width", "noise")}  # logarithms
    steps: list[Any] = []

    def report(p: dict[str, Any]) -> None:
        steps.append(p)
        text = "  ".join(f"{name} {math.exp(v.item()):.4f}" for name, v in p.items())
        print(f"step {len(steps):3}  -log likelihood {negative_log_likelihood(p, x, y).item():10.4f}  {text}")

    print(f"{args.points} measurements with errors of {args.noise:g}, on {xgrad.get_backend()}")
    start_time = time.perf_counter()
    result = minimize(negative_log_likelihood, start, args=(x, y), method="BFGS", tol=1e-6, callback=report)
    seconds = time.perf_counter() - start_time
    fitted = {name: math.exp(v.item()) for name, v in result.x.items()}
    print(f"{result.nfev} likelihoods with gradients in {seconds:.2f} s, {result.nfev / seconds:,.1f} per second")
    print(f"fitted: size {fitted['size']:.4f}, width {fitted['width']:.4f}, noise {fitted['noise']:.4f}")
    print(f"log marginal likelihood {-result.fun:.6f}", end="")
    try:
        from sklearn.gaussian_process import GaussianProcessRegressor, kernels
    except ImportError:
        print()
    else:
        same_kernel = kernels.ConstantKernel(fitted["size"] ** 2) * kernels.RBF(fitted["width"]) + kernels.WhiteKernel(
            fitted["noise"] ** 2
        )
        theirs = GaussianProcessRegressor(same_kernel, alpha=0.0, optimizer=None).fit(points[:, None], values)
        print(f" ({theirs.log_marginal_likelihood_value_:.6f} by scikit-learn, for the same kernel)")
    at = np.linspace(-3.5, 3.5, 300)
    mean, spread = (v.numpy() for v in predict(result.x, x, y, xgrad.asarray(at)))
    inside = (np.abs(mean - truth(at)) < 2 * spread).mean()
    print(f"the truth is within two standard deviations at {inside:.0%} of the points")
    draw(points, values, at, mean, spread, args.out)
    return 0 if float(np.max(np.abs([g.item() for g in result.jac.values()]))) < 1e-3 else 1


if __name__ == "__main__":
    sys.exit(main())
