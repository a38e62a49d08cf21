"""Functions under SciPy's names, with derivatives, for the most used of those that SciPy computes in compiled code.

Many functions of SciPy itself compute on arrays of any library and take Tensors: see the page ``docs/scipy.md``. Those in
compiled code do not. The functions here have SciPy's arguments and results, on Tensors of any backend; an argument that is
not supported raises.

>>> import xgrad
>>> x = xgrad.Tensor([1.0, 2.0, 4.0], requires_grad=True)
>>> xgrad.scipy.linalg.toeplitz(x).sum().backward()
>>> x.grad
Tensor([3., 4., 2.])
"""

from __future__ import annotations

from . import fft, interpolate, linalg, ndimage, signal

__all__ = ["fft", "interpolate", "linalg", "ndimage", "signal"]
