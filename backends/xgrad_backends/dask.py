"""Dask: arrays in blocks, computed when their values are needed; for data that does not fit in memory.

Functions that dask lacks run on NumPy: lazily and block by block if the shape of the result is known. Functions whose shape
depends on values (``nonzero``, ``unique_values``) compute at once.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import array_api_compat.dask.array
import array_api_compat.numpy
import dask.array
import numpy

from xgrad.backend import Backend
from xgrad_backends import sums
from xgrad_backends.numpy import from_parts, scipy_special


class Plugin(Backend):
    """dask.array through array-api-compat."""

    name = "dask"
    capture_problem = "functions of Dask's arrays make a graph that is computed as a whole already"

    def import_namespace(self) -> Any:
        return array_api_compat.dask.array

    def amend(self) -> Mapping[str, Any]:
        at_once = {name: _at_once(name) for name in ("nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values")}
        linalg = {f"linalg.{name}": _blockwise(name, signature) for name, signature in _LINALG.items()}
        more = {"eye": _eye, "from_dlpack": _from_dlpack, "repeat": _repeat, "searchsorted": _searchsorted}
        more |= {
            "reshape": _reshape,
            "take": _take_whole,
            "take_along_axis": _take_along_axis,
            "linalg.matrix_norm": _matrix_norm,
            "linalg.pinv": _pinv,
            "linalg.cross": _cross,
            "linalg.solve": _solve,
            "linalg.qr": _qr,
        }
        more |= {"sum": _sum, "mean": _mean, "var": _var}
        fft = {f"fft.{name}": _whole_axes(name) for name in _FFT}
        return {**at_once, **linalg, **more, **fft, "linalg.svd": _svd}

    def check(self, x: Any) -> None:
        _known(x, "an array of unknown shape")
        super().check(x)

    def to_numpy(self, x: Any) -> Any:
        return numpy.array(x.compute())

    def computed(self, x: Any) -> Any:
        return x.persist()

    def from_numpy(self, x: Any, device: Any = None) -> Any:
        return dask.array.from_array(numpy.array(x))  # a copy, since dask reads it later

    def device(self, x: Any) -> Any:
        return "cpu"

    def to_device(self, x: Any, device: Any) -> Any:
        if device != "cpu":
            raise ValueError(f"dask arrays of NumPy blocks live on device 'cpu', not on {device!r}")
        return x

    def owns_memory(self, x: Any) -> bool:
        return True  # a write changes the graph of one array and no memory

    def get_item(self, x: Any, key: Any) -> Any:
        # dask reads slices with positive steps, one 1-d array of indices, or a mask. Anything else reads flat positions.
        arrays = [part for part in _parts(key) if getattr(part, "shape", ()) != ()]
        plain = _forwards(tuple(part for part in _parts(key) if getattr(part, "shape", ()) == ()))
        alone = not any(
            isinstance(part, int) for part in _parts(key)
        )  # beside an integer, the axis of an array has another place
        one = len(arrays) == 1 and arrays[0].ndim == 1 and alone
        one = one and not (x.dtype.kind == "c" and arrays[0].dtype.kind in "iu")  # there dask casts complex numbers to indices
        if plain and (one or not arrays):
            return _known(x[tuple(map(_one_on_host, _parts(key)))], "the shape of x[mask]")
        if any(part.dtype.kind == "b" for part in arrays):
            return _known(x[key], "the shape of x[mask]")
        at = self.flat_positions(x, key)
        return _reshape(dask.array.take(_reshape(x, (-1,)), at.reshape(-1), axis=0), at.shape)

    def from_parts(self, re: Any, im: Any) -> Any:
        return dask.array.core.elemwise(from_parts, re, im)

    def set_item(self, x: Any, key: Any, value: Any) -> Any:
        if _forwards(key):
            return super().set_item(x, key, value) if x[key].size else x  # dask cannot write zero elements
        return self._at(x, key, value, numpy.put)

    def scatter_add(self, x: Any, key: Any, value: Any) -> Any:
        if _forwards(key):
            return self.set_item(x, key, self.get_item(x, key) + value)
        return self._at(x, key, value, numpy.add.at)

    def special(self, name: str) -> Callable[..., Any] | None:
        function = scipy_special(name)
        return None if function is None else functools.partial(dask.array.core.elemwise, function)

    def _at(self, x: Any, key: Any, value: Any, write: Callable[[Any, Any, Any], None]) -> Any:
        at = self.flat_positions(x, key)
        if at.size == 0:
            return x
        values = _reshape(dask.array.broadcast_to(_known(dask.array.asarray(value), "a shape"), at.shape), (-1,))

        def written(x: Any, values: Any) -> Any:
            out = x.copy()
            write(out, at.reshape(-1), values)
            return out

        flat = _reshape(x, (-1,))
        out = dask.array.apply_gufunc(written, "(n),(m)->(n)", flat, values, output_dtypes=x.dtype, allow_rechunk=True)
        return dask.array.reshape(out, x.shape)

    def flat_positions(self, x: Any, key: Any) -> Any:
        key = tuple(map(_host, _parts(key)))
        return numpy.arange(math.prod(x.shape)).reshape(x.shape)[key]


def _host(part: Any) -> Any:
    return part.compute() if isinstance(part, dask.array.Array) else part


def _one_on_host(part: Any) -> Any:
    """An index array of one element, read to the host: by such an array Dask 2026.8 declares the shape of the whole axis."""
    one = isinstance(part, dask.array.Array) and part.shape == (1,) and part.dtype.kind in "iu"
    return part.compute() if one else part


def _parts(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _forwards(key: Any) -> bool:
    """Whether an index has only integers and slices with positive steps, which dask reads and writes as NumPy does."""
    return all(
        p is ... or (isinstance(p, int) and not isinstance(p, bool)) or (isinstance(p, slice) and (p.step or 1) > 0)
        for p in _parts(key)
    )


def _known(x: Any, what: str) -> Any:
    if any(math.isnan(n) for n in x.shape):
        raise ValueError(
            f"{what} depends on values that dask has not computed; use where(mask, x, 0), or compute the sizes first "
            "with the dask array's compute_chunk_sizes()"
        )
    return x


def _at_once(name: str) -> Callable[..., Any]:
    function = getattr(array_api_compat.numpy, name)

    def run(x: Any, /) -> Any:
        result = function(x.compute())
        if not isinstance(result, tuple):
            return dask.array.from_array(result)
        parts = [dask.array.from_array(part) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)

    return run


def _sum(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    if dtype is None and x.dtype.kind not in "fc":
        return array_api_compat.dask.array.sum(x, axis=axis, keepdims=keepdims)
    own = x.dtype if dtype is None else numpy.dtype(dtype)
    y = _total(x.astype(own), axis, keepdims)
    return y if y.dtype == own else y.astype(own)


def _total(x: Any, axis: Any, keepdims: bool) -> Any:
    """The sum; that of float16 is in float32."""
    x = x.astype("float32") if x.dtype == "float16" else x
    return dask.array.reduction(x, sums.sum, sums.sum, axis=axis, keepdims=keepdims, dtype=x.dtype)


def _mean(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    if x.dtype.kind not in "fc" or not x.size:
        return array_api_compat.dask.array.mean(x, axis=axis, keepdims=keepdims)
    return (_total(x, axis, keepdims) / sums.count(x, axis)).astype(x.dtype)


def _var(x: Any, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Any:
    n = sums.count(x, axis)
    if x.dtype.kind != "f" or n <= correction:
        return array_api_compat.dask.array.var(x, axis=axis, correction=correction, keepdims=keepdims)
    away = x - _total(x, axis, True) / n
    return (_total(away * away, axis, keepdims) / (n - correction)).astype(x.dtype)


def _eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Any:
    return dask.array.from_array(numpy.eye(n_rows, n_cols, k=k, dtype=dtype))


def _from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
    if isinstance(x, dask.array.Array):
        return x
    return dask.array.from_array(numpy.array(numpy.from_dlpack(x)))


def _reshape(x: Any, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Any:
    try:
        return dask.array.reshape(x, shape)
    except NotImplementedError:  # the blocks do not fit the new shape: merge them
        return dask.array.reshape(x.rechunk(-1), shape)


def _repeat(x: Any, repeats: Any, /, *, axis: int | None = None) -> Any:
    if axis is None:
        x, axis = _reshape(x, (-1,)), 0
    return dask.array.take(x, numpy.repeat(numpy.arange(x.shape[axis]), _host(repeats)), axis=axis)


def _searchsorted(x1: Any, x2: Any, /, *, side: str = "left", sorter: Any = None) -> Any:
    x1 = x1 if sorter is None else dask.array.take(x1, sorter, axis=0)
    return dask.array.searchsorted(x1.rechunk(-1), x2, side=side)


def _gufunc(function: Callable[..., Any], signature: str, *arrays: Any, **sizes: int) -> Any:
    """Map `function`, which needs whole core axes, over the blocks of the other axes.

    A call with small arrays finds the dtypes of the results, and how many there are.
    """
    axes = signature.partition("->")[0].strip("()").split("),(")
    tiny = [(numpy.eye(2) if "," in core else numpy.ones(2)).astype(x.dtype) for core, x in zip(axes, arrays)]
    trial = function(*tiny)
    several = isinstance(trial, tuple)
    dtypes = [t.dtype for t in trial] if several else trial.dtype
    result = dask.array.apply_gufunc(
        function, signature, *arrays, output_dtypes=dtypes, output_sizes=sizes or None, allow_rechunk=True
    )
    return type(trial)(*result) if several else result


_LINALG = {
    "cholesky": "(n,n)->(n,n)",
    "det": "(n,n)->()",
    "eigh": "(n,n)->(n),(n,n)",
    "eigvalsh": "(n,n)->(n)",
    "inv": "(n,n)->(n,n)",
    "matrix_power": "(n,n)->(n,n)",
    "matrix_rank": "(m,n)->()",
    "pinv": "(m,n)->(n,m)",
    "slogdet": "(n,n)->(),()",
    "svdvals": "(m,n)->(k)",
}
_FFT = ["fft", "ifft", "fftn", "ifftn", "rfft", "irfft", "rfftn", "irfftn", "hfft", "ihfft"]


def _blockwise(name: str, signature: str) -> Callable[..., Any]:
    function = getattr(array_api_compat.numpy.linalg, name)

    def run(x: Any, /, *args: Any, **options: Any) -> Any:
        sizes = {"k": min(x.shape[-2:])} if "k" in signature else {}
        return _gufunc(lambda x: function(x, *map(_host, args), **options), signature, x, **sizes)

    return run


_pinv_of_one_tolerance = _blockwise("pinv", _LINALG["pinv"])


def _pinv(x: Any, /, *, rtol: Any = None) -> Any:
    if not getattr(rtol, "ndim", 0):
        return _pinv_of_one_tolerance(x, rtol=rtol)
    u, s, vh = _svd(x, full_matrices=False)  # tolerances for each matrix are a second array, with blocks of its own
    kept = s > rtol[..., None] * dask.array.max(s, axis=-1, keepdims=True)
    inverse = dask.array.where(kept, 1 / dask.array.where(kept, s, 1), 0)
    return (vh.conj().swapaxes(-1, -2) * inverse[..., None, :]) @ u.conj().swapaxes(-1, -2)


def _matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    norm = _gufunc(lambda x: array_api_compat.numpy.linalg.matrix_norm(x, ord=ord), "(m,n)->()", x)
    return norm[..., None, None] if keepdims else norm


def _qr(x: Any, /, *, mode: Any = "reduced") -> Any:
    k = min(x.shape[-2:])
    signature, sizes = ("(m,n)->(m,k),(k,n)", {"k": k}) if mode == "reduced" else ("(m,n)->(m,m),(m,n)", {})
    return _gufunc(lambda x: array_api_compat.numpy.linalg.qr(x, mode=mode), signature, x, **sizes)


def _svd(x: Any, /, *, full_matrices: bool = True) -> Any:
    signature = "(m,n)->(m,m),(k),(n,n)" if full_matrices else "(m,n)->(m,k),(k),(k,n)"
    svd = array_api_compat.numpy.linalg.svd
    return _gufunc(lambda x: svd(x, full_matrices=full_matrices), signature, x, k=min(x.shape[-2:]))


def _solve(x1: Any, x2: Any, /) -> Any:
    solve = numpy.linalg.solve
    if x2.ndim == 1:
        return _gufunc(lambda a, b: solve(a, b[..., None])[..., 0], "(n,n),(n)->(n)", x1, x2)
    return _gufunc(solve, "(n,n),(n,k)->(n,k)", x1, x2)


def _cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    i, j = [1, 2, 0], [2, 0, 1]
    x1, x2 = dask.array.broadcast_arrays(x1, x2)
    a, b = (dask.array.moveaxis(x, axis, -1) for x in (x1, x2))
    return dask.array.moveaxis(a[..., i] * b[..., j] - a[..., j] * b[..., i], -1, axis)


def _take_whole(x: Any, indices: Any, /, *, axis: int | None = None) -> Any:
    if axis is None:
        x, axis = _reshape(x, (-1,)), 0
    return dask.array.take(x, _one_on_host(indices), axis=axis)


def _take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> Any:
    a, at = (dask.array.moveaxis(v, axis, -1) for v in (x, indices))
    taken = dask.array.apply_gufunc(_take, "(n),(m)->(m)", a, at, output_dtypes=x.dtype, allow_rechunk=True)
    return dask.array.moveaxis(taken, -1, axis)


def _take(x: Any, indices: Any) -> Any:
    lead = numpy.broadcast_shapes(x.shape[:-1], indices.shape[:-1])
    x, indices = numpy.broadcast_to(x, (*lead, x.shape[-1])), numpy.broadcast_to(indices, (*lead, indices.shape[-1]))
    return numpy.take_along_axis(x, indices, axis=-1)


def _whole_axes(name: str) -> Callable[..., Any]:
    function = getattr(array_api_compat.dask.array.fft, name)

    def run(x: Any, /, **options: Any) -> Any:
        axes = options.get("axes", options.get("axis", -1 if not name.endswith("n") else range(x.ndim)))
        axes = range(x.ndim) if axes is None else axes
        for axis in [axes] if isinstance(axes, int) else axes:
            x = x.rechunk({axis % x.ndim: -1})
        return function(x, **options)

    return run
