"""The array libraries that xgrad comes with plug-ins for, one module each."""

NAMES = ("numpy", "cupy", "torch", "jax", "dask", "strict")
"""The bundled plug-ins."""

MODULES = {"jaxlib": "jax", "array_api_strict": "strict"}
"""The plug-in for a top-level module of array types, where the two names differ."""
