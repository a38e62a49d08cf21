"""Calls that other libraries hand over to Tensors: NumPy's functions and ufuncs, CuPy's elementwise kernels.

- ``numpy_ufuncs``: ``np.sin(x)``, ``ndarray * x``, ``np.add.reduce(x)``. The op of the same name does the work.
- ``numpy_functions``: ``np.concatenate([x, y])`` and the other functions of NumPy, looked up in a table.
- ``numpy_table``: that table, and what its functions do to their arguments.
- ``numpy_reductions``, ``numpy_elementwise``, ``numpy_shapes``, ``numpy_indexing``, ``numpy_linear_algebra``: the functions
  in the table, by subject.
- ``numpy_names``: the names that differ between NumPy and the standard.
- ``cupy_kernels``: ``cupy_array * x``, by the same counterparts.
"""

from __future__ import annotations

from .cupy_kernels import cupy_kernel
from .numpy_functions import array_function
from .numpy_ufuncs import array_ufunc

__all__ = ["array_function", "array_ufunc", "cupy_kernel"]
