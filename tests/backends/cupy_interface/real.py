"""The installed CuPy, whose names, signatures and types are taken. Nothing of it that needs a device is called."""

from __future__ import annotations

import cupy
import cupy.fft
import cupy.linalg
import cupy.random
import cupyx
import cupyx.scipy.special

__all__ = ["cupy", "cupyx", "special"]

special = cupyx.scipy.special
