"""Special functions under SciPy's names, differentiable: what `scipy.special` dispatches on, and a few more.

Values are the backend's own, or SciPy's for arrays in the host's memory; derivatives are xgrad's. Derivatives of any order
that are no functions of SciPy have names of their own here: `gammainc_derivative`, `exprel_derivative` and the like.
"""

from __future__ import annotations

import math
from typing import Any

from .graph.kinds import refuse_complex
from .ops.beyond.ufuncs import cbrt, exp2, sinc
from .ops.creation import full_like, ones_like, zeros_like
from .ops.elementwise import abs, exp, expm1, isfinite, log, log1p, sign
from .ops.manipulation import broadcast_arrays, squeeze
from .ops.neural.activations import erf
from .ops.neural.activations import logsigmoid as log_expit
from .ops.neural.activations import sigmoid as expit
from .ops.neural.softmax import log_softmax as _log_softmax
from .ops.neural.softmax import logsumexp as _logsumexp
from .ops.neural.softmax import softmax as _softmax
from .ops.searching import where
from .ops.special.bessel import (
    bessel_quotient,
    bessel_scaled,
    ellipk,
    ellipkm1,
    ellipkm1_derivative,
    exp1,
    expi,
    expi_derivative,
    expn,
    hyp1f1,
    i0,
    i0e,
    i1,
    i1_derivative,
    i1e,
    j0,
    j1,
    k0,
    k0e,
    k1,
    k1e,
    lpmv,
    spence,
    y0,
    y1,
    yn,
)  # fmt: skip
from .ops.special.distributions import (
    bdtr,
    bdtrc,
    bdtri,
    beta_density,
    betainc,
    betainc_derivative,
    betaincc,
    betaincinv,
    chdtr,
    chdtrc,
    chdtri,
    fdtr,
    fdtrc,
    fdtri,
    gamma_density,
    gammainc,
    gammainc_derivative,
    gammaincc,
    gammainccinv,
    gammaincinv,
    gdtr,
    gdtrc,
    nbdtr,
    nbdtrc,
    nbdtri,
    pdtr,
    pdtrc,
    pdtri,
    stdtr,
    stdtrit,
)  # fmt: skip
from .ops.special.elementary import (
    boxcox,
    boxcox1p,
    cosdg,
    cosm1,
    cotdg,
    entr,
    exp10,
    exprel,
    exprel_derivative,
    huber,
    hypot_ratio,
    inv_boxcox,
    inv_boxcox1p,
    kl_div,
    log1prel_derivative,
    logit,
    pseudo_huber,
    radian,
    rel_entr,
    sindg,
    tandg,
    xlog1py,
    xlogy,
)  # fmt: skip
from .ops.special.error import (
    erfc,
    erfcinv,
    erfcx,
    erfcx_derivative,
    erfinv,
    inverse_mills_ratio,
    log_ndtr,
    ndtr,
    ndtri,
)  # fmt: skip
from .ops.special.gamma import (
    beta,
    betaln,
    binom,
    gamma,
    gammaln,
    gammasgn,
    loggamma,
    multigammaln,
    poch,
    polygamma,
    polygamma_difference,
    psi,
    psi_derivative,
    rgamma,
    zeta,
    zetac,
)  # fmt: skip
from .ops.statistical import max, sum
from .tensor.tensor import ArrayLike, Tensor

__all__ = [
    # elementary
    "boxcox", "boxcox1p", "cbrt", "cosdg", "cosm1", "cotdg", "entr", "exp10", "exp2", "expit", "expm1", "exprel", "huber",
    "inv_boxcox", "inv_boxcox1p", "kl_div", "log1p", "log_expit", "log_softmax", "logit", "logsumexp", "pseudo_huber",
    "radian", "rel_entr", "sinc", "sindg", "softmax", "tandg", "xlog1py", "xlogy",
    # error function, normal distribution
    "erf", "erfc", "erfcinv", "erfcx", "erfinv", "log_ndtr", "ndtr", "ndtri",
    # gamma function
    "beta", "betaln", "binom", "digamma", "gamma", "gammaln", "gammasgn", "loggamma", "multigammaln", "poch", "polygamma",
    "psi", "rgamma", "zeta", "zetac",
    # Bessel functions, elliptic and exponential integrals
    "ellipk", "ellipkm1", "exp1", "expi", "expn", "hyp1f1", "i0", "i0e", "i1", "i1e", "j0", "j1", "k0", "k0e", "k1",
    "k1e", "lpmv", "spence", "y0", "y1", "yn",
    # incomplete gamma and beta functions, distributions
    "bdtr", "bdtrc", "bdtri", "betainc", "betaincc", "betaincinv", "chdtr", "chdtrc", "chdtri", "fdtr", "fdtrc", "fdtri",
    "gammainc", "gammaincc", "gammainccinv", "gammaincinv", "gdtr", "gdtrc", "nbdtr", "nbdtrc", "nbdtri", "pdtr", "pdtrc",
    "pdtri", "stdtr", "stdtrit",
    # derivatives that are no functions of SciPy
    "bessel_quotient", "bessel_scaled", "beta_density", "betainc_derivative", "ellipkm1_derivative", "erfcx_derivative",
    "expi_derivative", "exprel_derivative", "gamma_density", "gammainc_derivative", "hypot_ratio", "i1_derivative",
    "inverse_mills_ratio", "log1prel_derivative", "polygamma_difference", "psi_derivative",
]  # fmt: skip

digamma = psi

Axis = int | tuple[int, ...] | None


def logsumexp(
    a: ArrayLike, axis: Axis = None, b: ArrayLike | None = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """The logarithm of the sum of ``b exp(a)``, without overflow: SciPy's signature of `xgrad.logsumexp`.

    Parameters
    ----------
    a : array
        Of real floating data type.
    axis : int, tuple of int or None
        The axes to sum over; all of them by default.
    b : array, optional
        Factors, of a shape that broadcasts with that of `a`; where they are 0, `a` does not matter.
    keepdims : bool
        Whether the axes that are summed over stay, with length 1.
    return_sign : bool
        Whether the sign of the sum is returned too, with the logarithm of its absolute value; else that of a negative sum
        is NaN.

    Returns
    -------
    Tensor, or tuple of two Tensors
        The logarithm; and the sign, which has no gradient.

    Raises
    ------
    TypeError
        If `a` or `b` is complex.

    Examples
    --------
    >>> import xgrad
    >>> logsumexp(xgrad.Tensor([1000.0, 1000.0]), b=xgrad.Tensor([1.0, 2.0]))
    Tensor(1001.0...)
    """
    refuse_complex("logsumexp", a=a, b=b)
    if b is None:
        y = _logsumexp(a, axis=axis, keepdims=keepdims)
        return (y, where(y == -math.inf, zeros_like(y), ones_like(y))) if return_sign else y
    a, b = broadcast_arrays(a, b)
    a = where(b == 0, full_like(a, -math.inf), a)
    peak = max(a, axis=axis, keepdims=True).detach()  # which does not matter for the result, so has no gradient
    peak = where(isfinite(peak), peak, zeros_like(peak))
    total = sum(b * exp(a - peak), axis=axis, keepdims=True)
    none = total == 0
    y = where(none, full_like(total, -math.inf), log(abs(where(none, ones_like(total), total))) + peak)
    signs = sign(total)
    if not keepdims:
        gone = tuple(range(len(y.shape))) if axis is None else axis
        y, signs = squeeze(y, axis=gone), squeeze(signs, axis=gone)
    return (y, signs) if return_sign else where(signs < 0, full_like(y, math.nan), y)


def softmax(x: ArrayLike, axis: Axis = None) -> Tensor:
    """The softmax of `xgrad.softmax`, by default over all elements together, as in SciPy.

    Parameters
    ----------
    x : array
        Of real floating data type.
    axis : int, tuple of int or None
        Along which the result sums to 1.

    Examples
    --------
    >>> import xgrad
    >>> softmax(xgrad.Tensor([[0.0, 0.0], [0.0, 0.0]]))
    Tensor([[0.25, 0.25],
            [0.25, 0.25]])
    """
    return _softmax(x, axis=axis)


def log_softmax(x: ArrayLike, axis: Axis = None) -> Tensor:
    """The logarithm of `softmax`, by default over all elements together, as in SciPy.

    Parameters
    ----------
    x : array
        Of real floating data type.
    axis : int, tuple of int or None
        As in `softmax`.

    Examples
    --------
    >>> import xgrad
    >>> log_softmax(xgrad.Tensor([0.0, 1000.0]))
    Tensor([-1000.,     0.])
    """
    return _log_softmax(x, axis=axis)
