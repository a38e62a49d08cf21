"""Solutions of equations, optima, differential equations and integrals, and their derivatives.

A solver runs without recording. Its answer is inserted into the graph with the derivative of the equation, by the implicit
function theorem or an adjoint equation.
"""

from __future__ import annotations

from .implicit import argmin, fixed_point, linear_solve, root
from .ode import odeint
from .optimize import least_squares, minimize
from .quadrature import quad

__all__ = ["argmin", "fixed_point", "least_squares", "linear_solve", "minimize", "odeint", "quad", "root"]
