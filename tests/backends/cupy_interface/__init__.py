"""CuPy's interface over NumPy's values: what can be known of the CuPy backend on a machine without a GPU.

It has the real CuPy's names, signatures, types of ufuncs and strictness, taken from the installed package, which is
imported but never asked for a device. The values are NumPy's and SciPy's. It counts calls, kernel launches, host
synchronisations and uploads, with the line of xgrad that caused each. It is evidence about the interface, and none about
kernels, precision or speed.

``pytest -p tests.backends.cupy_interface.plugin --backend cupy tests/test_table.py`` puts it in CuPy's place.
"""

from __future__ import annotations

import sys


def is_active() -> bool:
    """Whether the emulator is in CuPy's place."""
    return getattr(sys.modules.get("cupy"), "is_emulated", False)
