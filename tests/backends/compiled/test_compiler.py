"""The compiler: which one is used, what is kept on disk, and what of that is trusted."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from xgrad_backends.compiled import CannotCompile, build
from xgrad_backends.compiled import compiler as c

from ...harness.processes import environment
from .plans import captured, executed

X = np.arange(5.0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    try:
        c.compiler()
    except CannotCompile as error:
        pytest.skip(str(error))
    monkeypatch.setenv("XGRAD_CACHE", str(tmp_path / "kept"))
    c.folder.cache_clear()
    yield tmp_path / "kept"
    monkeypatch.undo()
    c.folder.cache_clear()


def compile_one(number: float) -> None:
    plan = captured(lambda xp, x: [x * number + 1], X)
    assert np.array_equal(executed(plan, [X], "c")[0], X * number + 1)


def count(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The libraries that are compiled from now on."""
    built: list[Path] = []
    old = c.Compiler.build
    monkeypatch.setattr(
        c.Compiler, "build", lambda self, sources, path, level: (built.append(path), old(self, sources, path, level))
    )
    return built


def test_it_is_compiled_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = count(monkeypatch)
    for _ in range(3):
        compile_one(2.5)
    assert len(built) == 1
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(path.suffix for path in folder.iterdir()) == [".sha256", ".so"]
    compile_one(3.5)
    assert len(built) == 2


@pytest.mark.parametrize("how", ["another", "short", "no sum", "writable", "link"])
def test_what_was_changed_is_not_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch, how: str, tmp_path: Path) -> None:
    compile_one(4.5)
    (library,) = folder.glob("*.so")
    if how == "another":
        library.unlink()
        library.write_bytes(b"\x7fELF, but not what was compiled")
    elif how == "short":
        data = library.read_bytes()
        library.unlink()
        library.write_bytes(data[: len(data) // 2])
    elif how == "no sum":
        library.with_suffix(".sha256").unlink()
    elif how == "writable":
        library.chmod(0o722)
    else:
        moved = tmp_path / "moved.so"
        library.rename(moved)
        library.symlink_to(moved)
    built = count(monkeypatch)
    compile_one(4.5)
    assert len(built) == 1
    compile_one(4.5)
    assert len(built) == 1


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="Windows")
def test_a_folder_that_others_can_write_to_is_not_used(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.warns(UserWarning, match="not kept for later runs: .* others can write there"):
        compile_one(5.5)
    assert not list(folder.iterdir())
    with warnings.catch_warnings():  # it is said once
        warnings.simplefilter("error")
        compile_one(6.5)


def test_a_folder_that_cannot_be_made(folder: Path) -> None:
    folder.write_text("a file is in its place")
    with pytest.warns(UserWarning, match="not kept for later runs"):
        compile_one(7.5)


def in_a_process(code: str, **variables: str) -> str:
    env = environment(**variables)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


BUILD = """
import numpy as np
from tests.backends.compiled.plans import captured
from xgrad_backends.compiled import CannotCompile, build
plan = captured(lambda xp, x: [x * 2], np.ones(3))
try:
    build(plan, [None], "c")
    print("compiled")
except CannotCompile as error:
    print(error)
print(build(plan, [None], "numpy").source)
"""


def test_no_compiler(tmp_path: Path) -> None:
    text = in_a_process(BUILD, PATH=str(tmp_path), CC="")
    if "ziglang" in text or "compiled" not in text:
        assert text.startswith("no C compiler works here") and "def run" in text


def test_a_compiler_that_does_not_work(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'error: out of order' >&2\nexit 1\n")
    broken.chmod(0o755)
    assert "out of order" in in_a_process(BUILD, CC=str(broken), XGRAD_CACHE=str(tmp_path / "kept"))


def test_the_one_that_is_named(tmp_path: Path) -> None:
    try:
        command = c.compiler().command
    except CannotCompile as error:
        pytest.skip(str(error))
    named = " ".join([*command, "-DNAMED"])
    assert in_a_process(BUILD, CC=named, XGRAD_CACHE=str(tmp_path / "kept")).startswith("compiled")


def test_facts(how: str) -> None:
    executor = build(captured(lambda xp, x: [xp.sum(xp.exp(x) * x[:, None], axis=0)], X), [None], how)
    assert executor.groups >= 1 and executor.bytes >= 0 and "run" in executor.source
    with pytest.raises(ValueError, match="there is no executor 'fortran'"):
        build(captured(lambda xp, x: [x * 2], X), [None], "fortran")


def test_a_long_plan_is_several_files(how: str) -> None:
    """Every constant is another one, so that no two loops are the same."""

    def f(xp: object, x: np.ndarray) -> list[np.ndarray]:
        y = x
        for k in range(1500):
            y = y * (1 + 1 / (k + 7)) - (k + 0.5) / (k + 1)
        return [y]

    plan = captured(f, X)
    (got,) = executed(plan, [X], how)
    assert np.array_equal(got, f(None, X)[0])
