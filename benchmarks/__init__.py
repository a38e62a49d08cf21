"""How fast xgrad is, next to NumPy by hand and other libraries: ``python -m benchmarks [names]``."""
