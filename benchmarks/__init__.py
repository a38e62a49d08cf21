"""The speed of xgrad, compared with NumPy by hand and other libraries: ``python -m benchmarks [names]``."""
