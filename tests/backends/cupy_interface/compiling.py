"""Kernels in CUDA C++, compiled for the host by g++ and kept by their source."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from . import real

__all__ = ["C_TYPES", "CompileException", "c_type", "compiled", "compiler", "dtype_of"]

CompileException = real.cupy.cuda.compiler.CompileException
INCLUDE = Path(__file__).parent / "include"
HEADER = "cuda_on_host.h"
FLAGS = ("-std=c++17", "-O1", "-ffp-contract=off", "-fPIC", "-w")

C_TYPES = {
    "bool": "bool",
    "int8": "signed char",
    "uint8": "unsigned char",
    "int16": "short",
    "uint16": "unsigned short",
    "int32": "int",
    "uint32": "unsigned int",
    "int64": "long long",
    "uint64": "unsigned long long",
    "float16": "float16",
    "float32": "float",
    "float64": "double",
    "complex64": "complex<float>",
    "complex128": "complex<double>",
}
NAMES = {
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "char": "int8",
    "short": "int16",
    "int": "int32",
    "long": "int64",
    "longlong": "int64",
    "long long": "int64",
    "unsigned int": "uint32",
    "unsigned long long": "uint64",
    "size_t": "uint64",
    "ptrdiff_t": "int64",
    "uint": "uint32",
    "complex<float>": "complex64",
    "complex<double>": "complex128",
}


def c_type(dtype: Any) -> str:
    return C_TYPES[np.dtype(dtype).name]


def dtype_of(name: str) -> np.dtype[Any] | None:
    """The dtype of a type in a kernel's parameters, or None for a letter that stands for one."""
    if len(name) == 1:
        return None
    try:
        return np.dtype(NAMES.get(name, name))
    except TypeError:
        raise TypeError(f"data type {name!r} not understood") from None


def compiler() -> str | None:
    """The C++ compiler of this machine."""
    return shutil.which(os.environ.get("CXX", "g++")) or shutil.which("c++") or shutil.which("clang++")


def folder() -> Path:
    """Where compiled kernels are kept, a folder of this user."""
    place = Path(tempfile.gettempdir()) / f"xgrad-kernels-on-the-host-{os.getuid() if hasattr(os, 'getuid') else 'all'}"
    place.mkdir(exist_ok=True)
    return place


@functools.cache
def headers(program: str) -> Path:
    """A folder with the headers, the first of which is compiled: kernels then take a quarter of the time."""
    texts = {path.relative_to(INCLUDE): path.read_bytes() for path in sorted(INCLUDE.rglob("*.*h"))}
    compiler_now = str(os.stat(program).st_mtime_ns).encode()
    key = hashlib.sha256(b"\n".join([program.encode(), compiler_now, *map(str.encode, FLAGS), *texts.values()])).hexdigest()[:32]
    place = folder() / f"headers-{key}"
    if not place.exists():
        with tempfile.TemporaryDirectory(dir=folder()) as temporary:
            made = Path(temporary) / "headers"
            shutil.copytree(INCLUDE, made)
            command = [program, *FLAGS, "-x", "c++-header", str(made / HEADER), "-o", str(made / f"{HEADER}.gch")]
            subprocess.run(command, capture_output=True, check=False)  # the text does as well
            with contextlib.suppress(OSError):  # another process was faster
                os.rename(made, place)
    return place


@functools.cache
def compiled(source: str, name: str, options: tuple[str, ...] = ()) -> ctypes.CDLL:
    """The library of a source, compiled unless it was before. Raises `CompileException` with the compiler's message."""
    program = compiler()
    if program is None:
        raise RuntimeError("kernels are compiled for the host by a C++ compiler, and there is none: install g++")
    include = headers(program)
    flags = [*FLAGS, "-shared", f"-I{include}", "-include", HEADER, *(option for option in options if option.startswith("-D"))]
    key = hashlib.sha256("\n".join([program, *flags, source]).encode()).hexdigest()[:32]
    library = folder() / f"{key}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=folder()) as temporary:
            file, made = Path(temporary) / f"{name}.cpp", Path(temporary) / "made.so"
            file.write_text(source)
            done = subprocess.run([program, *flags, str(file), "-o", str(made)], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise CompileException(done.stderr, source, name, options, "nvrtc")
            os.replace(made, library)
    return ctypes.CDLL(str(library))


class Argument(ctypes.Structure):
    """An array as kernels take it: address, number of elements, axes, shape, strides in bytes."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("size", ctypes.c_ssize_t),
        ("ndim", ctypes.c_int),
        ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
        ("strides", ctypes.POINTER(ctypes.c_ssize_t)),
    ]


def argument(values: Any) -> Argument:
    """An argument for NumPy's array, which the caller keeps alive."""
    n = values.ndim
    numbers = ctypes.c_ssize_t * max(n, 1)
    return Argument(values.__array_interface__["data"][0], values.size, n, numbers(*values.shape), numbers(*values.strides))
