"""Checkpoints: named tensors in a safetensors file, which many programs can read and which cannot contain code.

The format: the length of the header in eight bytes; the header in JSON (the type, shape and position of each tensor, and
``__metadata__``, a mapping of strings); the bytes of the tensors, one after another, without gaps. A file that xgrad writes
also has a checksum of all this in its metadata.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import math
import os
import re
import stat
import time
import warnings
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, cast

from .backend.dtypes import dtype_of
from .backend.find import find_backend, raw_namespace
from .backend.protocol import Backend
from .backend.select import current_backend
from .tensor.tensor import Tensor, wrap

__all__ = ["load", "load_metadata", "save", "written_whole"]

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]

METADATA, CHECKSUM = "__metadata__", "xgrad.checksum"
LONGEST_HEADER = 100_000_000  # the limit of the format

TYPES = {  # the format's names of data types, with NumPy's names
    "BOOL": "bool",
    **{f"{short}{bits}": f"{name}{bits}" for short, name in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)},
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
    "C64": "complex64",
}
NAMES = {name: short for short, name in TYPES.items()}
SMALL = {  # floats of 8 bits: the bits of the exponent and of the mantissa, the bias of the exponent, and which patterns are NaN
    "F8_E4M3": (4, 3, 7, "last"),  # of OCP: a pattern of ones after the sign is NaN, there is no infinity
    "F8_E5M2": (5, 2, 15, "ieee"),
    "F8_E4M3FNUZ": (4, 3, 8, "-0"),  # minus zero is NaN, there is no infinity
    "F8_E5M2FNUZ": (5, 2, 16, "-0"),
    "F8_E8M0": (8, 0, 127, "scale"),  # powers of two without a sign; 255 is NaN
}


def save(path: Path, tensors: Mapping[str, Any], *, metadata: Mapping[str, Any] | None = None) -> None:
    """Write tensors to a safetensors file, completely or not at all.

    Parameters
    ----------
    path : path
        The file to write; its folder must exist. An existing file is replaced when the new one is complete; its permissions
        are kept. A symbolic link is followed.
    tensors : mapping from names to Tensors or arrays
        The tensors, such as ``model.state_dict()``. They are copied to the host and written in C order, little-endian.
        bfloat16 stays bfloat16.
    metadata : mapping from strings, optional
        More values to save, such as ``{"epoch": 3}``, of any type that JSON has; see `load_metadata`.

    Raises
    ------
    TypeError
        If a value is not a tensor, or of a dtype that the format lacks (complex128); if a name is not a string; if the metadata
        cannot be written as JSON.
    ValueError
        If a name is reserved by the format.
    FileNotFoundError
        If the folder does not exist.
    PermissionError
        If the folder or the file is read-only.

    Notes
    -----
    During the writing there is a temporary file in the folder, whose name begins with a dot. If the process is killed, the
    next `save` to the same path removes it.

    Examples
    --------
    >>> import tempfile, os, xgrad
    >>> from xgrad import io
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> io.save(path, {"x": xgrad.Tensor([1.0, 2.0])}, metadata={"epoch": 3})
    >>> io.load(path), io.load_metadata(path)
    ({'x': Tensor([1., 2.])}, {'epoch': 3})
    """
    if not isinstance(tensors, Mapping):
        raise TypeError(f"save: tensors maps names to Tensors or arrays, but it is a {type(tensors).__name__}")
    texts = _texts(metadata)
    arrays = {name: _host(name, x) for name, x in tensors.items()}
    # Wide types first: then each array is aligned if the file is mapped to memory.
    order = sorted(arrays, key=lambda name: (-arrays[name][1].itemsize, name))
    header: dict[str, Any] = {METADATA: texts}
    start = 0
    for name in order:
        short, array = arrays[name]
        header[name] = {"dtype": short, "shape": list(array.shape), "data_offsets": [start, start + array.nbytes]}
        start += array.nbytes
    checksum = _checksum(header)
    for name in order:
        checksum = zlib.crc32(_bytes(arrays[name][1]), checksum)
    texts[CHECKSUM] = f"crc32:{checksum:08x}"
    encoded = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    if len(encoded) > LONGEST_HEADER:
        raise ValueError(f"save: the names and the metadata take {len(encoded)} bytes; the format allows {LONGEST_HEADER}")
    with written_whole(path) as temporary, open(temporary, "wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for name in order:
            file.write(_bytes(arrays[name][1]))
        file.flush()
        os.fsync(file.fileno())


def load(path: Path, *, backend: str | None = None, device: Any = None, check: bool = True) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file.

    Parameters
    ----------
    path : path
        The file to read.
    backend : str, optional
        The backend of the tensors; by default the selected one.
    device : optional
        The device of the tensors.
    check : bool
        Whether to compare the checksum, if the file has one. Files that xgrad wrote do.

    Returns
    -------
    dict from names to Tensors
        They do not require grad. bfloat16 is kept on backends that have it (PyTorch, JAX) and becomes float32 on others; floats
        of 8 bits become float32. These conversions are exact; there is a warning.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a safetensors file or is incomplete; if its bytes differ from those that were written; if it has floats of
        4 or 6 bits.
    """
    target = current_backend() if backend is None else find_backend(backend)
    target.load()
    contents = _read(path, check=check).tensors
    widened: dict[str, list[str]] = {}
    tensors = {}
    for name in sorted(contents):
        short, host = contents[name]
        host = host if short in TYPES else _widen(short, host)
        native = _native_bfloat16(target) if short == "BF16" else None
        if short not in TYPES and native is None:
            widened.setdefault(short, []).append(name)
        array = target.from_numpy(host, device)
        tensors[name] = wrap(array if native is None else target.xp.astype(array, native))
        if native is None:
            _check_dtype(path, name, host, tensors[name])
    for short, names in widened.items():
        few = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        lacks = f"backend {target.name!r} lacks" if short == "BF16" else "xgrad lacks"
        warnings.warn(f"load: {os.fsdecode(path)} holds {short}, which {lacks}: {few} became float32, exactly", stacklevel=2)
    return tensors


def load_metadata(path: Path, *, check: bool = True) -> dict[str, Any]:
    """The metadata of a file, as passed to `save`.

    Parameters and errors are those of `load`. The whole file is read to compare the checksum; with ``check=False``, only its
    header.
    """
    return {name: _value(text) for name, text in _read(path, check=check, data=check).metadata.items()}


# ------------------------------------------------------------------------------------------------------------- writing


def _texts(metadata: Any) -> dict[str, str]:
    """The metadata with each value as JSON text, since the format allows only strings."""
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise TypeError(f"save: metadata maps names to values, such as {{'epoch': 3}}, but it is a {type(metadata).__name__}")
    texts = {}
    for name, value in metadata.items():
        _check_name("metadata", name)
        if name == CHECKSUM:
            raise ValueError(f"save: {CHECKSUM!r} is the name of xgrad's own entry in the metadata; choose another")
        try:
            _check_keys(value)
            texts[name] = json.dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"save: metadata[{name!r}] cannot be written as JSON ({error})") from None
    return texts


def _check_keys(value: Any) -> None:
    # JSON would convert other keys to strings, and two keys could become equal.
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is a {type(key).__name__}; keys must be strings")
            _check_keys(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check_keys(inner)


def _check_name(argument: str, name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"save: names must be strings, but {argument} has the name {name!r} ({type(name).__name__})")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"save: {argument} has the name {name!r}, which is not valid Unicode") from None


def _host(name: object, x: Any) -> tuple[str, Any]:
    """The format's name of the dtype of `x`, and `x` as a NumPy array, in C order and little-endian."""
    import numpy

    _check_name("tensors", name)
    if name == METADATA:
        raise ValueError(f"save: {METADATA!r} is the format's own name for its metadata; choose another for the tensor")
    raw = x._data if isinstance(x, Tensor) else x
    if not hasattr(raw, "dtype") or not hasattr(raw, "shape"):
        nested = isinstance(x, (Mapping, list, tuple))
        hint = f"; a file is flat: use one name for each array, such as '{name}.0'" if nested else ""
        raise TypeError(f"save: tensors maps names to Tensors or arrays, but it has {name!r}: {type(x).__name__}{hint}")
    backend = raw_namespace(raw).__backend__
    try:
        dtype = backend.dtype_of(raw.dtype).name
    except TypeError:
        dtype = str(raw.dtype)
    if dtype == "complex128":
        raise TypeError(f"save: {name} is complex128, which safetensors files cannot hold; save its real and imaginary parts")
    if dtype != "bfloat16" and dtype not in NAMES:
        raise TypeError(f"save: {name} is {dtype}, which safetensors files cannot hold; they hold {', '.join(NAMES)}, bfloat16")
    array = numpy.asarray(backend.to_numpy(raw))
    if dtype == "bfloat16":  # the upper half of a float32
        array = (numpy.ascontiguousarray(array, dtype="float32").view("uint32") >> 16).astype("uint16").reshape(raw.shape)
    return NAMES.get(dtype, "BF16"), numpy.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _bytes(array: Any) -> Any:
    return array.reshape(-1).view("uint8")


def _checksum(header: Mapping[str, Any]) -> int:
    """The checksum of the contents of a header, in any order and spacing; the checksum of the data continues from it."""
    return zlib.crc32(json.dumps(header, sort_keys=True).encode())


# ------------------------------------------------------------------------------------------------------------- reading


class _Contents:
    """The contents of a file: for each tensor the format's name of its dtype, and its values; and the metadata."""

    def __init__(self) -> None:
        self.tensors: dict[str, tuple[str, Any]] = {}
        self.metadata: dict[str, str] = {}


class _Malformed(Exception):
    """The file does not follow the format."""


def _read(path: Path, *, check: bool, data: bool = True) -> _Contents:
    with open(os.fsdecode(path), "rb") as opened:
        file: BinaryIO = opened if opened.seekable() else io.BytesIO(opened.read())
        try:
            return _parse(file, os.fsdecode(path), check=check, data=data)
        except _Malformed as error:
            raise ValueError(f"{os.fsdecode(path)} is not a safetensors file, or is incomplete ({error})") from None


def _parse(file: BinaryIO, path: str, *, check: bool, data: bool) -> _Contents:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    header = _header(file, size)
    contents = _Contents()
    contents.metadata = dict(header.get(METADATA) or {})
    written = contents.metadata.pop(CHECKSUM, None)
    entries = _entries(header, path, size - file.tell())
    if not data:
        return contents
    checksum = None
    if check and written is not None:
        if not re.fullmatch("crc32:[0-9a-f]{8}", written):
            raise ValueError(f"{path} has the checksum {written!r}, which this release of xgrad cannot compare")
        checksum = _checksum({**header, METADATA: contents.metadata})
    for name, short, shape in entries:
        array = _array(short, shape)
        buffer = memoryview(_bytes(array))
        if cast(io.BytesIO, file).readinto(buffer) != len(buffer):  # every binary file has `readinto`
            raise _Malformed(f"the data of {name!r} end early")
        if checksum is not None:
            checksum = zlib.crc32(buffer, checksum)
        contents.tensors[name] = short, _native(array)
    if checksum is not None and written is not None and written != f"crc32:{checksum:08x}":
        raise ValueError(
            f"{path} is damaged: its bytes have the checksum {checksum:08x}, and had {written[6:]} when xgrad wrote it. If "
            "another program changed it and kept the metadata, pass check=False"
        )
    return contents


def _header(file: BinaryIO, size: int) -> dict[str, Any]:
    if size < 8:
        raise _Malformed(f"it has {size} bytes")
    length = int.from_bytes(file.read(8), "little")
    if length > LONGEST_HEADER:
        raise _Malformed(f"its header would have {length} bytes; the format allows {LONGEST_HEADER}")
    if length > size - 8:
        raise _Malformed(f"its header would have {length} bytes, but {size - 8} follow")
    try:
        header = json.loads(file.read(length).decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _Malformed(f"its header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise _Malformed("its header is not a JSON object")
    texts = header.get(METADATA)
    if texts is not None and not (isinstance(texts, dict) and all(isinstance(text, str) for text in texts.values())):
        raise _Malformed(f"{METADATA} has values that are not strings")
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, in which no name may be twice."""
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Malformed(f"its header has {next(name for name in names if names.count(name) > 1)!r} twice")
    return result


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number of JSON")


def _entries(header: Mapping[str, Any], path: str, size: int) -> list[tuple[str, str, tuple[int, ...]]]:
    """The name, dtype and shape of each tensor in the order of their bytes, which must fill `size` bytes without a gap."""
    entries = []
    for name, entry in header.items():
        if name == METADATA:
            continue
        if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= set(entry):
            raise _Malformed(f"its header has no dtype, shape and data_offsets of {name!r}")
        short, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:
            raise _Malformed(f"{name!r} has shape {shape} and data_offsets {offsets}")
        if short in ("F4", "F6_E2M3", "F6_E3M2"):
            raise ValueError(f"{path}: {name!r} is of type {short}; xgrad reads no floats of less than 8 bits")
        if not isinstance(short, str) or not (short in TYPES or short in SMALL or short == "BF16"):
            raise _Malformed(f"{name!r} has the dtype {short!r}, which the format does not have")
        start, end = offsets
        if len(shape) > 64 or math.prod(max(n, 1) for n in shape) >= 2**59:
            raise _Malformed(f"{name!r} has shape {shape}, which no array can have")
        if end - start != math.prod(shape) * _dtype(short).itemsize:
            raise _Malformed(f"{name!r}, {short} of shape {tuple(shape)}, does not take the bytes {start} to {end}")
        entries.append((start, end, name, short, tuple(shape)))
    entries.sort()
    position = 0
    for start, end, name, _, _ in entries:
        if start != position:
            raise _Malformed(f"the data of {name!r} begin at byte {start}, but those before it end at {position}")
        position = end
    if position != size:
        raise _Malformed(f"its tensors take {position} bytes, but {size} follow the header")
    return [(name, short, shape) for _, _, name, short, shape in entries]


def _are_counts(value: Any) -> bool:
    """Whether `value` is a list of integers that are not negative."""
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def _dtype(short: str) -> Any:
    """The NumPy dtype that holds the bits of a type of the format, in the format's byte order."""
    import numpy

    return numpy.dtype("uint16" if short == "BF16" else TYPES.get(short, "uint8")).newbyteorder("<")


def _array(short: str, shape: tuple[int, ...]) -> Any:
    import numpy

    return numpy.empty(shape, _dtype(short))


def _native(array: Any) -> Any:
    """`array` in the byte order of this machine; booleans as 0 or 1."""
    if array.dtype == "bool":
        return array.view("uint8") != 0
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _widen(short: str, bits: Any) -> Any:
    """float32 from the bit patterns of bfloat16 or of a float of 8 bits; this is exact."""
    if short == "BF16":
        return (bits.astype("uint32") << 16).view("float32").reshape(bits.shape)
    return _numbers(short)[bits]


@functools.cache
def _numbers(short: str) -> Any:
    """The numbers of the 256 bit patterns of a type of 8 bits, as float32."""
    import numpy

    exponent_bits, mantissa_bits, bias, special = SMALL[short]
    values = []
    for pattern in range(256):
        mantissa = pattern & (1 << mantissa_bits) - 1
        exponent = pattern >> mantissa_bits & (1 << exponent_bits) - 1
        sign = 1.0 if special == "scale" or pattern < 128 else -1.0
        top = exponent == (1 << exponent_bits) - 1
        if (
            (special == "ieee" and top and mantissa)
            or (special == "last" and pattern & 127 == 127)
            or (special == "-0" and pattern == 128)
            or (special == "scale" and pattern == 255)
        ):
            values.append(math.nan)
        elif special == "ieee" and top:
            values.append(sign * math.inf)
        elif exponent == 0 and special != "scale":
            values.append(sign * math.ldexp(mantissa, 1 - bias - mantissa_bits))
        else:
            values.append(sign * math.ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits))
    return numpy.asarray(values, dtype="float32")


def _native_bfloat16(target: Backend) -> Any:
    try:
        return target.native_dtype("bfloat16")
    except TypeError:
        return None


def _check_dtype(path: Path, name: str, host: Any, x: Tensor) -> None:
    # A library may have 64 bits switched off.
    dtype = dtype_of(host.dtype.name)
    if x.dtype == dtype:
        return
    if not dtype.inexact and (raw_namespace(x._data).__backend__.to_numpy(x._data) != host).any():
        raise ValueError(
            f"{os.fsdecode(path)}: backend {x.backend!r} made {x.dtype.name} of {name!r}, and not all values of {dtype.name} "
            "fit; switch its 64 bits on (JAX_ENABLE_X64=1 for JAX), or load on another backend"
        )
    text = f"load: backend {x.backend!r} made {x.dtype.name} of {name!r}, which is {dtype.name} in {os.fsdecode(path)}"
    warnings.warn(f"{text}; switch its 64 bits on (JAX_ENABLE_X64=1 for JAX) to keep it", stacklevel=3)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # written by another program
        return text


# ----------------------------------------------------------------------------------------------- complete or not at all


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[str]:
    """The name of a temporary file beside `path`, which is renamed to `path` if the body of the ``with`` statement succeeds.

    If the body fails or is interrupted, the temporary file is removed and `path` is unchanged. If the process is killed, the
    next call for the same path removes the file. A symbolic link is followed; the permissions of a replaced file are kept.
    """
    path = os.fsdecode(path)
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    if os.path.isdir(target) or path.endswith(("/", os.sep)):
        raise IsADirectoryError(f"cannot write {path}: it is a folder")
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"cannot write {path}: there is no folder {folder}")
    try:
        old: os.stat_result | None = os.stat(target)
    except FileNotFoundError:
        old = None
    if old is not None and not stat.S_ISREG(old.st_mode):
        raise OSError(f"cannot write {path}: it exists and is not an ordinary file")
    if old is not None and not os.access(target, os.W_OK):
        raise PermissionError(f"cannot write {path}: the file is read-only")
    _remove_stale(folder, name)
    temporary, handle = os.path.join(folder, _temporary(name, os.urandom(8).hex())), -1
    try:
        # Created inside `try`, so that an interrupt just after it removes the file. Without an old file, the umask applies.
        try:
            handle = _create(temporary, 0o666 if old is None else 0o600)
        except PermissionError as error:
            raise PermissionError(f"cannot write {path}: the folder {folder} is read-only ({error.strerror})") from None
        yield temporary
        if old is not None:
            _copy_permissions(temporary, old)
        if fcntl is None:  # Windows does not rename an open file
            os.close(handle)
            handle = -1
        os.replace(temporary, target)
        _sync(folder)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        if handle >= 0:
            os.close(handle)


def _temporary(name: str, random: str) -> str:
    """The name of a temporary file for `name`; `random` is 16 hexadecimal digits, or ``"*"`` for any."""
    stem, ending = os.path.splitext(name)
    if len(os.fsencode(name)) > 200:  # file systems allow 255 bytes
        stem, ending = hashlib.sha256(os.fsencode(name)).hexdigest(), ending if len(os.fsencode(ending)) < 20 else ""
    return f".{stem}.xgrad-{random}{ending}"


def _create(temporary: str, mode: int) -> int:
    """Create the file and lock it while it is open, so that other processes see that it is in use."""
    while True:
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        if fcntl is None:
            return handle
        with contextlib.suppress(OSError):  # not every file system has locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(temporary), os.fstat(handle)):
                return handle
        os.close(handle)  # another process removed it as stale before it was locked


def _remove_stale(folder: str, name: str) -> None:
    """Remove the temporary files for `name` that no process has open; ignore files that cannot be checked or removed."""
    prefix, _, ending = _temporary(name, "*").partition("*")
    with contextlib.suppress(OSError):
        for other in os.listdir(folder):
            middle = other.removeprefix(prefix).removesuffix(ending)
            if other == f"{prefix}{middle}{ending}" and re.fullmatch("[0-9a-f]{16}", middle):
                with contextlib.suppress(OSError):
                    _remove_if_stale(os.path.join(folder, other))


def _remove_if_stale(temporary: str) -> None:
    if fcntl is None:
        if time.time() - os.stat(temporary).st_mtime > 86400:
            os.unlink(temporary)
        return
    handle = os.open(temporary, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises if another process has the lock
        os.unlink(temporary)
    finally:
        os.close(handle)


def _copy_permissions(temporary: str, old: os.stat_result) -> None:
    """Give the new file the permissions of the old one and, if allowed, its owner."""
    new = os.stat(temporary)
    if hasattr(os, "chown") and (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with contextlib.suppress(PermissionError):
            os.chown(temporary, old.st_uid, old.st_gid)
    os.chmod(temporary, stat.S_IMODE(old.st_mode))


def _sync(folder: str) -> None:
    """Write the new name to the disk, if the system supports that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
