"""Derivatives as functions: `grad`, `vjp`, `jvp`, `jacobian`, `hessian` and their kin, over the engine's walk.

A transform calls the function on new nodes, one for each argument, and walks back to just those. Where an argument was
part of a graph already its new node is a child of the old one, so that everything here nests, in any mixture, and inside
code that calls ``backward()``; two transforms never take each other's nodes for their own, and the `grad` of a user's
tensors is never touched. Arrays come back where arrays were given, and Tensors for Tensors; what depends on a tensor
outside that requires grad comes back as a Tensor that requires grad in any case.
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
