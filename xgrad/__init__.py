"""xgrad: automatic differentiation over the Python Array API standard, on NumPy, CuPy, PyTorch, JAX and Dask arrays.

This page is the table of contents. `xgrad` is itself an Array API namespace, the one that follows `set_backend`;
``xgrad.namespace(name)`` is the one of a given backend. The functions of the standard, and those beyond it, are in `ops`.
"""

from __future__ import annotations

import sys

from . import fft, io, linalg, nn, ops, optim, optimize, protocols, random, scipy, sparse, special, tree, visualize
from .backend.dtypes import bool_ as bool
from .backend.dtypes import (
    DType, bfloat16, complex64, complex128, float16, float32, float64, get_default_dtype, int8, int16, int32, int64,
    set_default_dtype, uint8, uint16, uint32, uint64,
)  # fmt: skip
from .backend.find import find_backend
from .backend.protocol import Backend, BackendError
from .backend.select import (
    BackendStatus, available_backends, get_backend, is_deterministic, set_backend, set_deterministic, use_backend,
)  # fmt: skip
from .debug.anomaly import detect_anomaly
from .debug.graph_breaks import find_graph_breaks
from .engine.define import composite, op
from .engine.hooks import offload_to_host, saved_tensors_hooks
from .engine.namespaces import namespace
from .engine.watch import once_differentiable
from .errors import GradientError
from .graph import names
from .graph.memory import guard_writes
from .graph.recording import enable_grad, is_grad_enabled, no_grad
from .interpreters.capture.jit import CannotCapture, jit
from .ops import *
from .ops import __all__ as _ops
from .ops.beyond.matrices import diagonal_matrix  # this and the next ones are for rules on Tensors: see `ops.FOR_RULES`
from .ops.beyond.ufuncs import sinc_jn
from .ops.elementwise import one_less_square, over_hypot, tanh_pull
from .ops.inspection import __array_namespace_info__
from .ops.neural.activations import gelu_tanh, gelu_tanh_slope, normal_cdf, sigmoid_slope
from .ops.neural.softmax import exponential_rest, label_error, softmax_error, softmax_pull
from .solve import fixed_point, linear_solve, odeint, quad, root  # argmin is an op
from .tensor.tensor import ArrayLike, Tensor
from .transforms import (
    checkpoint, custom_jvp, custom_vjp, ggnvp, grad, hessian, hvp, jacfwd, jacobian, jacrev, jvp, linearize, stop_gradient,
    value_and_grad, vjp, vmap,
)  # fmt: skip
from .value import Value

__version__ = "0.1.0"
__array_api_version__ = "2025.12"

e = 2.718281828459045
inf = float("inf")
nan = float("nan")
newaxis = None
pi = 3.141592653589793

__all__ = [
    # tensors and recording
    "Tensor", "Value", "ArrayLike", "GradientError", "composite", "op", "detect_anomaly", "enable_grad", "find_graph_breaks",
    "guard_writes", "is_grad_enabled", "no_grad", "offload_to_host", "saved_tensors_hooks",
    # backends
    "Backend", "BackendError", "BackendStatus", "DType", "available_backends", "find_backend", "get_backend",
    "get_default_dtype", "is_deterministic", "set_backend", "set_default_dtype", "set_deterministic", "use_backend", "namespace",
    # constants and data types
    "e", "inf", "nan", "newaxis", "pi", "bool", "bfloat16", "complex64", "complex128", "float16", "float32", "float64",
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    # functions of the standard, and those beyond it
    *_ops,
    # extensions
    "fft", "linalg", "scipy", "special",
    # derivatives as functions
    "checkpoint", "custom_jvp", "custom_vjp", "ggnvp", "grad", "hessian", "hvp", "jacfwd", "jacobian", "jacrev", "jvp",
    "linearize", "once_differentiable", "stop_gradient", "value_and_grad", "vjp", "vmap",
    # captured steps
    "CannotCapture", "jit",
    # answers that equations define
    "fixed_point", "linear_solve", "odeint", "optimize", "quad", "root", "sparse",
    # to train with
    "io", "nn", "optim", "random", "tree", "visualize",
]  # fmt: skip

names.fill(globals())

for _name, _module in list(sys.modules.items()):
    if _name.partition(".")[0] == "xgrad":
        _module.__dict__["__xgrad__"] = True  # lets an error name the user's line instead of one of ours


def __dir__() -> list[str]:
    return [*__all__, "__array_api_version__", "__version__"]
