"""SciPy's functions that leave the namespace of their arrays, with derivatives: the most used of them, under SciPy's names.

Most of what SciPy computes on arrays of any library needs nothing of this: see the page ``docs/scipy.md``. Here is what SciPy
does in compiled code. Arguments and results are those of SciPy's functions, on Tensors of any backend; an argument that is
not taken raises.

>>> import xgrad
>>> x = xgrad.Tensor([1.0, 2.0, 4.0], requires_grad=True)
>>> xgrad.scipy.linalg.toeplitz(x).sum().backward()
>>> x.grad
Tensor([3., 4., 2.])
"""

from __future__ import annotations

from . import fft, interpolate, linalg, ndimage, signal

__all__ = ["fft", "interpolate", "linalg", "ndimage", "signal"]
