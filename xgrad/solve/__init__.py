"""Answers that equations define: roots, optima, differential equations, integrals; and derivatives of them.

A solver runs without recording. Its answer enters the graph with the derivative that the equation has there, by the implicit
function theorem or an adjoint equation.
"""

from __future__ import annotations

from .implicit import argmin, fixed_point, linear_solve, root
from .ode import odeint
from .optimize import least_squares, minimize
from .quadrature import quad

__all__ = ["argmin", "fixed_point", "least_squares", "linear_solve", "minimize", "odeint", "quad", "root"]
