"""One call or more of every name of the standard, as functions of a raw namespace and of ``a``, which makes its arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["CALLS"]

M = [[1.0, 2.5, -0.5], [0.5, -1.5, 2.0]]
T = [[[1.0, -2.0], [3.0, 4.5]], [[0.5, 6.0], [-7.0, 8.0]]]
S = [[2.0, 0.5, 0.1], [0.5, 3.0, 0.2], [0.1, 0.2, 1.5]]
U = [0.1, 0.4, 0.9]
I = [[3, 1, 2], [4, 0, 5]]
B = [[True, False, True], [False, False, True]]

Call = Callable[[Any, Any], Any]
CALLS: dict[str, list[Call]] = {}


def _add(names: str, *calls: Callable[[Any, Any, Any], Any]) -> None:
    for name in names.split():

        def bind(call: Callable[[Any, Any, Any], Any], name: str = name) -> Call:
            def run(xp: Any, a: Any) -> Any:
                f = xp
                for part in name.split("."):
                    f = getattr(f, part)
                return call(f, xp, a)

            return run

        CALLS.setdefault(name, []).extend(bind(call) for call in calls)


_add("e pi inf nan newaxis", lambda f, xp, a: f)
_add(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128",
    lambda f, xp, a: xp.zeros(2, dtype=f),
)

# creation
_add("arange", lambda f, xp, a: f(4), lambda f, xp, a: f(1.0, 3.0, 0.5, dtype=xp.float32), lambda f, xp, a: f(5, 1, -2))
_add(
    "asarray",
    lambda f, xp, a: f([1, 2]),
    lambda f, xp, a: f(2.5, dtype=xp.float32),
    lambda f, xp, a: f(a(M), copy=True),
    lambda f, xp, a: f(True),
)
_add("empty", lambda f, xp, a: xp.zeros_like(f((2, 3), dtype=xp.float32)))
_add("empty_like", lambda f, xp, a: xp.zeros_like(f(a(M))))
_add(
    "eye",
    lambda f, xp, a: f(3, dtype=xp.float32),
    lambda f, xp, a: f(2, 4, k=1, dtype=xp.float64),
    lambda f, xp, a: f(3, 2, k=-1, dtype=xp.float64),
)
_add("from_dlpack", lambda f, xp, a: f(a(M)))
_add("full", lambda f, xp, a: f((2, 2), 1.5, dtype=xp.float32), lambda f, xp, a: f(3, 7), lambda f, xp, a: f((), True))
_add("full_like", lambda f, xp, a: f(a(M), 2), lambda f, xp, a: f(a(I), 2, dtype=xp.float32))
_add("linspace", lambda f, xp, a: f(0.0, 1.0, 5, dtype=xp.float64), lambda f, xp, a: f(0, 1, 4, endpoint=False, dtype=xp.float64))
_add("meshgrid", lambda f, xp, a: f(a(U), a([1.0, 2.0])), lambda f, xp, a: f(a(U), a([1.0, 2.0]), indexing="ij"))
_add(
    "ones zeros",
    lambda f, xp, a: f((2, 3), dtype=xp.float32),
    lambda f, xp, a: f(3, dtype=xp.int64),
    lambda f, xp, a: f((), dtype=xp.float64),
)
_add("ones_like zeros_like", lambda f, xp, a: f(a(M)), lambda f, xp, a: f(a(I), dtype=xp.float32))
_add("tril triu", lambda f, xp, a: f(a(S)), lambda f, xp, a: f(a(S), k=1), lambda f, xp, a: f(a(T), k=-1))

# data types
_add(
    "astype",
    lambda f, xp, a: f(a(M), xp.float32),
    lambda f, xp, a: f(a(I), xp.float64, copy=False),
    lambda f, xp, a: f(a(M), xp.int32),
    lambda f, xp, a: f(a(M), xp.complex128),
    lambda f, xp, a: f(a(B), xp.float64),
)
_add(
    "can_cast",
    lambda f, xp, a: f(xp.float32, xp.float64),
    lambda f, xp, a: f(xp.float64, xp.float32),
    lambda f, xp, a: f(a(I), xp.int64),
)
_add(
    "finfo",
    lambda f, xp, a: [float(getattr(f(xp.float32), n)) for n in ("bits", "eps", "max", "min", "smallest_normal")],
    lambda f, xp, a: float(f(a(M)).eps),
    lambda f, xp, a: float(f(xp.complex64).eps),
)
_add("iinfo", lambda f, xp, a: [int(getattr(f(xp.int16), n)) for n in ("bits", "max", "min")], lambda f, xp, a: int(f(a(I)).max))
_add(
    "isdtype",
    lambda f, xp, a: [
        f(d, k)
        for d in (xp.bool, xp.int8, xp.uint8, xp.float32, xp.complex64)
        for k in (
            "bool",
            "signed integer",
            "unsigned integer",
            "integral",
            "real floating",
            "complex floating",
            "numeric",
            xp.float32,
            ("bool", xp.int8),
        )
    ],
)
_add(
    "result_type",
    lambda f, xp, a: xp.zeros(1, dtype=f(xp.float32, xp.float64)),
    lambda f, xp, a: xp.zeros(1, dtype=f(a(M), 1.0)),
    lambda f, xp, a: xp.zeros(1, dtype=f(a([1.0, 2.0], "float32"), xp.zeros((), dtype=xp.float64))),
    lambda f, xp, a: xp.zeros(1, dtype=f(xp.float32, 1j)),
)

# elementwise
_add(
    "abs acos acosh asin asinh atan atanh ceil conj cos cosh exp expm1 floor isfinite isinf isnan log log1p log2 log10 "
    "negative positive real reciprocal "
    "round sign signbit sin sinh sqrt square tan tanh trunc",
    lambda f, xp, a: f(a(U)),
    lambda f, xp, a: f(a([-1.5, 0.5, 2.5, float("inf"), float("nan")])),
    lambda f, xp, a: f(a(0.5)),
    lambda f, xp, a: f(a([], "float32")),
)
_add("signbit", lambda f, xp, a: f(a([-1.5, -0.0, 0.0, 2.0])))
_add("abs negative positive sign square ceil floor round trunc", lambda f, xp, a: f(a(I)))
_add(
    "conj real imag exp log sqrt sin cos tanh reciprocal square abs sign asin expm1 log1p log2 log10",
    lambda f, xp, a: f(a([1 + 2j, 3 - 1j, -0.5j])),
)
_two = [
    lambda f, xp, a: f(a(M), a(U)),
    lambda f, xp, a: f(a(M), 2.0),
    lambda f, xp, a: f(2.0, a(M)),
    lambda f, xp, a: f(a(M, "float32"), a(U)),
    lambda f, xp, a: f(a(M, "float32"), a(0.5)),
    lambda f, xp, a: f(a(0.5, "float32"), 2),
]
_add(
    "add atan2 copysign divide equal floor_divide greater greater_equal hypot less less_equal logaddexp maximum minimum "
    "multiply nextafter not_equal "
    "remainder subtract",
    *_two,
)
_add(
    "pow",
    lambda f, xp, a: f(a(U), a(U)),
    lambda f, xp, a: f(a(U), 2.0),
    lambda f, xp, a: f(2.0, a(U)),
    lambda f, xp, a: f(a(M, "float32"), 2),
    lambda f, xp, a: f(a(I), 2),
    lambda f, xp, a: f(a(U), a(0.5)),
)
_add(
    "bitwise_and bitwise_or bitwise_xor",
    lambda f, xp, a: f(a(I), a([1, 2, 3])),
    lambda f, xp, a: f(a(I), 1),
    lambda f, xp, a: f(a(B), a(B)),
    lambda f, xp, a: f(a(B), True),
)
_add(
    "bitwise_left_shift bitwise_right_shift",
    lambda f, xp, a: f(a(I), a([1, 2, 3])),
    lambda f, xp, a: f(a(I), 1),
    lambda f, xp, a: f(1, a(I)),
)
_add("bitwise_invert", lambda f, xp, a: f(a(I)), lambda f, xp, a: f(a(B)))
_add(
    "logical_and logical_or logical_xor",
    lambda f, xp, a: f(a(B), a([True, False, False])),
    lambda f, xp, a: f(a(B), True),
    lambda f, xp, a: f(False, a(B)),
)
_add("logical_not", lambda f, xp, a: f(a(B)))
_add(
    "clip",
    lambda f, xp, a: f(a(M), -1.0, 1.0),
    lambda f, xp, a: f(a(M), min=0),
    lambda f, xp, a: f(a(M), max=a(U)),
    lambda f, xp, a: f(a(M)),
    lambda f, xp, a: f(a(M), a(U), 2.0),
    lambda f, xp, a: f(a(M, "float32"), 0.5),
    lambda f, xp, a: f(a(I), 1, 3),
)

# indexing, searching, sorting, sets
_add(
    "take",
    lambda f, xp, a: f(a(M), a([1, 0, 1]), axis=0),
    lambda f, xp, a: f(a(U), a([2, 2])),
    lambda f, xp, a: f(a(T), a([1]), axis=-1),
)
_add(
    "take_along_axis",
    lambda f, xp, a: f(a(M), a([[0, 2, 1, 0], [1, 1, 2, 0]])),
    lambda f, xp, a: f(a(M), a([[0, 1, 1]]), axis=0),
    lambda f, xp, a: f(a(T), a([[[1, 0]], [[0, 0]]]), axis=1),
)
_add(
    "argmax argmin",
    lambda f, xp, a: f(a(M)),
    lambda f, xp, a: f(a(M), axis=1),
    lambda f, xp, a: f(a(M), axis=0, keepdims=True),
    lambda f, xp, a: f(a(M), keepdims=True),
)
_add(
    "count_nonzero",
    lambda f, xp, a: f(a(I)),
    lambda f, xp, a: f(a(I), axis=0),
    lambda f, xp, a: f(a(B), axis=1, keepdims=True),
    lambda f, xp, a: f(a(T), axis=(0, 2)),
)
_add("nonzero", lambda f, xp, a: f(a(I)), lambda f, xp, a: f(a(B)))
_add(
    "searchsorted",
    lambda f, xp, a: f(a(U), a([0.0, 0.4, 2.0])),
    lambda f, xp, a: f(a(U), a([[0.4], [0.5]]), side="right"),
    lambda f, xp, a: f(a([0.9, 0.1, 0.4]), a([0.2, 0.4]), sorter=a([1, 2, 0])),
)
_add(
    "where",
    lambda f, xp, a: f(a(B), a(M), a(U)),
    lambda f, xp, a: f(a(B), a(M), 0.0),
    lambda f, xp, a: f(a(B), 1, a(M, "float32")),
    lambda f, xp, a: f(a(B), a(M, "float32"), a(M)),
    lambda f, xp, a: f(a(True), a(M, "float32"), a(0.5)),
)
_add(
    "argsort sort",
    lambda f, xp, a: f(a(M)),
    lambda f, xp, a: f(a(M), axis=0, descending=True),
    lambda f, xp, a: f(a([2, 1, 2, 1, 3]), stable=True),
    lambda f, xp, a: f(a([2, 1, 2, 1, 3]), descending=True),
)
_add(
    "unique_all unique_counts unique_inverse unique_values",
    lambda f, xp, a: f(a([[3, 1, 3], [2, 1, 1]])),
    lambda f, xp, a: f(a([2.5, 1.0, 2.5])),
)

# linear algebra
_add(
    "matmul linalg.matmul",
    lambda f, xp, a: f(a(M), a(S)),
    lambda f, xp, a: f(a(U), a(S)),
    lambda f, xp, a: f(a(T), a([1.0, 2.0])),
    lambda f, xp, a: f(a(U), a(U)),
    lambda f, xp, a: f(a(M, "float32"), a(S)),
)
_add("matrix_transpose linalg.matrix_transpose", lambda f, xp, a: f(a(M)), lambda f, xp, a: f(a(T)))
_add(
    "tensordot linalg.tensordot",
    lambda f, xp, a: f(a(T), a(T)),
    lambda f, xp, a: f(a(T), a(T), axes=1),
    lambda f, xp, a: f(a(T), a(T), axes=((0, 1), (1, 2))),
    lambda f, xp, a: f(a(U), a(U), axes=0),
)
_add(
    "vecdot linalg.vecdot",
    lambda f, xp, a: f(a(M), a(U)),
    lambda f, xp, a: f(a(M), a(M), axis=-2),
    lambda f, xp, a: f(a([1j, 2.0]), a([3j, 1.0])),
)
_add("linalg.cholesky", lambda f, xp, a: f(a(S)), lambda f, xp, a: f(a([S, S]), upper=True))
_add("linalg.cross", lambda f, xp, a: f(a(U), a([1.0, 2.0, 3.0])), lambda f, xp, a: f(a(M), a(U), axis=-1))
_add(
    "linalg.det linalg.inv linalg.eigvalsh linalg.slogdet linalg.pinv linalg.svdvals "
    "linalg.matrix_rank linalg.trace linalg.diagonal linalg.matrix_norm",
    lambda f, xp, a: f(a(S)),
    lambda f, xp, a: f(a([S, S])),
)
_add(
    "linalg.matrix_norm",
    lambda f, xp, a: f(a(S)),
    lambda f, xp, a: f(a([S, S]), keepdims=True),
    lambda f, xp, a: f(a(M), ord=2),
    lambda f, xp, a: f(a(M), ord="nuc"),
    lambda f, xp, a: f(a(M), ord=1),
    lambda f, xp, a: f(a(M), ord=float("inf")),
)
_add("linalg.diagonal", lambda f, xp, a: f(a(S)), lambda f, xp, a: f(a([S, S]), offset=1), lambda f, xp, a: f(a(M), offset=-1))
_add(
    "linalg.trace",
    lambda f, xp, a: f(a(S)),
    lambda f, xp, a: f(a([S, S]), offset=1),
    lambda f, xp, a: f(a(I)),
    lambda f, xp, a: f(a(S), dtype=xp.float32),
)
_add("linalg.pinv", lambda f, xp, a: f(a(M)), lambda f, xp, a: f(a(S), rtol=1e-6))
_add("linalg.matrix_rank", lambda f, xp, a: f(a(S)), lambda f, xp, a: f(a([S, S])), lambda f, xp, a: f(a(S), rtol=0.5))
_add(
    "linalg.eigh",
    lambda f, xp, a: (lambda w, v: (w, (v * w) @ xp.matrix_transpose(v)))(*f(a(S))),
    lambda f, xp, a: f(a([S, S])).eigenvalues,
)
_add(
    "linalg.qr",
    lambda f, xp, a: (lambda q, r: q @ r)(*f(a(S))),
    lambda f, xp, a: xp.abs(f(a(M)).R),
    lambda f, xp, a: xp.abs(f(xp.matrix_transpose(a(M)), mode="complete").Q)[:, :2],
)
_add(
    "linalg.svd",
    lambda f, xp, a: (lambda u, s, vh: (u * s) @ vh)(*f(a(M), full_matrices=False)),
    lambda f, xp, a: f(a(M)).S,
    lambda f, xp, a: xp.abs(f(a(M)).Vh)[:2, :],
)
_add("linalg.matrix_power", lambda f, xp, a: f(a(S), 3), lambda f, xp, a: f(a(S), -1), lambda f, xp, a: f(a([S, S]), 0))
_add("linalg.outer", lambda f, xp, a: f(a(U), a([1.0, 2.0])))
_add(
    "linalg.solve",
    lambda f, xp, a: f(a(S), a(U)),
    lambda f, xp, a: f(a(S), a([[1.0], [2.0], [3.0]])),
    lambda f, xp, a: f(a([S, S]), a(S)),
    lambda f, xp, a: f(a([S, S]), a(U)),
)
_add(
    "linalg.vector_norm",
    lambda f, xp, a: f(a(M)),
    lambda f, xp, a: f(a(M), axis=1),
    lambda f, xp, a: f(a(T), axis=(0, 2), keepdims=True),
    lambda f, xp, a: f(a(M), ord=1),
    lambda f, xp, a: f(a(M), ord=float("inf"), axis=0),
    lambda f, xp, a: f(a(M), ord=0),
    lambda f, xp, a: f(a(M), keepdims=True),
    lambda f, xp, a: f(a(M), axis=1, ord=3),
)

# manipulation
_add("broadcast_arrays", lambda f, xp, a: f(a(M), a(U)))
_add("broadcast_to", lambda f, xp, a: f(a(U), (2, 3)), lambda f, xp, a: f(a(0.5), (2, 0)))
_add(
    "concat",
    lambda f, xp, a: f([a(M), a(M)]),
    lambda f, xp, a: f((a(M), a(M, "float32")), axis=1),
    lambda f, xp, a: f([a(M), a(U)], axis=None),
)
_add("expand_dims", lambda f, xp, a: f(a(M), 1), lambda f, xp, a: f(a(M), axis=-1))
_add("flip", lambda f, xp, a: f(a(M)), lambda f, xp, a: f(a(M), axis=1), lambda f, xp, a: f(a(T), axis=(0, -1)))
_add("moveaxis", lambda f, xp, a: f(a(T), 0, -1), lambda f, xp, a: f(a(T), (0, 1), (1, 2)))
_add("permute_dims", lambda f, xp, a: f(a(M), (1, 0)), lambda f, xp, a: f(a(T), axes=(2, 0, 1)))
_add(
    "repeat",
    lambda f, xp, a: f(a(U), 2),
    lambda f, xp, a: f(a(M), 2, axis=0),
    lambda f, xp, a: f(a(U), a([1, 0, 2])),
    lambda f, xp, a: f(a(M), a([1, 0, 2]), axis=1),
    lambda f, xp, a: f(a(M), 2),
)
_add(
    "reshape",
    lambda f, xp, a: f(a(M), (3, 2)),
    lambda f, xp, a: f(a(M), (-1,)),
    lambda f, xp, a: f(a(0.5), (1, 1)),
    lambda f, xp, a: f(a(M), (6,), copy=True),
)
_add("roll", lambda f, xp, a: f(a(M), 1), lambda f, xp, a: f(a(M), 2, axis=1), lambda f, xp, a: f(a(T), (1, -1), axis=(0, 2)))
_add("squeeze", lambda f, xp, a: f(a([U]), 0), lambda f, xp, a: f(a([[[1.0, 2.0]]]), axis=(0, 1)))
_add("stack", lambda f, xp, a: f([a(M), a(M)]), lambda f, xp, a: f((a(U), a(U, "float32")), axis=-1))
_add("tile", lambda f, xp, a: f(a(M), (2, 1)), lambda f, xp, a: f(a(U), (2, 2)), lambda f, xp, a: f(a(T), (2,)))
_add("unstack", lambda f, xp, a: f(a(M)), lambda f, xp, a: f(a(T), axis=-1))

# statistics and utilities
_add(
    "cumulative_prod cumulative_sum",
    lambda f, xp, a: f(a(U)),
    lambda f, xp, a: f(a(M), axis=1),
    lambda f, xp, a: f(a(M), axis=0, include_initial=True),
    lambda f, xp, a: f(a(I), axis=-1),
    lambda f, xp, a: f(a(I), axis=0, dtype=xp.float32),
    lambda f, xp, a: f(a(U, "float32"), include_initial=True),
)
_add(
    "max min mean std var all any",
    lambda f, xp, a: f(a(M)),
    lambda f, xp, a: f(a(M), axis=0),
    lambda f, xp, a: f(a(T), axis=(0, -1), keepdims=True),
    lambda f, xp, a: f(a(T), axis=(0, 2)),
    lambda f, xp, a: f(a(M, "float32"), axis=1),
    lambda f, xp, a: f(a(0.5)),
    lambda f, xp, a: f(a(M), keepdims=True),
)
_add(
    "std var",
    lambda f, xp, a: f(a(M)),
    lambda f, xp, a: f(a(M), axis=1, correction=1),
    lambda f, xp, a: f(a(T), axis=(0, 2), correction=0.5, keepdims=True),
)
_add(
    "prod sum",
    lambda f, xp, a: f(a(M)),
    lambda f, xp, a: f(a(I)),
    lambda f, xp, a: f(a(I, "int32")),
    lambda f, xp, a: f(a(I, "uint8")),
    lambda f, xp, a: f(a(M, "float32"), axis=1),
    lambda f, xp, a: f(a(T), axis=(0, 2), keepdims=True),
    lambda f, xp, a: f(a(M), axis=0, dtype=xp.float32),
    lambda f, xp, a: f(a(B)),
    lambda f, xp, a: f(a([], "float32")),
    lambda f, xp, a: f(a(T), axis=()),
)
_add(
    "diff",
    lambda f, xp, a: f(a(M)),
    lambda f, xp, a: f(a(M), axis=0),
    lambda f, xp, a: f(a(U), n=2),
    lambda f, xp, a: f(a(U), prepend=a([0.0]), append=a([2.0])),
)

# fft
_add(
    "fft.fft fft.ifft",
    lambda f, xp, a: f(a([1j, 2.0, 3.0])),
    lambda f, xp, a: f(a([[1j, 2.0, 3.0]]), n=5, norm="ortho"),
    lambda f, xp, a: f(a([[1j, 2.0], [3.0, 1.0]]), axis=0, norm="forward"),
    lambda f, xp, a: f(xp.astype(a([1j, 2.0, 3.0]), xp.complex64)),
)
_add(
    "fft.fftn fft.ifftn",
    lambda f, xp, a: f(a([[1j, 2.0], [3.0, 1.0]])),
    lambda f, xp, a: f(a([[1j, 2.0], [3.0, 1.0]]), s=(3, 4), axes=(0, 1), norm="ortho"),
)
_add("fft.rfft fft.ihfft", lambda f, xp, a: f(a(U)), lambda f, xp, a: f(a(M), n=4, axis=0, norm="ortho"))
_add(
    "fft.irfft fft.hfft",
    lambda f, xp, a: f(a([1.0 + 0j, 2 + 1j, 3.0 + 0j])),
    lambda f, xp, a: f(a([1.0 + 0j, 2 + 1j, 3.0 + 1j]), n=5, norm="forward"),
)
_add("fft.rfftn", lambda f, xp, a: f(a(M)), lambda f, xp, a: f(a(T), axes=(0, 1), norm="ortho"))
_add("fft.irfftn", lambda f, xp, a: f(a([[1.0 + 0j, 2 + 1j], [2.0 + 0j, 2 - 1j]]), s=(2, 3), axes=(0, 1)))
_add("fft.fftfreq fft.rfftfreq", lambda f, xp, a: f(5, d=0.5, dtype=xp.float64), lambda f, xp, a: f(4, dtype=xp.float32))
_add(
    "fft.fftshift fft.ifftshift",
    lambda f, xp, a: f(a(U)),
    lambda f, xp, a: f(a(M), axes=1),
    lambda f, xp, a: f(a(M), axes=(0, 1)),
)
_add(
    "__array_namespace_info__",
    lambda f, xp, a: sorted(f().capabilities())[:1],
    lambda f, xp, a: f().default_device() is not None or True,
    lambda f, xp, a: "float32" in f().dtypes(),
    lambda f, xp, a: len(f().devices()) > 0,
    lambda f, xp, a: "integral" in f().default_dtypes(),
)
