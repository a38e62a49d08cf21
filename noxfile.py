"""The sessions of nox: ``python -m nox -l`` lists them, ``python -m nox -s tests`` runs one.

A session creates its environment at its first run and reuses it later. Arguments after ``--`` are passed on.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests", "lint", "types"]

GROUPS = nox.project.load_toml("pyproject.toml")
TORCH = "torch==2.13.0"  # the reference; its derivatives differ between versions
CPU_BACKENDS = ("numpy", "strict", "torch", "jax", "dask")
EXTRAS = {"numpy": "", "strict": "strict", "torch": "torch", "jax": "jax", "dask": "dask"}
SUITE = ("https://github.com/data-apis/array-api-tests", "55fcc60179efa2680ddd6cd926ddf17b83530e2b")
ENVIRONMENT = {"JAX_ENABLE_X64": "1", "MPLBACKEND": "Agg"}
SPREAD = ("--numprocesses=auto", "--dist=worksteal")  # one process for each core
# One thread in each of these processes. JAX compiles thousands of small functions, most of which run once.
QUICK = {"OMP_NUM_THREADS": "1", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}


def group(name: str) -> list[str]:
    """The packages of a dependency group of pyproject.toml."""
    return list(nox.project.dependency_groups(GROUPS, name))


def torch_is_there(session: nox.Session) -> bool:
    """Install PyTorch first, so that no other package installs another version. Warn and return False if there is no build."""
    try:
        session.install(TORCH)
    except nox.command.CommandFailed:
        session.warn(f"{TORCH} cannot be installed for this Python: finite differences take its place")
        return False
    return True


def install(session: nox.Session, extras: str, *packages: str) -> None:
    """Install xgrad from this folder in editable mode, with extras, and other packages."""
    session.install("-e", f".[{extras}]" if extras else ".", *packages)


@nox.session(tags=["test"])
def tests(session: nox.Session) -> None:
    """All tests, on every backend that can run here, in one environment. `tests-jax` lets JAX optimize."""
    extras = ["strict", "jax", "dask", "einsum", "tree", "train"]
    if torch_is_there(session):
        extras.append("torch")
    install(session, ",".join(extras), *group("tests"))
    session.run("python", "-m", "pytest", *SPREAD, *session.posargs, env=ENVIRONMENT | QUICK)


def register(name: str) -> None:
    @nox.session(name=f"tests-{name}", tags=["test", "backend"])
    def tests_on(session: nox.Session) -> None:
        has_torch = torch_is_there(session)
        if name == "torch" and not has_torch:
            session.skip(f"{TORCH} cannot be installed for this Python")
        install(session, EXTRAS[name], *group("tests"))
        session.run("python", "-m", "pytest", "tests", "--backend", name, *session.posargs, env=ENVIRONMENT)

    tests_on.__doc__ = f"The suite on {name} alone."


for _name in CPU_BACKENDS:
    register(_name)


def oldest(requirement: str) -> str:
    """The oldest release that a requirement allows: ``numpy>=2`` gives ``numpy==2.0.*``."""
    name, _, version = requirement.partition(">=")
    parts = [*version.split("."), "0"]
    return f"{name}=={'.'.join(parts[:2])}.*" if version else requirement


@nox.session(name="tests-oldest")
def tests_oldest(session: nox.Session) -> None:
    """The suite on the oldest versions that pyproject.toml allows, except for PyTorch, the reference; without JAX."""
    torch_is_there(session)
    extras = GROUPS["project"]["optional-dependencies"]
    requirements = [*GROUPS["project"]["dependencies"], *extras["strict"], *extras["dask"], *extras["einsum"], *extras["tree"]]
    session.install(*dict.fromkeys(oldest(requirement) for requirement in [*requirements, *group("tests")]))
    session.install("--no-deps", "-e", ".")
    session.run("python", "-m", "pytest", *session.posargs, env=ENVIRONMENT)


KERNELS = {  # settings of NumPy, OpenBLAS, PyTorch, MKL and XLA that select the kernels of older processors
    "baseline": ("", "Nehalem", "default", "SSE4_2"),
    "avx2": ("512|V4", "Haswell", "avx2", "AVX2"),
}
FEATURES = """
from numpy._core import _multiarray_umath as m
print(*(name for name in m.__cpu_dispatch__ if m.__cpu_features__.get(name)))
"""


@nox.session(name="tests-other-cpus")
@nox.parametrize("kernels", list(KERNELS))
def tests_other_cpus(session: nox.Session, kernels: str) -> None:
    """The suite with the kernels of older x86 processors: last digits differ, and nothing may depend on them."""
    extras = "strict,torch,jax,dask,einsum,tree" if torch_is_there(session) else "strict,jax,dask,einsum,tree"
    install(session, extras, *group("tests"))
    pattern, core, capability, isa = KERNELS[kernels]
    features = str(session.run("python", "-c", FEATURES, silent=True)).split()
    environment = {
        "NPY_DISABLE_CPU_FEATURES": " ".join(name for name in features if re.search(pattern, name)),
        "OPENBLAS_CORETYPE": core,
        "ATEN_CPU_CAPABILITY": capability,
        "MKL_ENABLE_INSTRUCTIONS": isa,
        "XLA_FLAGS": f"--xla_cpu_max_isa={isa}",
    }
    session.run("python", "-m", "pytest", *SPREAD, *session.posargs, env=ENVIRONMENT | environment)


def cuda() -> tuple[str | None, str]:
    """The extra for the CUDA of this machine's driver, or None and the reason why there is no GPU."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None, "there is no GPU here: NVIDIA's driver (nvidia-smi) is not installed"
    done = subprocess.run([program], capture_output=True, text=True, check=False, timeout=60)
    version = re.search(r"CUDA[\w ]*Version:\s*(\d+)", done.stdout)
    if done.returncode != 0 or version is None:
        return None, f"there is no GPU that can be used here: nvidia-smi says {(done.stderr or done.stdout).strip()[:200]!r}"
    return ("cuda13" if int(version[1]) >= 13 else "cuda12"), ""


@nox.session(name="tests-cupy", tags=["backend"])
def tests_cupy(session: nox.Session) -> None:
    """The suite on CuPy, on an NVIDIA GPU; skipped where there is none."""
    extra, reason = cuda()
    if extra is None:
        session.skip(reason)
    torch_is_there(session)
    install(session, extra, *group("tests"))
    session.run("python", "-m", "pytest", "tests", "--backend", "cupy", *session.posargs, env=ENVIRONMENT)


CUPY = "cupy-cuda13x==14.2.0"  # whose names, signatures and types of ufuncs the emulator takes
EMULATED = ("backends", "tensor", "engine", "optim", "nn", "interpreters/capture", "transforms")
EMULATED_QUICKLY = ("backends", "optim", "nn", "transforms")


@nox.session(name="tests-cupy-emulated", tags=["backend"])
def tests_cupy_emulated(session: nox.Session) -> None:
    """The table and the tests of backends on an emulator of CuPy's interface, without a GPU; ``-- --quick`` runs a part."""
    has_torch = torch_is_there(session)
    install(session, "einsum,tree", *group("tests"))
    try:
        session.install(CUPY)
    except nox.command.CommandFailed:
        session.skip(f"{CUPY} cannot be installed here: the emulator needs the package, though no GPU")
    try:  # CUDA's compiler, which needs no GPU: it is asked whether it takes the sources of plans
        session.install("nvidia-cuda-nvrtc>=13,<14")
    except nox.command.CommandFailed:
        session.warn("nvidia-cuda-nvrtc cannot be installed here: kernels are compiled for the host alone")
    arguments = [argument for argument in session.posargs if argument != "--quick"]
    quick = len(arguments) < len(session.posargs)
    parts = [f"tests/{part}" for part in (EMULATED_QUICKLY if quick else EMULATED)]
    table = "tests/test_table.py::test_value_and_derivatives" if quick else "tests/test_table.py"
    if not has_torch:
        session.warn("without PyTorch the table compares with finite differences, which takes longer")
    emulator = ("-p", "tests.backends.cupy_interface.plugin", "--backend", "cupy", "--ignore=tests/backends/compiled", *SPREAD)
    session.run("python", "-m", "pytest", *emulator, table, *parts, *arguments, env=ENVIRONMENT | QUICK)


@nox.session
def coverage(session: nox.Session) -> None:
    """Write docs/coverage.md: the checks of each name of the standard on each backend."""
    if not torch_is_there(session):
        session.skip("the page says which results were compared with PyTorch")
    install(session, "strict,jax,dask,torch,einsum,tree,train", *group("tests"))
    table = ("tests/test_table.py", "--thorough", "--coverage-page", "docs/coverage.md")
    session.run("python", "-m", "pytest", *table, "--numprocesses=auto", *session.posargs, env=ENVIRONMENT)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, by ruff."""
    session.install(*group("lint"))
    session.run("ruff", "check", *(session.posargs or ["."]))
    session.run("ruff", "format", "--check", *(session.posargs or ["."]))


@nox.session
def types(session: nox.Session) -> None:
    """Types, by mypy in its strict mode, and by pyright for the public interface."""
    install(session, "", *group("types"))
    session.run("mypy", *session.posargs)
    session.run("pyright")


@nox.session
def scipy(session: nox.Session) -> None:
    """Write docs/scipy.md: SciPy's functions on tensors, and SciPy's own tests run on xgrad (minutes)."""
    install(session, "train", *group("tests"))
    session.run("python", "-m", "tests.scipy.page", *(session.posargs or ["--suites"]), env={"PYTHONPATH": "."})


@nox.session
def sanitize(session: nox.Session) -> None:
    """The tests of compiled plans, with checks of all accesses to memory and of undefined behaviour in C. For GCC on Linux."""
    install(session, "", *group("tests"))
    libraries = [
        subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=False).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    environment = {
        "CC": "gcc",
        "XGRAD_CFLAGS": "-fsanitize=address,undefined -fno-sanitize-recover=undefined -g",
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",
    }
    tests = ["tests/backends/compiled", "-k", "not numpy and not test_compiler"]
    session.run("python", "-m", "pytest", *tests, *session.posargs, env=ENVIRONMENT | QUICK | environment)


def option(arguments: list[str], name: str, default: Any = None) -> Any:
    """The value of ``--name value`` or ``--name=value`` among `arguments`."""
    for k, argument in enumerate(arguments):
        if argument == name and k + 1 < len(arguments):
            return arguments[k + 1]
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
    return default


@nox.session
def train(session: nox.Session) -> None:
    """Train a classifier of handwritten digits: ``-- --data mnist --backend torch``."""
    backend = option(session.posargs, "--backend", "numpy")
    extra = EXTRAS.get(backend, "")
    if backend == "cupy":
        extra, reason = cuda()
        if extra is None:
            session.error(f"--backend cupy: {reason}")
    if backend == "torch":
        torch_is_there(session)
    install(session, f"train,{extra}".rstrip(","))
    session.run("python", "examples/train_digits.py", *session.posargs)


def suite_of(session: nox.Session) -> tuple[Path | None, str]:
    """The folder of the consortium's array-api-tests, with its submodule; or None and the reason why there is none."""
    if named := os.environ.get("ARRAY_API_TESTS_DIR"):
        return Path(named).resolve(), ""
    home, commit = SUITE
    folder = session.cache_dir.resolve() / f"array-api-tests-{commit[:12]}"
    git = ["git", "-C", str(folder)]
    steps = [
        ["git", "init", "-q", str(folder)],
        [*git, "fetch", "-q", "--depth=1", home, commit],
        [*git, "checkout", "-q", commit],
    ]
    for step in [*steps, [*git, "submodule", "update", "-q", "--init", "--depth=1"]]:
        try:
            done = subprocess.run(step, capture_output=True, text=True, check=False, timeout=600)
        except (OSError, subprocess.TimeoutExpired) as error:
            return None, f"the suite cannot be fetched from {home}: {error}"
        if done.returncode != 0:
            return None, f"the suite cannot be fetched from {home}: {done.stderr.strip()[-200:]}"
    return folder, ""


@nox.session
def conformance(session: nox.Session) -> None:
    """The consortium's array-api-tests, in three modes: ``-- --backend numpy --mode plain``; ``-- --page`` writes the page.

    The suite is the checkout that ``ARRAY_API_TESTS_DIR`` names, or fetched; without either the session is skipped.
    """
    suite, reason = suite_of(session)
    if suite is None:
        session.skip(reason)
    has_torch = torch_is_there(session)
    install(session, "strict,torch" if has_torch else "strict", *group("conformance"))
    backends = [] if has_torch or "--backend" in session.posargs else ["--backend", "numpy", "--backend", "strict"]
    environment = ENVIRONMENT | {"ARRAY_API_TESTS_DIR": str(suite)}
    session.run("python", "-m", "tests.conformance", *backends, *session.posargs, env=environment)


@nox.session
def bench(session: nox.Session) -> None:
    """Compare xgrad's speed and memory with those of other libraries."""
    torch_is_there(session)
    install(session, "jax", *group("bench"))
    session.run("python", "-m", "benchmarks", *session.posargs)
