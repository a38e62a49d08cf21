"""Write docs/special.md: where each special function and its derivatives come from. ``python -m tests.pages.special_page``.

A test compares the page with the functions. Each function is called with SciPy disabled, to find the library that computes
it. CuPy needs a GPU for that, so NumPy takes its place, with the functions that CuPy has.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import xgrad
from xgrad.backend import find_backend
from xgrad.graph.declare import Op

from ..table import Row
from ..table.special import OWN, ROWS

PAGE = Path(__file__).parents[2] / "docs" / "special.md"

HEAD = """# Special functions

Written by `python -m tests.pages.special_page`, not by hand; a test compares it with the functions.

`xgrad.special`, and `xp.special` of each backend's namespace, has the functions that SciPy dispatches on, under SciPy's names and
signatures: with `SCIPY_ARRAY_API=1`, `scipy.special.gammaln(x)` of a Tensor is `xgrad.special.gammaln(x)`.

```pycon
>>> import numpy as np, xgrad
>>> a = xgrad.Tensor(np.asarray([0.5, 2.0, 30.0]), requires_grad=True)
>>> xgrad.special.gammainc(a, 3.0).sum().backward()
>>> a.grad
Tensor([-4.724...e-02, -1.974...e-01, -9.933...e-20], dtype=float64)

```

## Where values come from

* **own**: the library's function of that name, in `scipy.special` (for arrays of NumPy, array-api-strict and Dask),
  `cupyx.scipy.special`, `torch.special` or `jax.scipy.special`.
* **formula**: xgrad's formula on other functions, precise to about 1e-13, also where the library's own is not: `ndtr` of PyTorch,
  `betaln`, `boxcox`, `erfcx`, `log_ndtr` and `rel_entr` of JAX, and on all of them `cotdg`, `exprel`, `kl_div` and `tandg`;
  `expi` beyond 100 and `zetac` beyond 30, and the library's own function elsewhere. `hyp1f1` takes some 200 steps, and is SciPy's
  for arrays in the host's memory.
* **CPU**: SciPy's function, for arrays of PyTorch and JAX that live on the CPU. On a device these raise a `NotImplementedError`:
  nothing is copied to the host and back without a word.

SciPy is optional: without it, functions that come from it raise and say how it is installed. PyTorch's own `j0 j1 y0 y1`,
which are wrong by up to 1e-6, are used on devices only; on the CPU SciPy's are.

## Derivatives

They are xgrad's on every backend, of any order, in reverse and forward mode; a rule calls other special functions, or one of the
functions at the end of the table, which are derivatives of any order, or quotients without the singularity that the textbook's
formula has. Inverse functions are differentiated by the implicit function theorem. Orders that must be whole numbers have no
derivative, nor have the first two arguments of `hyp1f1` and the degree of `lpmv`: asking for one raises.

The derivatives of `gammainc` and `betainc` by their parameters are integrals of functions without a change of sign, done by the
double exponential formula at 75 points, all at once: that takes memory of 75 times the size of the array, several times over.
Against 60 digits of mpmath, in float64, the relative error is

| derivative | for | at most |
|---|---|---|
| of `gammainc`, `gammaincc` by `a` | `a` from 1e-6 to 1e6; `x` from 1e-300 on, and within 30 standard deviations of `a` | 2e-10 |
| of `betainc`, `betaincc` by `a`, `b` | `a`, `b` from 1e-3 to 1e3; odds from 1e-12 to 1e12 | 2e-10 |
| | `a`, `b` from 1e-3 to 1e4 | 1e-8 |
| second derivatives of these | where they are not close to a change of sign | 1e-8 |
| of `stdtr` by `df` | `df` up to 1000; beyond, the error relative to the derivative grows with `df` | 1e-9 |

so long as the value itself does not underflow. `x` close to 1 tells `1 - x` no better than float64 does.

## Accuracy

Formulas and derivatives are computed in float64, and brought back to the dtype of the arguments at the end: float32 loses
nothing to sums that cancel. `tests/ops/test_special_accuracy.py` compares each function, and its first and second derivative
by each argument, with mpmath, from 1e-300 to 1e300 where that makes sense: the relative error is below 1e-6 in float64 and 1e-4
in float32 wherever the right value can be represented, and what overflows is infinite. Outside of that are

| function | where |
|---|---|
| `gamma`, `rgamma` and their derivatives | below -170.5, where `gamma` is 0: it should be so from -178 on |
| `binom`, `poch`, `inv_boxcox`, `inv_boxcox1p` | second derivatives where the function itself overflows: NaN |
| `sindg`, `cosdg`, `j0`, `j1`, `y0`, `y1`, `yn` | beyond 1e5 not tried; from 1e8 on float64 does not tell the phase |
| `zeta` by its first argument | between -1 and 1 with a second argument that is not 1: not tried |
| `betainc` and its kin | derivatives by the parameters as in the table above; `x` closer to 1 than 1e-10 |
| `hyp1f1` | SciPy's value, and so the derivative: arguments beyond 100 in size |
| | the formula: NaN where terms of both signs cancel, which is so for `a` below about -10, and `b - a` where `x` is negative |
| `beta_density`, `betainc`, `betaincc` | second derivatives by a parameter close to a change of sign: 1e-5 where `x` is 1e-10 |
| `psi`, `gammaln` and others at their zeros | within a few units in the last place of a zero |

JAX without 64 bits and devices without float64 compute in float32: derivatives that are differences lose digits there.

Complex numbers are taken by `digamma`, `erfc`, `exp1`, `exp2`, `expi`, `expi_derivative`, `expm1`, `gamma`, `log1p`, `loggamma`,
`ndtr`, `psi` and `psi_derivative`. Others raise a TypeError, and so do `erfc`, `exp1`, `expi` and `ndtr` of CuPy.

## Functions

"""

LIBRARIES = ("scipy", "cupy", "torch", "jax")


@contextmanager
def without_scipy(library: str) -> Iterator[str]:
    """The backend on which to call a library's own functions, with SciPy disabled in this block."""
    if library == "cupy":
        cupy, numpy = find_backend("cupy"), find_backend("numpy")
        own = numpy.special
        with mock.patch.object(type(numpy), "special", lambda self, name: own(name) if cupy.special(name) else None):
            yield "numpy"
    elif library == "scipy":
        yield "numpy"
    else:
        with mock.patch.object(type(find_backend(library)), "special_on_host", return_value=None):
            yield library


def source(row: Row, library: str) -> str:
    """The source of the value and the derivatives of a row's function: own, formula or CPU, where CuPy's arrays never are."""
    with without_scipy(library) as backend:
        plugin, xp = find_backend(backend), xgrad.namespace(backend)
        tensors = [xgrad.Tensor(plugin.from_numpy(x), requires_grad=arg.tracked) for x, arg in zip(row.draw(), row.args)]
        try:
            y = row.f(xp, *tensors)
            if y.requires_grad:
                xp.sum(y).backward()
        except NotImplementedError:
            if library == "cupy":
                raise
            return "CPU"
    asks = getattr(getattr(xgrad.special, row.name).op.source, "asks", row.name == "zeta")
    own = find_backend("numpy" if library == "scipy" else library).special(row.name)
    return "formula" if own is None or not asks else "own"


def arguments(name: str) -> str:
    """The arguments with respect to which a function is differentiable."""
    op: Op[..., Any] | None = getattr(getattr(xgrad.special, name), "op", None)
    if op is None or op.derivative == "composite":
        return "all"
    names = [op.names[i] for i, rule in zip(op.arrays, op.rules) if rule is not None]
    if op.derivative == "zero":
        return "zero"
    return "all" if len(names) == len(op.arrays) else ", ".join(f"`{n}`" for n in names)


def page() -> str:
    """The text of the page."""
    rows = {row.name: row for row in reversed(ROWS)}
    lines = [HEAD + f"| function | differentiable by | {' | '.join(LIBRARIES)} |", "|---|---|" + "---|" * len(LIBRARIES)]
    names = xgrad.special.__all__
    for name in sorted(names, key=lambda name: (name.endswith(OWN), name)):
        row = rows.get("psi" if name == "digamma" else name)
        cells = [source(row, library) if row else "formula" for library in LIBRARIES]
        lines.append(f"| `{name}` | {arguments(name)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
