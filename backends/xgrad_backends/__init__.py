"""The array libraries that xgrad comes with plug-ins for, one module each."""

INSTALL = {
    "numpy": "python -m pip install numpy",
    "cupy": 'python -m pip install "xgrad[cuda12]" for a driver of CUDA 12, or "xgrad[cuda13]" for CUDA 13',
    "torch": "python -m pip install torch",
    "jax": "python -m pip install jax",
    "dask": 'python -m pip install "dask[array]"',
    "strict": "python -m pip install array-api-strict",
}
"""How each library is installed."""

NAMES = tuple(INSTALL)
"""The bundled plug-ins."""

MODULES = {"jaxlib": "jax", "array_api_strict": "strict"}
"""The plug-in for a top-level module of array types, where the two names differ."""
