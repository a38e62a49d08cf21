"""Choosing a backend, finding the backend of an array, and what is said when that cannot be done."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad.backend import BackendError, find_backend

from ..harness.backends import statuses
from ..harness.processes import environment

ROOT = Path(__file__).parents[2]
TINY = Path(__file__).parents[1] / "data" / "tiny_backend"


def python(code: str, *paths: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a Python of its own, with `paths` importable."""
    env = environment(*paths, without=("XGRAD_BACKEND",), **variables)
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False, timeout=120)


def output(code: str, *paths: Path, **variables: str) -> str:
    done = python(code, *paths, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def needs(name: str) -> Any:
    return pytest.mark.skipif(not statuses()[name].usable, reason=f"backend {name} is not usable here")


# Selecting.


def test_numpy_is_selected_at_first() -> None:
    assert output("import xgrad; print(xgrad.get_backend(), xgrad.zeros(2).backend)") == "numpy numpy"


def test_set_backend_chooses_where_new_arrays_are_made(backend: str) -> None:
    xgrad.set_backend(backend)
    assert xgrad.get_backend() == backend
    assert xgrad.zeros(2).backend == xgrad.asarray([1.0]).backend == xgrad.Tensor([1.0]).backend == backend
    assert xgrad.zeros(2).dtype == xgrad.float32, "the default data type is float32 on every backend"


def test_use_backend_ends_with_its_body(backend: str) -> None:
    before = xgrad.get_backend()
    with xgrad.use_backend(backend):
        assert xgrad.zeros(2).backend == backend
        with xgrad.use_backend("numpy"):
            assert xgrad.get_backend() == "numpy"
        assert xgrad.get_backend() == backend
    assert xgrad.get_backend() == before
    with pytest.raises(ZeroDivisionError), xgrad.use_backend(backend):
        1 / 0
    assert xgrad.get_backend() == before


def test_an_op_follows_its_arrays(backend: str, raw: Any) -> None:
    x = xgrad.Tensor(raw.ones(3, dtype=raw.float32))
    assert xgrad.get_backend() == "numpy"
    assert (x + 1).backend == xgrad.exp(x).backend == x.sum().backend == backend


def test_set_backend_unknown_name() -> None:
    with pytest.raises(ValueError, match="there is no backend 'nunpy'; the known ones are numpy, cupy, torch"):
        xgrad.set_backend("nunpy")
    with pytest.raises(TypeError, match="named by a string such as 'numpy'"):
        xgrad.set_backend(np)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="there is no backend"), xgrad.use_backend("nunpy"):
        pass
    assert xgrad.get_backend() == "numpy"


@needs("strict")
def test_environment_variable() -> None:
    assert output("import xgrad; print(xgrad.get_backend(), xgrad.zeros(2).backend)", XGRAD_BACKEND="strict") == "strict strict"


def test_environment_variable_unknown_name() -> None:
    done = python("import xgrad; xgrad.zeros(2)", XGRAD_BACKEND="nunpy")
    assert done.returncode != 0
    assert "there is no backend 'nunpy'" in done.stderr


def test_available_backends() -> None:
    found = {status.name: status for status in xgrad.available_backends()}
    assert list(found)[:6] == ["numpy", "cupy", "torch", "jax", "dask", "strict"]
    assert found["numpy"].usable
    assert found["numpy"].version == np.__version__
    assert found["numpy"].reason is None
    for status in found.values():
        assert status.usable == (status.reason is None)
        assert status.usable == (status.version is not None)
        assert status.usable or status.name in str(status.reason)


# Namespaces.


def test_namespace_is_one_module_for_each_backend(backend: str) -> None:
    xp = xgrad.namespace(backend)
    assert xp is xgrad.namespace(backend)
    assert xp.zeros(2).backend == backend
    assert xp.zeros(2).__array_namespace__() is xp
    assert sys.modules[xp.__name__] is xp
    assert isinstance(hash(xp), int)
    assert backend in xp.__name__


def test_namespace_versions() -> None:
    x = xgrad.zeros(1)
    for version in ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12"):
        assert x.__array_namespace__(api_version=version) is xgrad.namespace("numpy")
    with pytest.raises(ValueError, match="api_version '1999.12' is not known"):
        x.__array_namespace__(api_version="1999.12")
    with pytest.raises(ValueError, match="there is no backend"):
        xgrad.namespace("nunpy")


# What cannot run here.


@pytest.mark.parametrize("name", ["cupy", "torch", "jax", "dask", "strict"])
def test_a_missing_library_is_named_with_what_to_install(name: str, tmp_path: Path) -> None:
    module = {"strict": "array_api_strict"}.get(name, name)
    missing = f'raise ModuleNotFoundError("No module named {module!r}", name={module!r})'
    (tmp_path / f"{module}.py").write_text(missing)
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import xgrad
try:
    xgrad.set_backend({name!r})
except xgrad.BackendError as error:
    print(error)
print(xgrad.get_backend(), xgrad.zeros(2).backend)
print({{status.name: status.usable for status in xgrad.available_backends()}}[{name!r}])
"""
    message, selected, usable = output(code).splitlines()
    assert (
        f"backend {name!r} needs the package {module!r}, which is not installed; install it with: python -m pip install"
        in message
    )
    assert selected == "numpy numpy"
    assert usable == "False"


def test_cupy_that_cannot_run_says_why() -> None:
    if statuses()["cupy"].usable:
        pytest.skip("CuPy runs here")
    installed = importlib.util.find_spec("cupy") is not None
    wanted = (
        "CUDA device|CUDA toolkit|cannot be loaded" if installed else "needs the package 'cupy', which is not installed.*cuda12"
    )
    with pytest.raises(BackendError, match=wanted):
        xgrad.set_backend("cupy")
    with pytest.raises(BackendError, match=wanted), xgrad.use_backend("cupy"):
        pass
    with pytest.raises(BackendError, match=wanted):
        xgrad.namespace("cupy")
    assert xgrad.get_backend() == "numpy"
    assert xgrad.zeros(2).backend == "numpy"


# Mixing.


@needs("strict")
def test_arrays_of_two_backends_do_not_mix() -> None:
    x, y = xgrad.namespace("numpy").ones(3), xgrad.namespace("strict").ones(3)
    for f in (xgrad.add, xgrad.atan2, xgrad.matmul, lambda a, b: a * b, lambda a, b: xgrad.concat([a, b])):
        with pytest.raises(TypeError, match=r"arrays of two backends, 'numpy' and 'strict'.*xgrad\.to_backend\(x, 'numpy'\)"):
            f(x, y)
    assert (x + xgrad.to_backend(y, "numpy")).tolist() == [2.0, 2.0, 2.0]


@needs("strict")
def test_arrays_of_two_devices_do_not_mix() -> None:
    import array_api_strict

    xp = xgrad.namespace("strict")
    x, y = xp.ones(3), xp.ones(3, device=array_api_strict.Device("device1"))
    with pytest.raises(ValueError, match=r"(?s)add: its arrays are on different devices.*device1.*to_device"):
        x + y
    assert (x + y.to_device(x.device)).tolist() == [2.0, 2.0, 2.0]


def test_a_gradient_of_another_backend() -> None:
    if not statuses()["strict"].usable:
        pytest.skip("array-api-strict is not usable here")
    x = xgrad.ones(3, dtype=xgrad.float64).requires_grad_()
    with pytest.raises(ValueError, match="gradient is .* on 'strict', but the tensor is .* on 'numpy'"):
        (x * 2).backward(xgrad.namespace("strict").ones(3))


# Third parties.


def test_a_third_party_backend_registers_through_its_entry_point(tmp_path: Path) -> None:
    shutil.copy(TINY / "tinyarrays.py", tmp_path)
    info = tmp_path / "tinyarrays-0.1.dist-info"  # what installing the package in tests/data leaves
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tinyarrays\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[xgrad.backends]\ntinyarrays = tinyarrays:Plugin\n")
    code = """
import sys, xgrad
assert "tinyarrays" not in sys.modules, "a plug-in is not loaded before it is asked for"
assert [s for s in xgrad.available_backends() if s.name == "tinyarrays"][0][:3] == ("tinyarrays", "0.1", True)
xgrad.set_backend("tinyarrays")
x = xgrad.Tensor([1.0, 2.0, 3.0], requires_grad=True)
(x * x + xgrad.exp(x) * 0).sum().backward()
print(x.backend, type(x.data).__name__, x.grad.tolist(), type(x.grad.data).__name__)
"""
    assert output(code, tmp_path) == "tinyarrays TinyArray [2.0, 4.0, 6.0] TinyArray"
    found = "import numpy, tinyarrays, xgrad; x = numpy.ones(2).view(tinyarrays.TinyArray); print((xgrad.Tensor(x) * 2).backend)"
    assert output(found, tmp_path) == "tinyarrays", "an array finds its plug-in by the module of its type"


@needs("strict")
def test_an_unknown_array_type_that_speaks_the_standard(tmp_path: Path) -> None:
    strict = importlib.util.find_spec("array_api_strict")
    assert strict is not None and strict.origin is not None
    shutil.copytree(Path(strict.origin).parent, tmp_path / "speaks_the_standard")
    for file in (tmp_path / "speaks_the_standard").rglob("*.py"):
        file.write_text(file.read_text().replace("array_api_strict", "speaks_the_standard"))
    code = """
import speaks_the_standard as xp, xgrad
x = xgrad.Tensor(xp.asarray([1.0, 2.0, 3.0]), requires_grad=True)
xgrad.sum(x * xgrad.exp(x * 0)).backward()
print(x.backend, x.grad.tolist(), type(x.grad.data).__module__.partition(".")[0])
"""
    assert output(code, tmp_path) == "speaks_the_standard [1.0, 1.0, 1.0] speaks_the_standard"


def test_what_is_no_array_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a Tensor, an array or a Python scalar, got object"):
        xgrad.exp(object())
    for nothing in ([1.0, object()], [1.0, [2.0, 3.0]], ["a"], {1.0}, {"a": 1.0}, "1.0", None):
        with pytest.raises((TypeError, ValueError), match=r"^exp\b|expected a Tensor, an array or a Python scalar"):
            xgrad.exp(nothing)


# Threads and tasks.


def test_threads_do_not_see_each_others_selection_and_grad_mode() -> None:
    other = next((name for name in statuses() if name != "numpy" and statuses()[name].usable), None)
    if other is None:
        pytest.skip("there is one usable backend")
    inside, done = threading.Event(), threading.Event()
    seen: dict[str, Any] = {}

    def one() -> None:
        with xgrad.use_backend(other), xgrad.no_grad():
            inside.set()
            done.wait(30)
            seen["one"] = xgrad.get_backend(), xgrad.is_grad_enabled()

    def two() -> None:
        inside.wait(30)
        seen["two"] = xgrad.get_backend(), xgrad.is_grad_enabled()
        done.set()

    threads = [threading.Thread(target=f) for f in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"one": (other, False), "two": ("numpy", True)}


def test_tasks_do_not_see_each_others_selection_and_grad_mode() -> None:
    other = next((name for name in statuses() if name != "numpy" and statuses()[name].usable), None)
    if other is None:
        pytest.skip("there is one usable backend")

    async def one(turn: asyncio.Event, back: asyncio.Event) -> tuple[str, bool]:
        with xgrad.use_backend(other), xgrad.no_grad():
            turn.set()
            await back.wait()
            return xgrad.get_backend(), xgrad.is_grad_enabled()

    async def two(turn: asyncio.Event, back: asyncio.Event) -> tuple[str, bool]:
        await turn.wait()
        found = xgrad.get_backend(), xgrad.is_grad_enabled()
        back.set()
        return found

    async def both() -> list[tuple[str, bool]]:
        turn, back = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(one(turn, back), two(turn, back))

    assert asyncio.run(both()) == [(other, False), ("numpy", True)]


def test_find_backend_gives_one_plug_in(backend: str) -> None:
    assert find_backend(backend) is find_backend(backend)
