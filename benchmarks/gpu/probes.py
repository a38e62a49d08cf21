"""Small questions about CuPy's behaviour on a device, each answered in a line. No answer is wrong: a reader compares them."""

from __future__ import annotations

import inspect
import pickle
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import xgrad
from xgrad import io

from .measuring import Device, Findings, first_line
from .session import optional

PROBES: dict[str, Callable[[Device], Any]] = {}


def probe(function: Callable[[Device], Any]) -> Callable[[Device], Any]:
    """Enter a function among the probes."""
    PROBES[function.__name__] = function
    return function


def main(dry: bool, out: Path) -> None:
    """Run all probes; one that raises is answered by its error."""
    device, findings = Device(dry), Findings(out / "probes.json")
    warnings.simplefilter("ignore")
    for name, function in PROBES.items():
        start = time.perf_counter()
        try:
            answer = function(device)
        except Exception as error:
            answer = f"raises {first_line(error)}"
        print(f"{name} [{time.perf_counter() - start:.2f} s]", flush=True)
        for line in [f"{k}: {v}" for k, v in answer.items()] if isinstance(answer, dict) else [answer]:
            print(f"      {line}", flush=True)
        findings.add(name, answer)


def attempt(function: Callable[[], Any]) -> Any:
    """What `function` returns, or its error in words."""
    try:
        return function()
    except Exception as error:
        return first_line(error)


# ------------------------------------------------------------------------------------------------- indices and writing


@probe
def python_sequences_by_0d_tensors(d: Device) -> Any:
    one, two = d.tensor(1, "int64"), d.tensor(2, "int64")
    return {"list[t]": attempt(lambda: ["a", "b", "c"][one]), "range(t)": attempt(lambda: list(range(two)))}


@probe
def repeat_by_an_array(d: Device) -> Any:
    return xgrad.repeat(d.tensor([1.0, 2.0]), d.tensor([2, 3], "int64")).tolist()


@probe
def indices_out_of_bounds(d: Device) -> Any:
    x = d.tensor([1.0, 2.0, 3.0])
    key = d.tensor([5], "int64")
    return {"x[array]": attempt(lambda: x[key].tolist()), "x[5]": attempt(lambda: x[5].item())}


@probe
def of_values_for_one_position_the_last_is_written(d: Device) -> Any:
    x = d.tensor(np.zeros(4))
    x[d.tensor([1, 1, 1, 2, 2], "int64")] = d.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    return x.tolist()


@probe
def writing_through_a_mask_and_its_gradient(d: Device) -> Any:
    x = d.tensor([1.0, -2.0, 3.0], requires_grad=True)
    y = x * 1
    y[y < 0] = 0.0
    xgrad.sum(y).backward()
    return x.grad.tolist()


@probe
def writing_through_a_reshape(d: Device) -> Any:
    x = d.tensor(np.arange(6.0).reshape(2, 3))
    y = x.T.reshape((6,))
    y[0] = 9.0
    return [x.tolist(), y.tolist()]


@probe
def scatter_add_of_each_dtype(d: Device) -> Any:
    dtypes = "int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128".split()

    def added(dtype: str) -> Any:
        key = d.array([0, 0, 2], "int64")
        return d.plugin.to_numpy(d.plugin.scatter_add(d.array([1, 2, 3], dtype), key, d.array([1, 1, 1], dtype))).tolist()

    return {dtype: attempt(lambda dtype=dtype: added(dtype)) for dtype in dtypes}


@probe
def deterministic_scatter_add(d: Device) -> Any:
    key = d.tensor(np.random.default_rng(1).integers(0, 10, 1000), "int64")
    x, seen = d.tensor(np.random.default_rng(0).normal(size=1000), "float32"), set()
    xgrad.set_deterministic(True)
    try:
        for _ in range(3):
            table = d.tensor(np.ones(10), "float32", requires_grad=True)
            xgrad.sum(table[key] * x).backward()
            seen.add(table.grad.numpy().tobytes())
    finally:
        xgrad.set_deterministic(False)
    return "three times the same bits" if len(seen) == 1 else f"{len(seen)} different results"


# ------------------------------------------------------------------------------------------------------- other libraries


@probe
def operators_between_the_library_and_tensors(d: Device) -> Any:
    lib = np if d.dry else optional("cupy")
    a, t = d.array([1.0, 2.0]), d.tensor([3.0, 4.0], requires_grad=True)
    cases: dict[str, Callable[[], Any]] = {
        "a * t": lambda: a * t, "t * a": lambda: t * a, "a @ t": lambda: a @ t, "a ** t": lambda: a**t, "a < t": lambda: a < t,
        "add(a, t)": lambda: lib.add(a, t), "sin(t)": lambda: lib.sin(t), "matmul(a, t)": lambda: lib.matmul(a, t),
        "where(a > 1, a, t)": lambda: lib.where(a > 1, a, t), "concatenate([a, t])": lambda: lib.concatenate([a, t]),
        "stack([a, t])": lambda: lib.stack([a, t]), "sum(t)": lambda: lib.sum(t), "asarray(t)": lambda: lib.asarray(t),
        "numpy.add(a, t)": lambda: np.add(a, t), "numpy array * t": lambda: np.asarray([1.0, 2.0]) * t,
        "numpy.float64(2) * t": lambda: np.float64(2) * t,
    }  # fmt: skip

    def kind(run: Callable[[], Any]) -> str:
        y = run()
        return f"{type(y).__module__}.{type(y).__name__}{', tracked' if getattr(y, 'requires_grad', False) else ''}"

    return {name: attempt(lambda run=run: kind(run)) for name, run in cases.items()}


@probe
def dlpack_to_pytorch_and_back(d: Device) -> Any:
    if d.torch is None:
        return "PyTorch is not installed"
    t = d.torch.from_dlpack(d.tensor([1.0, 2.0]))
    return [str(t.device), xgrad.from_dlpack(t).backend]


@probe
def another_thread(d: Device) -> Any:
    answers: list[Any] = []

    def work() -> None:
        x = d.tensor(np.ones(3), requires_grad=True)
        xgrad.sum(x * x).backward()
        answers.append(x.grad.tolist())

    thread = threading.Thread(target=lambda: attempt(work))
    thread.start()
    thread.join(20)
    return answers


@probe
def checkpoints_and_pickles(d: Device) -> Any:
    t = d.tensor([[1.0, 2.0]]).T
    with tempfile.TemporaryDirectory() as folder:
        io.save(Path(folder) / "x.safetensors", {"w": t})
        loaded = io.load(Path(folder) / "x.safetensors")
    return [loaded["w"].tolist(), pickle.loads(pickle.dumps(t)).tolist(), repr(t)]


# ---------------------------------------------------------------------------------------------------- values and dtypes


@probe
def arrays_without_axes(d: Device) -> Any:
    y = d.tensor(2.0) * 3
    return [f"{type(y.data).__module__}.{type(y.data).__name__}", y.shape, y.item(), float(y), bool(y > 0)]


@probe
def arrays_without_elements(d: Device) -> Any:
    e = d.tensor(np.zeros((0, 3)), requires_grad=True)
    xgrad.sum(e @ d.tensor(np.ones((3, 2)))).backward()
    return [e.grad.shape, xgrad.sort(e).shape, xgrad.cumulative_sum(e, axis=0).shape, xgrad.argsort(e, axis=1).shape]


@probe
def order(d: Device) -> Any:
    x, y = d.tensor([2, 1, 2, 1, 2], "int64"), d.tensor([np.nan, 1.0, -np.inf, 0.0])
    return {
        "argsort": [xgrad.argsort(x).tolist(), xgrad.argsort(x, descending=True).tolist()],
        "NaN": [xgrad.sort(y).tolist(), xgrad.argmax(y).item(), xgrad.max(y).item(), xgrad.sign(y).tolist()],
        "unique_values of NaN": xgrad.unique_values(y).tolist(),
    }


@probe
def division(d: Device) -> Any:
    i, x = d.tensor([1, -1, 0], "int64"), d.tensor([1.0, -1.0, 0.3])
    return {
        "int // 0, int % 0": [(i // 0).tolist(), (i % 0).tolist()],
        "2 ** -1": attempt(lambda: xgrad.pow(d.tensor([2], "int64"), -1).tolist()),
        "float // 0.1, float % 0.1": [(x // 0.1).tolist(), (x % 0.1).tolist()],
    }


@probe
def complex_gradients(d: Device) -> Any:
    z = d.tensor([1 + 2j, 0j], "complex128", requires_grad=True)
    xgrad.sum(xgrad.abs(z) + xgrad.real(z * z)).backward()
    return z.grad.tolist()


@probe
def fourier_transforms(d: Device) -> Any:
    z, x = d.tensor(np.arange(4.0) + 0j), np.random.default_rng(0).normal(size=(3, 4, 5, 2))
    away = abs(np.fft.fftn(x, axes=(0, 2)) - xgrad.fft.fftn(d.tensor(x), axes=(0, 2)).numpy()).max()
    return {
        "hfft": [xgrad.fft.hfft(z, norm=norm).tolist() for norm in ("backward", "ortho", "forward")],
        "dtype of float32": str(xgrad.fft.fft(d.tensor([1.0], "float32")).dtype),
        "one point": xgrad.fft.irfft(d.tensor([1.0 + 0j]), n=1).tolist(),
        "fftn, off by": float(away),
    }


# --------------------------------------------------------------------------------------------------------- linear algebra


@probe
def bad_matrices(d: Device) -> Any:
    ones, linalg = d.tensor(np.ones((2, 2)), requires_grad=True), xgrad.linalg

    def determinant() -> Any:
        value = linalg.det(ones)
        value.backward()
        return [value.item(), ones.grad.tolist()]

    return {
        "cholesky, indefinite": attempt(lambda: linalg.cholesky(d.tensor([[1.0, 2.0], [2.0, 1.0]])).tolist()),
        "solve, singular": attempt(lambda: linalg.solve(ones.detach(), d.tensor([1.0, 2.0])).tolist()),
        "inv, singular": attempt(lambda: linalg.inv(ones.detach()).tolist()),
        "det, singular, and its gradient": attempt(determinant),
    }


@probe
def stacks_of_matrices(d: Device) -> Any:
    eye = np.eye(3)
    answers: dict[str, Any] = {
        "solve, one matrix": attempt(lambda: xgrad.linalg.solve(d.tensor(eye), d.tensor(np.ones((2, 3, 1)))).shape),
        "solve, one vector": attempt(lambda: xgrad.linalg.solve(d.tensor(np.stack([eye] * 2)), d.tensor(np.ones(3))).shape),
    }
    rng = np.random.default_rng(0)
    for shape in ((3, 3), (2, 3, 3), (2, 0, 3, 3), (40, 40), (2, 40, 40)):
        a = rng.normal(size=shape)
        s = np.matmul(a, np.swapaxes(a, -1, -2)) + np.eye(shape[-1])
        for name in ("inv", "det", "cholesky", "eigvalsh", "svdvals", "pinv", "slogdet", "qr", "eigh", "svd"):
            said = attempt(lambda name=name, s=s: difference(d, name, s))
            if said != "right":
                answers[f"{name} {shape}"] = said
    return answers


def difference(d: Device, name: str, matrix: np.ndarray) -> str:
    """Whether xgrad's function of linear algebra is NumPy's; of factors, whether their product is the matrix."""
    result = getattr(xgrad.linalg, name)(d.tensor(matrix))
    parts = [p.numpy() for p in (result if isinstance(result, tuple) else (result,))]
    if name in ("qr", "eigh", "svd"):
        if name == "eigh":
            product = (parts[1] * parts[0][..., None, :]) @ np.swapaxes(parts[1], -1, -2)
        else:
            product = parts[0] @ parts[1] if name == "qr" else (parts[0] * parts[1][..., None, :]) @ parts[2]
        got, want = product, matrix
    else:
        theirs = np.linalg.svd(matrix, compute_uv=False) if name == "svdvals" else getattr(np.linalg, name)(matrix)
        got, want = parts[-1], np.asarray(theirs[-1] if isinstance(theirs, tuple) else theirs)
    error = float(np.max(abs(got - want), initial=0.0) / max(1.0, float(np.max(abs(want), initial=0.0))))
    return "right" if error < 1e-9 else f"off by {error:.1e}"


# ------------------------------------------------------------------------------------------------------ special functions

WHOLE = {"expn": 1, "yn": 1, "polygamma": 1, "pdtri": 1, "multigammaln": 1}  # so many arguments are whole numbers
WHOLE |= dict.fromkeys(("bdtr", "bdtrc", "bdtri", "nbdtr", "nbdtrc", "nbdtri"), 2)


@probe
def special_functions_of_half_precision(d: Device) -> Any:
    names = ("erf", "gammaln", "digamma", "ndtri", "entr", "i0")
    return {n: attempt(lambda n=n: str(getattr(xgrad.special, n)(d.tensor([0.5], "float16")).dtype)) for n in names}


@probe
def special_functions_against_scipy(d: Device) -> Any:
    scipy = optional("scipy.special")
    if scipy is None:
        return "SciPy is not installed"
    answers = {}
    for name in xgrad.special.__all__:
        if hasattr(scipy, name):
            for dtype, tolerance in (("float64", 1e-10), ("float32", 2e-4)):
                said = attempt(lambda name=name, dtype=dtype, limit=tolerance: special(d, scipy, name, dtype, limit))
                if said != "right":
                    answers[f"{name} {dtype}"] = said
    return answers or "all are SciPy's"


def special(d: Device, scipy: Any, name: str, dtype: str, tolerance: float) -> str:
    """Whether a special function has SciPy's values and the dtype of its arguments."""
    function, rng = getattr(xgrad.special, name), np.random.default_rng(0)
    arguments = [rng.uniform(0.2, 0.9, 64).astype(dtype) for _ in inspect.signature(function).parameters]
    for k in range(WHOLE.get(name, 0)):
        arguments[k] = np.full(64, (2.0, 5.0)[k], dtype)
    try:
        want = np.asarray(getattr(scipy, name)(*(x.astype("float64") for x in arguments)))
    except (TypeError, ValueError):
        return "right"  # it takes other arguments
    result = function(*(d.tensor(x, dtype) for x in arguments))
    got = result.numpy()
    with np.errstate(all="ignore"):
        error = float(np.max(np.where(np.isfinite(want), abs(got - want) / np.maximum(1, abs(want)), 0.0)))
    if result.dtype == dtype and error < tolerance and (np.isnan(got) == np.isnan(want)).all():
        return "right"
    return f"off by {error:.1e}, {np.isnan(got).sum()} NaN for SciPy's {np.isnan(want).sum()}, of {result.dtype}"
