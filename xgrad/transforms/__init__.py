"""Transforms of functions: `grad`, `vjp`, `jvp`, `jacobian`, `hessian`, `vmap`, `checkpoint` and custom derivatives.

A transform calls the function on new nodes, one for each array in its arguments, and walks the graph between these and the
results only. If an argument is part of a graph, its new node is a child of the old one: transforms nest in any combination, and
inside code that calls ``backward()``. The `grad` of the user's tensors is not changed. Results are arrays for arrays, and Tensors
for Tensors; a result that depends on a tensor outside that requires grad is a Tensor that requires grad.
"""

from __future__ import annotations

from ..engine.watch import once_differentiable
from .checkpoint import checkpoint
from .custom import custom_jvp, custom_vjp
from .gradients import grad, stop_gradient, value_and_grad, vjp
from .jacobians import hessian, jacfwd, jacobian, jacrev
from .tangents import ggnvp, hvp, jvp, linearize
from .vmap import vmap

__all__ = [
    "checkpoint", "custom_jvp", "custom_vjp", "ggnvp", "grad", "hessian", "hvp", "jacfwd", "jacobian", "jacrev", "jvp",
    "linearize", "once_differentiable", "stop_gradient", "value_and_grad", "vjp", "vmap",
]  # fmt: skip
