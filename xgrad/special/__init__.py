"""Special functions under SciPy's names, with derivatives: those that `scipy.special` dispatches on, and a few more.

Values are the backend's own, or SciPy's for arrays in the host's memory; derivatives are xgrad's. A derivative that is not a
function of SciPy has a name of its own here, such as `gammainc_derivative` or `exprel_derivative`.
"""

from __future__ import annotations

from ..ops.beyond.ufuncs import cbrt, exp2, sinc
from ..ops.elementwise import expm1, log1p
from ..ops.neural.activations import erf
from ..ops.neural.activations import logsigmoid as log_expit
from ..ops.neural.activations import sigmoid as expit
from ..ops.special.bessel import (
    bessel_quotient,
    bessel_scaled,
    ellipk,
    ellipkm1,
    ellipkm1_derivative,
    exp1,
    expi,
    expi_derivative,
    expn,
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
from ..ops.special.distributions import (
    bdtr,
    bdtrc,
    bdtri,
    chdtr,
    chdtrc,
    chdtri,
    fdtr,
    fdtrc,
    fdtri,
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
from ..ops.special.elementary import (
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
from ..ops.special.error import (
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
from ..ops.special.gamma import (
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
from ..ops.special.gamma import psi as digamma
from ..ops.special.incomplete import (
    beta_density,
    betainc,
    betainc_derivative,
    betaincc,
    betaincinv,
    gamma_density,
    gammainc,
    gammainc_derivative,
    gammaincc,
    gammainccinv,
    gammaincinv,
)  # fmt: skip
from ..ops.special.kummer import hyp1f1
from .sums import log_softmax, logsumexp, softmax

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
    # derivatives that are not functions of SciPy
    "bessel_quotient", "bessel_scaled", "beta_density", "betainc_derivative", "ellipkm1_derivative", "erfcx_derivative",
    "expi_derivative", "exprel_derivative", "gamma_density", "gammainc_derivative", "hypot_ratio", "i1_derivative",
    "inverse_mills_ratio", "log1prel_derivative", "polygamma_difference", "psi_derivative",
]  # fmt: skip
