"""What every plug-in promises: its methods do what `Backend` says, and its namespace has the whole standard."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad.backend import Backend, BackendError, DType, backend_of, find_backend, raw_namespace
from xgrad.backend.find import ForeignBackend

from ..harness.backends import statuses
from ..harness.processes import environment
from .calls import CALLS

NAMES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128"
DTYPES = NAMES.split()


@pytest.fixture
def b(backend: str) -> Any:
    return find_backend(backend)


def with_dtype(b: Any, name: str) -> Any:
    try:
        return b.native_dtype(name)
    except TypeError:
        pytest.skip(f"{b.name} has no {name}")


def some(dtype: str) -> np.ndarray:
    values = np.array([[0, 1, 2], [3, 4, 1]])
    return (values * (1 + 2j)).astype(dtype) if dtype.startswith("complex") else values.astype(dtype)


def test_the_page_about_backends_names_each_member() -> None:
    text = (Path(xgrad.__file__).parents[1] / "docs" / "adding-a-backend.md").read_text(encoding="utf-8")
    members = {name for name in vars(Backend) if not name.startswith("_")}
    named = {name for quote in re.findall(r"`([^`\n]+)`", text) for name in re.findall(r"^\w+", quote)}
    assert not members - named
    section = text.partition("## What a plug-in may define")[2].partition("## What is done")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    assert len(rows) > 30 and {name for row in rows for name in re.findall(r"`(\w+)", row)} <= members


# ------------------------------------------------------------------------------------------------------------ conversions


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_round_trip(b: Any, dtype: str) -> None:
    with_dtype(b, dtype)
    for host in (some(dtype), some(dtype).T, some(dtype)[::-1, ::2], some(dtype)[0, 0].reshape(()), some(dtype)[:0]):
        x = b.from_numpy(host)
        back = b.to_numpy(x)
        assert backend_of(x) is b
        assert type(back) is np.ndarray and back.dtype == dtype and back.shape == host.shape and tuple(x.shape) == host.shape
        np.testing.assert_array_equal(back, host)
        assert b.dtype_of(x.dtype).name == dtype


def test_numpy_arrays_that_cannot_be_shared(b: Any) -> None:
    frozen = np.arange(4.0)
    frozen.flags.writeable = False
    np.testing.assert_array_equal(b.to_numpy(b.from_numpy(frozen)), frozen)
    np.testing.assert_array_equal(b.to_numpy(b.from_numpy(np.arange(4.0).astype(">f8").astype("f8"))), frozen)


def test_to_numpy_is_a_copy(b: Any) -> None:
    x = b.from_numpy(np.arange(4.0))
    b.to_numpy(x)[0] = 100.0
    assert b.to_numpy(x)[0] == 0.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_round_trip(b: Any, dtype: str) -> None:
    native = with_dtype(b, dtype)
    ours = b.dtype_of(native)
    assert isinstance(ours, DType) and ours.name == dtype and b.native_dtype(ours) == native
    assert ours == native and b.native_dtype(np.dtype(dtype)) == native
    assert b.xp.zeros(1, dtype=native).dtype == native


def test_float64_is_float64(b: Any) -> None:
    assert b.dtype_of(b.from_python([0.5], "float64").dtype).name == "float64"


def test_bfloat16_comes_back_as_float32(b: Any) -> None:
    with_dtype(b, "bfloat16")
    x = b.from_python([1.0, 2.5], "bfloat16")
    assert b.dtype_of(x.dtype).name == "bfloat16"
    assert b.to_numpy(x).dtype == "float32" and b.to_numpy(x).tolist() == [1.0, 2.5]


def test_as_array(b: Any) -> None:
    x = b.from_numpy(np.ones((2, 3)))
    assert type(b.as_array(b.xp.sum(x) * 2.0)) is type(x)


def test_devices(b: Any) -> None:
    x = b.from_numpy(np.arange(3, dtype="float32"))
    device = b.device(x)
    assert device is not None
    assert b.device(b.to_device(x, device)) == device
    assert b.device(b.from_numpy(np.arange(3.0), device)) == device
    for device in b.xp.__array_namespace_info__().devices():
        if device is not None and str(device) not in ("meta", "DASK_DEVICE"):
            np.testing.assert_array_equal(b.to_numpy(b.to_device(x, device)), np.arange(3.0))
    with pytest.raises((ValueError, RuntimeError, TypeError, AttributeError)):
        b.to_device(x, "no such device")


def test_clock_and_memory(b: Any) -> None:
    b.xp.sum(b.from_numpy(np.ones((50, 50))))
    b.synchronize()
    peak = b.peak_memory()
    assert peak is None or peak >= 0
    assert b.version() != "unknown"


# --------------------------------------------------------------------------------------------------- reading and writing

ROW = np.array([2, 0, 2, 2])
KEYS = {
    "int": 1,
    "slice": slice(0, 2),
    "step": (slice(None), slice(None, None, 2)),
    "negative step": slice(None, None, -1),
    "negative step of some": (slice(2, 0, -1), slice(None, None, -3)),
    "negative step of none": slice(0, 2, -1),
    "ellipsis": (..., slice(None, None, -2)),
    "newaxis": (None, 1, None, slice(1, 3)),
    "all ints": (1, 2),
    "row numbers": ROW,
    "negative numbers": np.array([-1, 0, -1]),
    "small numbers": np.array([2, 0, 2], dtype="uint8"),
    "two arrays": (ROW, np.array([1, 0, 1, 3])),
    "broadcast arrays": (np.array([[2], [0]]), np.array([1, 0, 1])),
    "2-d numbers": np.array([[0, 1], [1, 1]]),
    "numbers on an axis": (slice(None), ROW),
    "mask": np.arange(12).reshape(3, 4) % 3 == 0,
    "row mask": np.array([True, False, True]),
    "empty": np.array([], dtype="int64"),
}


def here(b: Any, key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple(here(b, part) for part in key)
    return b.from_numpy(key) if isinstance(key, np.ndarray) else key


@pytest.mark.parametrize("which", KEYS)
def test_items(b: Any, which: str) -> None:
    key = KEYS[which]
    host = np.arange(12.0).reshape(3, 4)
    old = b.from_numpy(host.copy())
    x, at = b.from_numpy(host.copy()), here(b, key)
    picked = host[key]
    if b.name == "dask" and "mask" in which:
        with pytest.raises(ValueError, match=r"compute_chunk_sizes"):
            b.get_item(x, at)
    else:
        np.testing.assert_array_equal(b.to_numpy(b.get_item(x, at)), picked)
    value = b.from_numpy(100.0 + np.arange(picked.size).reshape(picked.shape))

    added = host.copy()
    np.add.at(added, key, b.to_numpy(value))
    np.testing.assert_array_equal(b.to_numpy(b.scatter_add(x, at, value)), added)
    np.testing.assert_array_equal(b.to_numpy(b.scatter(host.shape, at, value)), added - host)

    one = b.from_numpy(np.asarray(7.0))
    put = host.copy()
    put[key] = 7.0
    np.testing.assert_array_equal(b.to_numpy(b.set_item(x, at, one)), put)
    unique = len(set(np.arange(12).reshape(3, 4)[key].ravel().tolist())) == picked.size
    if unique:
        put[key] = b.to_numpy(value)
        np.testing.assert_array_equal(b.to_numpy(b.set_item(x, at, value)), put)
    np.testing.assert_array_equal(b.to_numpy(x), b.to_numpy(old))  # neither wrote into its argument


@pytest.mark.parametrize("dtype", ["float32", "complex64", "int64", "int8"])
def test_scatter_add_keeps_the_dtype(b: Any, dtype: str) -> None:
    x, value = np.zeros(3, dtype=dtype), np.asarray([1, 10, 100], dtype=dtype)
    out = b.scatter_add(b.from_numpy(x), (b.from_numpy(np.array([2, 0, 2])),), b.from_numpy(value))
    assert b.dtype_of(out.dtype).name == dtype
    np.testing.assert_array_equal(b.to_numpy(out), np.asarray([10, 0, 101], dtype=dtype))


@pytest.mark.parametrize("which", ["row numbers", "two arrays", "broadcast arrays", "mask", "slice", "negative step of some"])
@pytest.mark.parametrize("name", ["numpy", "torch", "jax"])
def test_pitfall_14_the_portable_scatter_add_has_a_fixed_order(which: str, name: str) -> None:
    if not statuses()[name].usable:
        pytest.skip(f"{name} is not installed")
    b = find_backend(name)
    x, key = np.arange(12.0).reshape(3, 4), KEYS[which]
    value = 1.0 + np.arange(x[key].size).reshape(x[key].shape)
    want = x.copy()
    np.add.at(want, key, value)
    at = tuple(b.from_numpy(k) if isinstance(k, np.ndarray) else k for k in key) if isinstance(key, tuple) else key
    at = b.from_numpy(at) if isinstance(at, np.ndarray) else at
    result = Backend.scatter_add(b, b.from_numpy(x), at, b.from_numpy(value))
    np.testing.assert_array_equal(b.to_numpy(result), want)


def test_the_portable_scatter_add_of_many_to_few() -> None:
    rng = np.random.default_rng(0)
    key, value = rng.integers(-5, 5, size=(40, 25)), rng.normal(size=(40, 25))
    want = np.zeros(5)
    np.add.at(want, key, value)
    np.testing.assert_allclose(Backend.scatter_add(find_backend("numpy"), np.zeros(5), (key,), value), want, rtol=1e-12)


def views(b: Any, x: Any) -> dict[str, Any]:
    xp = b.xp
    return {
        "itself": x,
        "slice": x[1:3, :],
        "reshaped": xp.reshape(x, (4, 3)),
        "transposed": xp.permute_dims(x, (1, 0)),
        "expanded": xp.broadcast_to(x, (2, 3, 4)),
        "sum": xp.sum(x, axis=0),
        "product": x * 2.0,
        "copy": xp.asarray(x, copy=True),
        "astype": xp.astype(x, xp.float64, copy=False),
        "flipped": xp.flip(x),
    }


def test_owns_memory_is_true_only_if_it_is(b: Any) -> None:
    for name in views(b, b.from_numpy(np.ones((3, 4)))):
        x = b.xp.asarray(b.from_numpy(np.ones((3, 4))), copy=True)
        out = views(b, x)[name]
        if out is x or not b.mutable or not b.owns_memory(out):
            continue
        out[...] = 50.0
        assert (b.to_numpy(x) == 1.0).all(), f"{name} shares memory, but owns_memory says that it does not"


def test_owns_memory_of_new_arrays_saves_the_copy(b: Any) -> None:
    assert b.owns_memory(b.xp.asarray(b.from_numpy(np.ones((3, 4))), copy=True) * 2.0)


# ------------------------------------------------------------------------------------------------------- the namespace


def host(b: Any, value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [host(b, part) for part in value]
    if hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, type):
        return (b.dtype_of(value.dtype).name, tuple(value.shape), b.to_numpy(value))
    return value


def compare(got: Any, want: Any) -> None:
    if isinstance(want, list):
        assert len(got) == len(want)
        for one, other in zip(got, want):
            compare(one, other)
    elif isinstance(want, tuple):
        assert got[:2] == want[:2]
        np.testing.assert_allclose(got[2], want[2], rtol=2e-5, atol=1e-6)
    else:
        assert got == want or (got != got and want != want)


EXCEPTIONS = {
    ("strict", "sum", 7): "sums of booleans are not in the standard",
    ("strict", "prod", 7): "products of booleans are not in the standard",
    ("torch", "sum", 3): "torch has no sums of uint64",
    ("torch", "prod", 3): "torch has no products of uint64",
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore")
def test_the_namespace_has_every_name_of_the_standard(b: Any, name: str) -> None:
    reference = find_backend("numpy")
    for i, call in enumerate(CALLS[name]):
        if (b.name, name, i) in EXCEPTIONS:
            continue
        want = host(reference, call(reference.xp, lambda v, dtype=None: np.asarray(v, dtype=dtype)))
        got = host(b, call(b.xp, lambda v, dtype=None: b.from_numpy(np.asarray(v, dtype=dtype))))
        compare(got, want)


def test_ops_that_override_call_the_functions_that_a_plugin_amends(b: Any) -> None:
    for name, function in b.amend().items():
        found = b.xp.__native__
        for part in name.split("."):
            found = getattr(found, part)
        assert found is function or getattr(found, "__qualname__", "") == getattr(function, "__qualname__", None), name


@pytest.mark.parametrize(
    "name",
    ["reshape", "take_along_axis", "sort", "cumulative_sum", "linalg.solve", "linalg.svd", "linalg.matrix_norm", "fft.fftn"],
)
def test_dask_in_many_blocks(name: str) -> None:
    pytest.importorskip("dask.array")
    b, reference = find_backend("dask"), find_backend("numpy")

    def chunked(v: Any, dtype: Any = None) -> Any:
        x = b.from_numpy(np.asarray(v, dtype=dtype))
        return x.rechunk(1) if x.size else x

    for call in CALLS[name]:
        want = call(reference.xp, lambda v, dtype=None: np.asarray(v, dtype=dtype))
        compare(host(b, call(b.xp, chunked)), host(reference, want))


def test_special_functions(b: Any) -> None:
    erf = b.special("erf")
    assert b.special("no_such_function") is None
    if erf is None:
        pytest.skip(f"{b.name} has no erf")
    x = b.from_numpy(np.asarray([-1.0, 0.0, 0.5]))
    np.testing.assert_allclose(b.to_numpy(erf(x)), [-0.8427007929, 0.0, 0.5204998778], rtol=1e-8)


# --------------------------------------------------------------------------------------------------- finding a backend


@pytest.fixture
def stranger() -> Any:
    """An array library without a plug-in: array-api-strict, loaded a second time under another name."""
    real = pytest.importorskip("array_api_strict")
    folder = Path(real.__file__).parent
    spec = importlib.util.spec_from_file_location("stranger", folder / "__init__.py", submodule_search_locations=[str(folder)])
    module = importlib.util.module_from_spec(spec)
    sys.modules["stranger"] = module
    spec.loader.exec_module(module)
    array = type(module.ones(1))
    array.__array_namespace__ = lambda self, /, *, api_version=None: module
    return module


def test_a_library_without_plug_in(stranger: Any) -> None:
    x = stranger.asarray([[1.0, 2.0], [3.0, 4.0]])
    b = backend_of(x)
    assert isinstance(b, ForeignBackend) and b.name == "stranger" and find_backend("stranger") is b
    assert raw_namespace(x) is b.xp
    assert b.to_numpy(x).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert b.dtype_of(x.dtype).name == "float64"
    at = stranger.asarray([1, 0, 1])
    out = b.scatter_add(x, (at, at), stranger.asarray([1.0, 10.0, 100.0]))
    assert b.to_numpy(out).tolist() == [[11.0, 2.0], [3.0, 105.0]]
    assert xgrad.Tensor(x).backend == "stranger"


def test_what_is_no_array() -> None:
    for thing in (np.dtype("float32"), "text", 3, [1.0], None, object(), np.float32, xgrad.Tensor([1.0])):
        assert backend_of(thing) is None


def test_arrays_that_are_refused() -> None:
    with pytest.raises(TypeError, match=r"numpy\.asarray"):
        xgrad.Tensor(np.matrix([[1.0]]))
    with pytest.raises(TypeError, match="filled"):
        xgrad.Tensor(np.ma.masked_array([1.0], [True]))
    with pytest.raises(TypeError, match="no data type that xgrad knows"):
        xgrad.Tensor(np.array(["a"]))


def test_a_torch_tensor_that_requires_grad_is_refused() -> None:
    torch = pytest.importorskip("torch")
    x = torch.ones(3, requires_grad=True)
    with pytest.raises(ValueError, match=r"x\.detach\(\)"):
        xgrad.Tensor(x)
    with pytest.raises(ValueError, match=r"x\.detach\(\)"):
        backend_of(torch.nn.Parameter(torch.ones(3)))
    with pytest.raises(ValueError, match=r"x\.detach\(\)"):
        xgrad.Tensor(torch.ones(3)) * x
    xgrad.Tensor(x.detach())


def test_jax_tracers_are_jax_arrays() -> None:
    jax = pytest.importorskip("jax")
    seen = []

    def f(x: Any) -> Any:
        seen.append(backend_of(x).name)
        t = xgrad.Tensor(x, requires_grad=True)
        (t * t).backward(gradient=xgrad.Tensor(x * 0 + 1))
        return t.grad.data

    out = jax.jit(f)(find_backend("jax").from_numpy(np.asarray([1.0, 2.0])))
    assert seen == ["jax"] and out.tolist() == [2.0, 4.0]


def test_dask_says_what_to_do_about_unknown_shapes() -> None:
    da = pytest.importorskip("dask.array")
    x = da.arange(6)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        xgrad.Tensor(x[x > 2])


def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    for name in [n for n in sys.modules if n in ("xgrad_backends.cupy", "array_api_compat.cupy")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("xgrad.backend.find.loaded_backends", {})
    with pytest.raises(BackendError, match=r"cupy.*not installed.*xgrad\[cuda12\].*xgrad\[cuda13\]"):
        find_backend("cupy")
    assert not {s.name: s for s in xgrad.available_backends()}["cupy"].usable


def test_cupy_without_a_gpu_says_so() -> None:
    cupy = pytest.importorskip("cupy")
    if cupy.is_available():
        pytest.skip("there is a GPU")
    before = xgrad.get_backend()
    with pytest.raises(BackendError, match="finds no CUDA device"):
        xgrad.set_backend("cupy")
    assert xgrad.get_backend() == before
    plugin = find_backend("cupy")
    cuda = cupy.cuda.runtime.CUDARuntimeError
    assert issubclass(cuda, RuntimeError)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cupy, "is_available", lambda: True)
        assert "not all of the CUDA toolkit" in plugin.problem()


def test_unknown_names() -> None:
    with pytest.raises(ValueError, match="known ones are numpy"):
        find_backend("numpi")
    with pytest.raises(TypeError, match="named by a string"):
        find_backend(np)


def test_importing_xgrad_imports_no_other_library() -> None:
    check = (
        "import sys, xgrad; xgrad.zeros(2); "
        "print(*{'torch', 'jax', 'dask', 'cupy', 'array_api_strict', 'scipy'} & set(sys.modules))"
    )
    env = environment(without=tuple(os.environ), PATH="")
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.strip() == ""
