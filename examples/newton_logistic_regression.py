"""Newton's method for logistic regression, with exact Hessian-vector products and conjugate gradients.

    python examples/newton_logistic_regression.py
    python examples/newton_logistic_regression.py --backend torch

The data is scikit-learn's on breast cancer: 569 tumours, 30 measurements each, benign or malignant. The optimum is compared
with that of scikit-learn's logistic regression. It writes a plot of the norm of the gradient.

``--jit`` captures the value with its gradient, and the product of the Hessian with a vector. The data stays on the device. The
host reads the loss and the norm of the gradient once a step; the conjugate gradients between them look at their residual.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_ENABLE_X64", "1")

try:
    import numpy as np
    from common import add_backend, new_figure, save_figure, select_or_exit
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression

    import xgrad
except ImportError as error:
    sys.exit(f"error: {error}; python -m pip install 'xgrad[train]' installs what this example needs")


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_backend(parser, "numpy, cupy, torch, jax, dask or strict")
    parser.add_argument("--penalty", type=float, default=1.0, help="the weight of half the squared norm (default: 1)")
    parser.add_argument("--tol", type=float, default=1e-9, help="stop at this norm of the gradient (default: 1e-9)")
    parser.add_argument("--iterations", type=int, default=30, help="the largest number of steps (default: 30)")
    parser.add_argument("--jit", action="store_true", help="capture the derivatives, and repeat them from their plans")
    parser.add_argument("--out", type=Path, default=Path("newton.png"), help="the plot to write (default: newton.png)")
    args = parser.parse_args(argv)
    if args.penalty <= 0:
        parser.error("--penalty must be positive: without a penalty the weights may grow without limit")
    select_or_exit(parser, args)
    return args


def newton(loss: Any, p: Any, tol: float, iterations: int, jit: bool) -> tuple[Any, list[float], int]:
    """The minimum of a convex function, the norm of its gradient at each step, and how many products with Hessians it took."""
    norms: list[float] = []
    products = 0
    capture = xgrad.jit if jit else lambda f: f
    both, hvp, loss = capture(xgrad.value_and_grad(loss)), capture(functools.partial(xgrad.hvp, loss)), capture(loss)
    print(f"{'step':>4} {'loss':>16} {'gradient':>10} {'products':>9} {'length':>7}")
    for k in range(iterations + 1):
        value, gradient = both(p)
        norms.append(xgrad.linalg.vector_norm(gradient).item())
        if norms[-1] <= tol or k == iterations:
            print(f"{k:4} {value.item():16.9f} {norms[-1]:10.1e}")
            break
        # The product of the Hessian at p with a vector: a plan for all p, or what was linearized at this p.
        product = functools.partial(hvp, p) if jit else xgrad.linearize(xgrad.grad(loss), p)[1]
        calls: list[int] = []
        direction = xgrad.linear_solve(lambda v: calls.append(1) or product(v), -gradient, symmetric=True, tol=1e-10)  # noqa: B023
        length = 1.0
        while not loss(p + length * direction).item() <= value.item() + 1e-4 * length * xgrad.vecdot(gradient, direction).item():
            length /= 2
            if length < 1e-8:  # the loss changes by rounding alone: take the full step
                length = 1.0
                break
        print(f"{k:4} {value.item():16.9f} {norms[-1]:10.1e} {len(calls):9} {length:7.3g}")
        p = p + length * direction
        products += len(calls)
    return p, norms, products


def draw(norms: list[float], path: Path) -> None:
    figure = new_figure(5, 3.5)
    if figure is None:
        return
    axes = figure.subplots()
    axes.semilogy(norms, "o-")
    axes.set(xlabel="Newton step", ylabel="norm of the gradient", title="Newton's method on logistic regression")
    axes.grid(alpha=0.3)
    save_figure(figure, path)


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    features, benign = load_breast_cancer(return_X_y=True)
    features = (features - features.mean(0)) / features.std(0)
    x = xgrad.asarray(features)  # (569, 30)
    sign = xgrad.asarray(2.0 * benign - 1.0)  # (569,): -1 or 1

    def loss(p: Any) -> Any:
        weights, intercept = p[:-1], p[-1]
        margins = sign * (x @ weights + intercept)  # (569,)
        return xgrad.sum(xgrad.softplus(-margins)) + 0.5 * args.penalty * xgrad.sum(weights**2)

    print(f"{x.shape[0]} tumours, {x.shape[1]} measurements, on {xgrad.get_backend()}")
    start = time.perf_counter()
    p, norms, products = newton(loss, xgrad.zeros(x.shape[1] + 1, dtype=x.dtype), args.tol, args.iterations, args.jit)
    seconds = time.perf_counter() - start
    print(f"{len(norms) - 1} steps, {products} products with Hessians in {seconds:.2f} s, {products / seconds:,.0f} per second")
    theirs = LogisticRegression(C=1 / args.penalty, tol=1e-12, max_iter=10_000, solver="newton-cholesky").fit(features, benign)
    difference = np.abs(p.numpy() - np.append(theirs.coef_, theirs.intercept_)).max()
    accuracy = float(xgrad.mean(xgrad.astype((x @ p[:-1] + p[-1]) * sign > 0, x.dtype)))
    print(f"accuracy {accuracy:.2%}; the weights are within {difference:.1e} of scikit-learn's")
    draw(norms, args.out)
    return 0 if difference < 1e-6 else 1


if __name__ == "__main__":
    sys.exit(main())
