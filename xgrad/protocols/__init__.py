"""Calls that other libraries hand over: NumPy's functions, CuPy's kernels."""
