"""The examples other than that of digits: small runs of each, on several backends, and what they print and draw."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import xgrad
from tests.harness.processes import environment

for _package in ("scipy", "sklearn", "tqdm", "matplotlib"):
    pytest.importorskip(_package, reason=f"the examples need {_package}")

ROOT = Path(__file__).resolve().parents[2]
USABLE = {status.name for status in xgrad.available_backends() if status.usable}
BACKENDS = [name for name in ("numpy", "strict", "torch", "jax") if name in USABLE]


def run(name: str, folder: Path, *arguments: str, fails: bool = False) -> str:
    command = [sys.executable, str(ROOT / "examples" / f"{name}.py"), *arguments]
    env = environment(without=("XGRAD_DATA", "XGRAD_BACKEND"), MPLBACKEND="Agg")
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if fails else done.stdout


def number(text: str, output: str) -> float:
    """The number in `output` where `text` has a #."""
    found = re.search(re.escape(text).replace(r"\#", r"([-+.\de]+)"), output)
    assert found, output
    return float(found[1])


def drawn(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("on", BACKENDS)
def test_newton_agrees_with_scikit_learn(tmp_path: Path, on: str) -> None:
    output = run("newton_logistic_regression", tmp_path, "--backend", on)
    assert f"569 tumours, 30 measurements, on {on}" in output
    assert number("the weights are within # of scikit-learn's", output) < 1e-6
    assert "products with Hessians in" in output and "per second" in output
    assert drawn(tmp_path / "newton.png")


def test_newton_with_captured_derivatives_makes_the_same_steps(tmp_path: Path) -> None:
    steps = [re.findall(r"^ +\d+ +[\d.]+", run("newton_logistic_regression", tmp_path, *more), re.M) for more in ((), ("--jit",))]
    assert steps[0] == steps[1] and len(steps[0]) > 5


@pytest.mark.parametrize("on", BACKENDS)
def test_a_gaussian_process_is_fitted(tmp_path: Path, on: str) -> None:
    output = run("gaussian_process", tmp_path, "--backend", on, "--points", "30", "--out", "here.png")
    ours, theirs = number("log marginal likelihood # (", output), number("(# by scikit-learn", output)
    assert ours == pytest.approx(theirs, abs=1e-5)
    assert 0.05 < number(", noise #\nlog", output) < 0.5
    assert drawn(tmp_path / "here.png")


@pytest.mark.parametrize("on", BACKENDS[:1] + BACKENDS[2:3])
def test_an_equation_is_fitted_and_its_sensitivities_are_right(tmp_path: Path, on: str) -> None:
    output = run("ode_sensitivity", tmp_path, "--backend", on, "--years", "8", "--rtol", "1e-5")
    assert 0.3 < number("birth of hares       #", output) < 0.9
    assert number("central differences by # of", output) < 1e-3
    assert drawn(tmp_path / "ode_sensitivity.png")


@pytest.mark.parametrize(("on", "gradient"), [("numpy", "adjoint"), ("numpy", "direct"), (BACKENDS[-2], "adjoint")])
def test_a_network_learns_an_equation(tmp_path: Path, on: str, gradient: str) -> None:
    given = ["--backend", on, "--gradient", gradient, "--steps", "12", "--batch", "8", "--hidden", "8"]
    output = run("neural_ode", tmp_path, *given)
    assert "pieces per second" in output
    assert number("batch: # in the first", output) > number("first step, # in the last", output)
    assert drawn(tmp_path / "neural_ode.png")


@pytest.mark.parametrize("on", BACKENDS)
def test_a_fixed_point_layer_learns_to_read(tmp_path: Path, on: str) -> None:
    given = ["--backend", on, "--epochs", "2", "--images", "600", "--hidden", "16", "--lr", "0.02"]
    output = run("fixed_point_layer", tmp_path, *given)
    assert number("test accuracy #%", output) > 50
    assert number("the layer is # applications deep", output) > 3
    assert "images per second" in output
    assert drawn(tmp_path / "fixed_point_layer.png")


SMALL = ("--steps", "12", "--warm-up", "3", "--width", "16", "--batch", "32")


@pytest.mark.parametrize("more", [(), ("--jit",)])
@pytest.mark.skipif("torch" not in USABLE, reason="PyTorch is the device here")
def test_two_backends_agree_and_are_compared(tmp_path: Path, more: tuple[str, ...]) -> None:
    output = run("gpu_vs_cpu", tmp_path, "--device-backend", "torch", *SMALL, *more)
    assert number("steps agree: they differ by # at most", output) < 1e-4
    assert number("torch works through # times as many", output) > 0
    assert "numpy on cpu: " in output and "torch on cpu: " in output
    assert drawn(tmp_path / "gpu_vs_cpu.png")


@pytest.mark.skipif("torch" not in USABLE, reason="PyTorch is the device here")
def test_curves_that_differ_are_an_error(tmp_path: Path) -> None:
    run("gpu_vs_cpu", tmp_path, "--device-backend", "torch", *SMALL, "--lr", "3", "--tolerance", "1e-30", fails=True)


@pytest.mark.skipif("cupy" in USABLE, reason="CuPy works here")
def test_without_a_gpu_the_comparison_says_so_in_one_line(tmp_path: Path) -> None:
    lines = run("gpu_vs_cpu", tmp_path, fails=True).splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: there is no device to compare with: ") and "cupy" in lines[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["newton_logistic_regression", "gaussian_process", "ode_sensitivity", "neural_ode", "fixed_point_layer"]
)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    assert "nonsense" in run(name, tmp_path, "--backend", "nonsense", fails=True).splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("newton_logistic_regression", ("--penalty", "0")),
        ("gaussian_process", ("--points", "1")),
        ("ode_sensitivity", ("--years", "40")),
        ("neural_ode", ("--steps", "0")),
        ("fixed_point_layer", ("--lr", "-1")),
        ("gpu_vs_cpu", ("--batch", "0")),
        ("gpu_vs_cpu", ("--device-backend", "numpy")),
    ],
)
def test_numbers_out_of_range(tmp_path: Path, name: str, arguments: tuple[str, ...]) -> None:
    assert arguments[0] in run(name, tmp_path, *arguments, fails=True)
