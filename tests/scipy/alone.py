"""Importing this keeps every array library but NumPy out of the process, so that none can lend a hand."""

from __future__ import annotations

import os
import sys
from typing import Any

OTHERS = ("torch", "jax", "jaxlib", "cupy", "dask", "array_api_strict")


class Alone:
    """An import hook that finds none of `OTHERS`."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] in OTHERS:
            raise ModuleNotFoundError(f"{name} is kept out of this process", name=name)


sys.meta_path.insert(0, Alone())  # type: ignore[arg-type]
os.environ.setdefault("SCIPY_ARRAY_API", "1")  # SciPy looks at it once, when it is first imported
