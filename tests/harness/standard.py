"""The names of the Python Array API standard and of its extensions ``linalg`` and ``fft``.

From the specification, versions 2024.12 and 2025.12 (https://data-apis.org/array-api/latest/API_specification/), chapter
by chapter; what 2025.12 adds to 2024.12 stands apart, in `ADDED`.
"""

from __future__ import annotations

CHAPTERS: dict[str, str] = {
    "creation": """arange asarray empty empty_like eye from_dlpack full full_like linspace meshgrid ones ones_like tril triu
        zeros zeros_like""",
    "data_type": "astype can_cast finfo iinfo isdtype result_type",
    "elementwise": """abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_invert bitwise_or
        bitwise_right_shift bitwise_xor ceil clip conj copysign cos cosh divide equal exp expm1 floor floor_divide greater
        greater_equal hypot imag isfinite isinf isnan less less_equal log log1p log2 log10 logaddexp logical_and logical_not
        logical_or logical_xor maximum minimum multiply negative nextafter not_equal positive pow real reciprocal remainder
        round sign signbit sin sinh square sqrt subtract tan tanh trunc""",
    "indexing": "take take_along_axis",
    "linear_algebra": "matmul matrix_transpose tensordot vecdot",
    "manipulation": """broadcast_arrays broadcast_to concat expand_dims flip moveaxis permute_dims repeat reshape roll squeeze
        stack tile unstack""",
    "searching": "argmax argmin count_nonzero nonzero searchsorted where",
    "set": "unique_all unique_counts unique_inverse unique_values",
    "sorting": "argsort sort",
    "statistical": "cumulative_prod cumulative_sum max mean min prod std sum var",
    "utility": "all any diff",
}

ADDED: dict[str, str] = {"manipulation": "broadcast_shapes", "set": "isin"}
"""What 2025.12 adds."""

EXTENSIONS: dict[str, str] = {
    "linalg": """cholesky cross det diagonal eig eigh eigvals eigvalsh inv matmul matrix_norm matrix_power matrix_rank
        matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm""",
    "fft": "fft ifft fftn ifftn rfft irfft rfftn irfftn hfft ihfft fftfreq rfftfreq fftshift ifftshift",
}

FUNCTIONS = sorted(" ".join([*CHAPTERS.values(), *ADDED.values()]).split())

ALL = frozenset(" ".join([*FUNCTIONS, *EXTENSIONS.values()]).split())
"""The functions of the standard and of its extensions."""

CONSTANTS = "e inf nan newaxis pi".split()

DTYPES = """bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128""".split()

INSPECTION = "can_cast finfo iinfo isdtype result_type broadcast_shapes".split()
"""Functions that answer with a fact about dtypes or shapes and make no array: the one class that is declared here."""

METHODS = """__abs__ __add__ __and__ __array_namespace__ __bool__ __complex__ __dlpack__ __dlpack_device__ __eq__ __float__
    __floordiv__ __ge__ __getitem__ __gt__ __index__ __int__ __invert__ __le__ __lshift__ __lt__ __matmul__ __mod__ __mul__
    __ne__ __neg__ __or__ __pos__ __pow__ __rshift__ __setitem__ __sub__ __truediv__ __xor__ to_device
    __iadd__ __isub__ __imul__ __itruediv__ __ifloordiv__ __imod__ __ipow__ __imatmul__ __iand__ __ior__ __ixor__ __ilshift__
    __irshift__ __radd__ __rsub__ __rmul__ __rtruediv__ __rfloordiv__ __rmod__ __rpow__ __rmatmul__ __rand__ __ror__ __rxor__
    __rlshift__ __rrshift__""".split()

ATTRIBUTES = "dtype device mT ndim shape size T".split()
