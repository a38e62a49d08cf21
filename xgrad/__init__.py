from . import arguments, backend, engine, errors, grad_mode, memory, namespaces, numpy_protocols, ops, printing, views
from .backend import *
from .backend import DType, bool_ as bool, complex64, complex128, float16, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64, bfloat16
from .engine import ArrayLike, Tensor, composite, op
from .errors import GradientError
from .grad_mode import enable_grad, is_grad_enabled, no_grad
from .memory import guard_writes
from .namespaces import namespace
from .ops import creation, data_type, elementwise, extra, indexing, inspection, linear_algebra, manipulation, searching, sorting, statistical, utility
from .ops import set as set_
from .ops.creation import *
from .ops.data_type import *
from .ops.elementwise import *
from .ops.extra import *
from .ops.indexing import *
from .ops.inspection import *
from .ops.linear_algebra import *
from .ops.manipulation import *
from .ops.searching import *
from .ops.set import *
from .ops.sorting import *
from .ops.statistical import *
from .ops.utility import *
from . import io, nn, optim, random, visualize
from .value import Value

e, pi, inf, nan, newaxis = 2.718281828459045, 3.141592653589793, float("inf"), float("nan"), None
__all__ = [n for n in dict(globals()) if not n.startswith("_")]
__array_api_version__ = "2025.12"

import sys as _sys
for _name, _module in list(_sys.modules.items()):
    if _name.partition(".")[0] == "xgrad":
        _module.__dict__["__xgrad__"] = True  # so that errors can name the user's line instead of one in here
