"""The C compiler: which one there is, and compiled libraries that are kept on disk."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

__all__ = ["CannotCompile", "Compiler", "compiler", "folder"]

NATIVE = "-march=native"
FLAGS = """-std=gnu11 -fPIC -fno-math-errno -fno-trapping-math -ffp-contract=off -fwrapv -fopenmp-simd
-fno-builtin-sin -fno-builtin-sinf -fno-builtin-cos -fno-builtin-cosf
-fvisibility=hidden -w""".split()
"""Without built-in sines, since gcc makes one call of a sine and a cosine of the same number, which is no vector function."""
TRIAL = """
#include <math.h>
@DECLARED@
#pragma omp declare reduction(larger: float: omp_out = omp_out > omp_in ? omp_out : omp_in) initializer(omp_priv = 0)
__attribute__((visibility("default"))) void trial(float* x, int n) {
  float most = 0;
_Pragma("omp simd reduction(larger: most)")
  for (int i = 0; i < n; i++) { x[i] = tanhf(x[i]); most = most > x[i] ? most : x[i]; }
  x[0] = most;
}
"""
DECLARED = '__attribute__((simd("notinbranch"), const)) float tanhf(float);'


class CannotCompile(RuntimeError):
    """There is no C compiler that works."""


class Compiler:
    """A C compiler.

    Attributes
    ----------
    command : list of str
    version : str
        What it calls itself.
    vector : bool
        Whether it can call the vector functions of libmvec.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.command = list(command)
        done = subprocess.run([*self.command, "--version"], capture_output=True, text=True, check=False, timeout=60)
        self.version = done.stdout.strip()
        own = shlex.split(os.environ.get("XGRAD_CFLAGS", ""))
        plain = TRIAL.replace("@DECLARED@", "")
        for self.flags in ([NATIVE, *FLAGS, *own], [*FLAGS, *own]):
            if self._can(TRIAL.replace("@DECLARED@", DECLARED), True) or self._can(plain, False):
                return
        raise CannotCompile(f"{shlex.join(self.command)} does not compile a small library: {self.message}")

    @property
    def is_checked(self) -> bool:
        """Whether what is compiled checks its own accesses to memory."""
        return any(flag.startswith("-fsanitize") for flag in self.flags)

    def _can(self, source: str, vector: bool) -> bool:
        self.vector, self.message = vector, ""
        try:
            path = self.library([source], "-O2")
            ctypes.CDLL(path).trial((ctypes.c_float * 8)(), 8)
        except (OSError, CannotCompile) as error:
            self.message = str(error)
            return False
        return not vector or b"_ZGV" in Path(path).read_bytes()  # as the vector functions are named

    def key(self, sources: Sequence[str], level: str) -> str:
        """What a library depends on."""
        parts = [self.version, *self.command, *self.flags, level, str(self.vector), _processor(), *sources]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def build(self, sources: Sequence[str], path: Path, level: str) -> None:
        """Compile C files into the shared library `path`."""
        with tempfile.TemporaryDirectory() as name:
            files = [Path(name) / f"part{k}.c" for k in range(len(sources))]
            for file, source in zip(files, sources):
                file.write_text(source)
            libraries = ["-lmvec"] if self.vector else []
            if len(files) == 1:
                self._run([level, "-shared", str(files[0]), "-o", str(path), *libraries, "-lm"])
                return
            with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
                list(pool.map(lambda file: self._run([level, "-c", str(file), "-o", f"{file}.o"]), files))
            self._run([level, "-shared", *[f"{file}.o" for file in files], "-o", str(path), *libraries, "-lm"])

    def _run(self, arguments: list[str]) -> None:
        done = subprocess.run([*self.command, *self.flags, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            first = next((line for line in lines if "error" in line), lines[0] if lines else "no message")
            raise CannotCompile(f"{shlex.join(self.command)} failed: {first}")

    def library(self, sources: Sequence[str], level: str) -> str:
        """The path of the compiled library: from the folder where they are kept, or compiled now."""
        key = self.key(sources, level)
        kept = folder()
        path, sums = kept / f"{key}.so", kept / f"{key}.sha256"
        if _is_intact(kept, path, sums):
            return str(path)
        with tempfile.TemporaryDirectory(dir=kept) as name:
            new = Path(name) / "new.so"
            self.build(sources, new, level)
            new.chmod(0o700)
            side = Path(name) / "new.sha256"
            side.write_text(_digest(new))
            side.chmod(0o600)
            side.replace(sums)
            new.replace(path)
        return str(path)


@functools.cache
def compiler() -> Compiler:
    """The compiler to use, of those that ``CC`` and ``PATH`` name; that it works is tried once."""
    commands: list[list[str]] = []
    if os.environ.get("CC"):
        commands.append(shlex.split(os.environ["CC"]))
    else:
        commands += [[found] for name in ("cc", "gcc", "clang") if (found := shutil.which(name))]
        commands.append([sys.executable, "-m", "ziglang", "cc"])
    reasons = []
    for command in commands:
        try:
            if command[1:2] == ["-m"] and not _has_zig():
                continue
            return Compiler(command)
        except (CannotCompile, OSError, subprocess.SubprocessError) as error:
            reasons.append(str(error))
    raise CannotCompile(
        "no C compiler works here"
        + (f" ({'; '.join(reasons)})" if reasons else ": there is no cc, gcc or clang on PATH")
        + "; install one, or `python -m pip install ziglang`, or use the executor of NumPy calls"
    )


def _has_zig() -> bool:
    import importlib.util

    return importlib.util.find_spec("ziglang") is not None


@functools.cache
def _processor() -> str:
    """The processor, for whose instructions code is compiled."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        found = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))]
        return "\n".join(dict.fromkeys(found)) or platform.processor()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"


# -------------------------------------------------------------------------------------------------------------- the folder


@functools.cache
def folder() -> Path:
    """The folder where libraries are kept: the user's own, or one for this process if that cannot be."""
    named = os.environ.get("XGRAD_CACHE")
    base = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xgrad"
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_own(base):
            with tempfile.TemporaryFile(dir=base):
                return base
        reason = "it belongs to another user, or others can write there"
    except (OSError, RuntimeError) as error:
        reason = str(error)
    warnings.warn(
        f"compiled functions are not kept for later runs: {base} cannot be used ({reason}); set XGRAD_CACHE to a folder"
    )
    temporary = tempfile.TemporaryDirectory(prefix="xgrad-")
    _kept_alive.append(temporary)
    return Path(temporary.name)


_kept_alive: list[tempfile.TemporaryDirectory[str]] = []


def _is_own(path: Path) -> bool:
    """Whether a file or folder is the user's, no link, and nobody else can write to it."""
    facts = path.lstat()
    if stat.S_ISLNK(facts.st_mode):
        return False
    return not hasattr(os, "getuid") or (facts.st_uid == os.getuid() and not facts.st_mode & 0o022)


def _is_intact(folder: Path, path: Path, sums: Path) -> bool:
    """Whether a library is there that was written by this user, as it was written."""
    try:
        return _is_own(folder) and _is_own(path) and _is_own(sums) and sums.read_text() == _digest(path)
    except OSError:
        return False


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
