"""The table of derivatives: the functions of the standard, one file (a chapter) per page of it, and those that xgrad adds.

A chapter never imports another one; its rules call other ops through `xp`.
"""

from __future__ import annotations

from typing import Any

from .beyond.calculus import convolve, convolve_full, correlate, cumulative_trapezoid, gradient, interp, trapezoid
from .beyond.descriptive import (
    average,
    corrcoef,
    cov,
    median,
    nanmax,
    nanmean,
    nanmedian,
    nanmin,
    nanpercentile,
    nanprod,
    nanquantile,
    nanstd,
    nansum,
    nanvar,
    percentile,
    ptp,
    quantile,
)  # fmt: skip
from .beyond.einsum import einsum
from .beyond.grouping import bincount, digitize, segment_max, segment_min, segment_sum, top_k
from .beyond.matrices import diag, diagflat, diagonal_matrix, dot, inner, kron, outer, tri, tril_indices, triu_indices, vander
from .beyond.padding import pad
from .beyond.ufuncs import (
    angle,
    cbrt,
    deg2rad,
    exp2,
    fmax,
    fmin,
    fmod,
    heaviside,
    logaddexp2,
    nan_to_num,
    rad2deg,
    sinc,
    sinc_jn,
    spherical_jn,
    unwrap,
)  # fmt: skip
from .beyond.updates import at, scatter_add, scatter_max, scatter_min, scatter_multiply
from .creation import (
    arange,
    asarray,
    empty,
    empty_like,
    eye,
    from_dlpack,
    full,
    full_like,
    linspace,
    meshgrid,
    new_zeros,
    ones,
    ones_like,
    tril,
    triu,
    zeros,
    zeros_like,
)  # fmt: skip
from .data_type import astype, can_cast, finfo, iinfo, isdtype, result_type, to_backend, to_device
from .elementwise import (
    abs,
    acos,
    acosh,
    add,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    ceil,
    clip,
    conj,
    copysign,
    cos,
    cosh,
    divide,
    equal,
    exp,
    expm1,
    floor,
    floor_divide,
    greater,
    greater_equal,
    hypot,
    imag,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    multiply,
    negative,
    nextafter,
    not_equal,
    one_less_square,
    over_hypot,
    positive,
    pow,
    real,
    reciprocal,
    remainder,
    round,
    sign,
    signbit,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    tanh_pull,
    trunc,
    zero_where_not,
)  # fmt: skip
from .indexing import getitem, setitem, take, take_along_axis
from .inspection import __array_namespace_info__
from .linear_algebra import matmul, matrix_transpose, tensordot, vecdot
from .manipulation import (
    broadcast_arrays,
    broadcast_shapes,
    broadcast_to,
    concat,
    expand_dims,
    flip,
    moveaxis,
    permute_dims,
    repeat,
    reshape,
    roll,
    squeeze,
    stack,
    tile,
    unstack,
)  # fmt: skip
from .neural.activations import (
    elu,
    erf,
    gelu,
    gelu_tanh,
    gelu_tanh_slope,
    leaky_relu,
    logsigmoid,
    normal_cdf,
    relu,
    sigmoid,
    sigmoid_slope,
    silu,
    softplus,
)  # fmt: skip
from .neural.softmax import exponential_rest, label_error, log_softmax, logsumexp, softmax, softmax_error, softmax_pull
from .searching import argmax, argmin, count_nonzero, nonzero, searchsorted, where
from .set import isin, unique_all, unique_counts, unique_inverse, unique_values
from .sorting import argsort, sort
from .statistical import cumulative_prod, cumulative_sum, max, mean, min, prod, std, sum, var
from .utility import all, any, diff

__all__ = [
    # creation
    "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "linspace", "meshgrid", "ones",
    "ones_like", "tril", "triu", "zeros", "zeros_like", "new_zeros",
    # data type
    "astype", "can_cast", "finfo", "iinfo", "isdtype", "result_type", "to_backend", "to_device",
    # elementwise
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_left_shift",
    "bitwise_invert", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "clip", "conj", "copysign", "cos", "cosh",
    "divide", "equal", "exp", "expm1", "floor", "floor_divide", "greater", "greater_equal", "hypot", "imag", "isfinite",
    "isinf", "isnan", "less", "less_equal", "log", "log1p", "log2", "log10", "logaddexp", "logical_and", "logical_not",
    "logical_or", "logical_xor", "maximum", "minimum", "multiply", "negative", "nextafter", "not_equal", "positive", "pow",
    "real", "reciprocal", "remainder", "round", "sign", "signbit", "sin", "sinh", "square", "sqrt", "subtract", "tan", "tanh",
    "trunc", "zero_where_not",
    # indexing
    "getitem", "setitem", "take", "take_along_axis",
    # inspection
    "__array_namespace_info__",
    # linear algebra
    "matmul", "matrix_transpose", "tensordot", "vecdot",
    # manipulation
    "broadcast_arrays", "broadcast_shapes", "broadcast_to", "concat", "expand_dims", "flip", "moveaxis", "permute_dims",
    "repeat", "reshape", "roll", "squeeze", "stack", "tile", "unstack",
    # searching
    "argmax", "argmin", "count_nonzero", "nonzero", "searchsorted", "where",
    # set
    "isin", "unique_all", "unique_counts", "unique_inverse", "unique_values",
    # sorting
    "argsort", "sort",
    # statistical
    "cumulative_prod", "cumulative_sum", "max", "mean", "min", "prod", "std", "sum", "var",
    # utility
    "all", "any", "diff",
    # beyond / einsum
    "einsum",
    # neural / activations
    "elu", "erf", "gelu", "leaky_relu", "logsigmoid", "relu", "sigmoid", "silu", "softplus",
    # neural / softmax
    "log_softmax", "logsumexp", "softmax",
    # beyond / padding
    "pad",
    # beyond / updates
    "scatter_add", "at", "scatter_max", "scatter_min", "scatter_multiply",
    # beyond / calculus
    "convolve", "convolve_full", "correlate", "cumulative_trapezoid", "gradient", "interp", "trapezoid",
    # beyond / descriptive
    "average", "corrcoef", "cov", "median", "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile", "nanprod",
    "nanquantile", "nanstd", "nansum", "nanvar", "percentile", "ptp", "quantile",
    # beyond / grouping
    "bincount", "digitize", "segment_max", "segment_min", "segment_sum", "top_k",
    # beyond / matrices
    "diag", "diagflat", "dot", "inner", "kron", "outer", "tri", "tril_indices", "triu_indices", "vander",
    # beyond / ufuncs
    "angle", "cbrt", "deg2rad", "exp2", "fmax", "fmin", "fmod", "heaviside", "logaddexp2", "nan_to_num", "rad2deg", "sinc",
    "spherical_jn", "unwrap",
]  # fmt: skip

_for_rules: tuple[Any, ...] = (
    diagonal_matrix,
    exponential_rest,
    gelu_tanh,
    gelu_tanh_slope,
    label_error,
    normal_cdf,
    one_less_square,
    over_hypot,
    sigmoid_slope,
    sinc_jn,
    softmax_error,
    softmax_pull,
    tanh_pull,
)
FOR_RULES = tuple(op.__name__ for op in _for_rules)
"""The names of derivatives and parts that are ops, for rules and compositions on Tensors: where these are imprecise or slow."""
