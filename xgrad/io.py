"""Checkpoints: named tensors in a safetensors file, which any program reads and which cannot hold code.

The format: the length of the header in eight bytes, the header in JSON (the type, shape and place of each tensor, and
``__metadata__``, a mapping of strings), and the bytes of the tensors, one after another, without gaps. A file that xgrad
writes also holds a checksum of all this in its metadata.
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
LONGEST_HEADER = 100_000_000  # of the format

TYPES = {  # the format's names of data types, and NumPy's
    "BOOL": "bool",
    **{f"{short}{bits}": f"{name}{bits}" for short, name in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)},
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
    "C64": "complex64",
}
NAMES = {name: short for short, name in TYPES.items()}
SMALL = {  # eight bits: how many are of the exponent and of the mantissa, the exponent's bias, and which patterns are no numbers
    "F8_E4M3": (4, 3, 7, "last"),  # of OCP: both patterns whose bits are all ones are NaN, there is no infinity
    "F8_E5M2": (5, 2, 15, "ieee"),
    "F8_E4M3FNUZ": (4, 3, 8, "-0"),  # minus zero is NaN, there is no infinity
    "F8_E5M2FNUZ": (5, 2, 16, "-0"),
    "F8_E8M0": (8, 0, 127, "scale"),  # powers of two without a sign; 255 is NaN
}


def save(path: Path, tensors: Mapping[str, Any], *, metadata: Mapping[str, Any] | None = None) -> None:
    """Write tensors to a safetensors file, whole or not at all.

    Parameters
    ----------
    path : path
        Where to write; its folder must exist. A file there is replaced once the new one is complete, and keeps its
        permissions. A symbolic link is followed.
    tensors : mapping from names to Tensors or arrays
        Such as ``model.state_dict()``. Values are copied to the host; strides, Fortran order and byte order are straightened.
        bfloat16 stays bfloat16.
    metadata : mapping from strings, optional
        Facts to keep beside them, such as ``{"epoch": 3}``: anything that JSON holds; see `load_metadata`.

    Raises
    ------
    TypeError
        If something is no tensor, or of a dtype that the format lacks (complex128); if a name is no string; if JSON cannot
        hold the metadata.
    ValueError
        If a name is one that the format keeps for itself.
    FileNotFoundError
        If the folder does not exist.
    PermissionError
        If the folder or the file is read-only.

    Notes
    -----
    While it writes, there is a second file in the folder, whose name begins with a dot. One that a killed process left is
    removed by the next `save` to the same path.

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
    notes = _notes(metadata)
    arrays = {name: _host(name, x) for name, x in tensors.items()}
    # Wide types first, so that each array is aligned in memory when the file is mapped.
    order = sorted(arrays, key=lambda name: (-arrays[name][1].itemsize, name))
    header: dict[str, Any] = {METADATA: notes}
    start = 0
    for name in order:
        short, array = arrays[name]
        header[name] = {"dtype": short, "shape": list(array.shape), "data_offsets": [start, start + array.nbytes]}
        start += array.nbytes
    checksum = _checksum(header)
    for name in order:
        checksum = zlib.crc32(_bytes(arrays[name][1]), checksum)
    notes[CHECKSUM] = f"crc32:{checksum:08x}"
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > LONGEST_HEADER:
        raise ValueError(f"save: the names and the metadata take {len(text)} bytes; the format allows {LONGEST_HEADER}")
    with written_whole(path) as temporary, open(temporary, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            file.write(_bytes(arrays[name][1]))
        file.flush()
        os.fsync(file.fileno())


def load(path: Path, *, backend: str | None = None, device: Any = None, check: bool = True) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file.

    Parameters
    ----------
    path : path
        What to read.
    backend : str, optional
        Make the tensors on this backend; else on the selected one.
    device : optional
        Make them on this device.
    check : bool
        Whether to compare the checksum, in files that have one: those that xgrad wrote.

    Returns
    -------
    dict from names to Tensors
        They do not require grad. bfloat16 stays so on backends that have it (PyTorch, JAX), and becomes float32 on others;
        floats of 8 bits become float32. Both are exact, and a warning says so.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no safetensors file, or cut off; if its bytes are not those that were written; if it holds floats of 4 or 6
        bits.
    """
    target = current_backend() if backend is None else find_backend(backend)
    target.load()
    read = _read(path, check=check).tensors
    widened: dict[str, list[str]] = {}
    loaded = {}
    for name in sorted(read):
        short, array = read[name]
        wide = array if short in TYPES else _widen(short, array)
        native = _native_bfloat16(target) if short == "BF16" else None
        if short not in TYPES and native is None:
            widened.setdefault(short, []).append(name)
        made = target.from_numpy(wide, device)
        loaded[name] = wrap(made if native is None else target.xp.astype(made, native))
        if native is None:
            _check_dtype(path, name, wide, loaded[name])
    for short, names in widened.items():
        few = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        lacks = f"backend {target.name!r} lacks" if short == "BF16" else "xgrad lacks"
        warnings.warn(f"load: {os.fsdecode(path)} holds {short}, which {lacks}: {few} became float32, exactly", stacklevel=2)
    return loaded


def load_metadata(path: Path, *, check: bool = True) -> dict[str, Any]:
    """The facts that `save` kept beside the tensors.

    Parameters and errors as for `load`. The whole file is read, to compare the checksum; with ``check=False`` only its header.
    """
    return {name: _value(text) for name, text in _read(path, check=check, data=check).metadata.items()}


# ---------------------------------------------------------------------------------------------------------- to the file


def _notes(metadata: Any) -> dict[str, str]:
    """The metadata as the format has them: strings, in JSON."""
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise TypeError(f"save: metadata maps names to facts, such as {{'epoch': 3}}, but it is a {type(metadata).__name__}")
    notes = {}
    for name, value in metadata.items():
        _check_name("metadata", name)
        if name == CHECKSUM:
            raise ValueError(f"save: {CHECKSUM!r} is the name of xgrad's own entry in the metadata; choose another")
        try:
            _check_keys(value)
            notes[name] = json.dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"save: metadata[{name!r}] is nothing that JSON holds ({error})") from None
    return notes


def _check_keys(value: Any) -> None:
    # JSON would make strings of other keys, and two keys could become one.
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is a {type(key).__name__}; keys must be strings")
            _check_keys(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check_keys(inner)


def _check_name(what: str, name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"save: names must be strings, but {what} holds the name {name!r} ({type(name).__name__})")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"save: {what} holds the name {name!r}, which is no valid Unicode") from None


def _host(name: object, x: Any) -> tuple[str, Any]:
    """The format's name of the dtype of `x`, and a NumPy array of its bytes in the format's order."""
    import numpy

    _check_name("tensors", name)
    if name == METADATA:
        raise ValueError(f"save: {METADATA!r} is the format's own name for its metadata; call the tensor otherwise")
    raw = x._data if isinstance(x, Tensor) else x
    if not hasattr(raw, "dtype") or not hasattr(raw, "shape"):
        nested = isinstance(x, (Mapping, list, tuple))
        hint = f"; a file is flat: give each array a name of its own, such as '{name}.0'" if nested else ""
        raise TypeError(f"save: tensors maps names to Tensors or arrays, but it holds {name!r}: {type(x).__name__}{hint}")
    backend = raw_namespace(raw).__backend__
    try:
        dtype = backend.dtype_of(raw.dtype).name
    except TypeError:
        dtype = str(raw.dtype)
    if dtype == "complex128":
        raise TypeError(f"save: {name} is complex128, which safetensors files cannot hold; save real and imaginary parts")
    if dtype != "bfloat16" and dtype not in NAMES:
        raise TypeError(f"save: {name} is {dtype}, which safetensors files cannot hold; they hold {', '.join(NAMES)}, bfloat16")
    array = numpy.asarray(backend.to_numpy(raw))
    if dtype == "bfloat16":  # the upper half of a float32
        array = (numpy.ascontiguousarray(array, dtype="float32").view("uint32") >> 16).astype("uint16").reshape(raw.shape)
    return NAMES.get(dtype, "BF16"), numpy.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _bytes(array: Any) -> Any:
    return array.reshape(-1).view("uint8")


def _checksum(header: Mapping[str, Any]) -> int:
    """The checksum of what a header says, however it is spaced and sorted; that of the data goes on from there."""
    return zlib.crc32(json.dumps(header, sort_keys=True).encode())


# -------------------------------------------------------------------------------------------------------- from the file


class _Contents:
    """What is in a file: for each tensor the format's name of its dtype and its values; and the metadata."""

    def __init__(self) -> None:
        self.tensors: dict[str, tuple[str, Any]] = {}
        self.metadata: dict[str, str] = {}


class _Malformed(Exception):
    pass


def _read(path: Path, *, check: bool, data: bool = True) -> _Contents:
    with open(os.fsdecode(path), "rb") as opened:
        file: BinaryIO = opened if opened.seekable() else io.BytesIO(opened.read())
        try:
            return _parse(file, os.fsdecode(path), check=check, data=data)
        except _Malformed as error:
            raise ValueError(f"{os.fsdecode(path)} is no safetensors file, or is cut off ({error})") from None


def _parse(file: BinaryIO, path: str, *, check: bool, data: bool) -> _Contents:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    header = _header(file, size)
    contents = _Contents()
    contents.metadata = dict(header.get(METADATA) or {})
    written = contents.metadata.pop(CHECKSUM, None)
    places = _places(header, path, size - file.tell())
    if not data:
        return contents
    checksum = None
    if check and written is not None:
        if not re.fullmatch("crc32:[0-9a-f]{8}", written):
            raise ValueError(f"{path} has the checksum {written!r}, of a kind that this release of xgrad does not know")
        checksum = _checksum({**header, METADATA: contents.metadata})
    for name, short, shape in places:
        array = _array(short, shape)
        part = memoryview(_bytes(array))
        if cast(io.BytesIO, file).readinto(part) != len(part):  # every file of bytes has it
            raise _Malformed(f"the data of {name!r} end early")
        if checksum is not None:
            checksum = zlib.crc32(part, checksum)
        contents.tensors[name] = short, _native(array)
    if checksum is not None and written is not None and written != f"crc32:{checksum:08x}":
        raise ValueError(
            f"{path} is damaged: its bytes have the checksum {checksum:08x}, but {written[6:]} when xgrad wrote it. If another "
            "program changed it since and kept the metadata, pass check=False"
        )
    return contents


def _header(file: BinaryIO, size: int) -> dict[str, Any]:
    if size < 8:
        raise _Malformed(f"it has {size} bytes")
    length = int.from_bytes(file.read(8), "little")
    if length > LONGEST_HEADER:
        raise _Malformed(f"its header would take {length} bytes; the format allows {LONGEST_HEADER}")
    if length > size - 8:
        raise _Malformed(f"its header would take {length} bytes, but {size - 8} follow")
    try:
        header = json.loads(file.read(length).decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _Malformed(f"its header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise _Malformed("its header is no JSON object")
    notes = header.get(METADATA)
    if notes is not None and not (isinstance(notes, dict) and all(isinstance(text, str) for text in notes.values())):
        raise _Malformed(f"{METADATA} maps not only to strings")
    return header


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Malformed(f"its header has {next(name for name in names if names.count(name) > 1)!r} twice")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _places(header: Mapping[str, Any], path: str, size: int) -> list[tuple[str, str, tuple[int, ...]]]:
    """Name, dtype and shape of each tensor, in the order of their bytes, which fill `size` bytes without gap or overlap."""
    found = []
    for name, entry in header.items():
        if name == METADATA:
            continue
        if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= set(entry):
            raise _Malformed(f"its header does not say dtype, shape and data_offsets of {name!r}")
        short, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not _naturals(shape) or not _naturals(offsets) or len(offsets) != 2:
            raise _Malformed(f"{name!r} has shape {shape} and data_offsets {offsets}")
        if short in ("F4", "F6_E2M3", "F6_E3M2"):
            raise ValueError(f"{path}: {name!r} is of type {short}; xgrad reads no floats of less than 8 bits")
        if not isinstance(short, str) or not (short in TYPES or short in SMALL or short == "BF16"):
            raise _Malformed(f"{name!r} has the dtype {short!r}, which the format does not know")
        start, end = offsets
        if len(shape) > 64 or math.prod(max(n, 1) for n in shape) >= 2**59:
            raise _Malformed(f"{name!r} has shape {shape}, which no array can have")
        if end - start != math.prod(shape) * _dtype(short).itemsize:
            raise _Malformed(f"{name!r}, {short} of shape {tuple(shape)}, does not take the bytes {start} to {end}")
        found.append((start, end, name, short, tuple(shape)))
    found.sort()
    at = 0
    for start, end, name, _, _ in found:
        if start != at:
            raise _Malformed(f"the data of {name!r} begin at byte {start}, but those before it end at {at}")
        at = end
    if at != size:
        raise _Malformed(f"its tensors take {at} bytes, but {size} follow the header")
    return [(name, short, shape) for _, _, name, short, shape in found]


def _naturals(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def _dtype(short: str) -> Any:
    """The NumPy dtype that holds the bits of a type of the format, in the format's byte order."""
    import numpy

    return numpy.dtype("uint16" if short == "BF16" else TYPES.get(short, "uint8")).newbyteorder("<")


def _array(short: str, shape: tuple[int, ...]) -> Any:
    import numpy

    return numpy.empty(shape, _dtype(short))


def _native(array: Any) -> Any:
    """`array` in the machine's byte order, its truth values 0 or 1."""
    if array.dtype == "bool":
        return array.view("uint8") != 0
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _widen(short: str, bits: Any) -> Any:
    """float32 of the bit patterns of bfloat16 or a float of 8 bits; each is one exactly."""
    if short == "BF16":
        return (bits.astype("uint32") << 16).view("float32").reshape(bits.shape)
    return _numbers(short)[bits]


@functools.cache
def _numbers(short: str) -> Any:
    """What each of the 256 patterns of a type of 8 bits stands for."""
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
    # A library may have switched 64 bits off.
    wanted = dtype_of(host.dtype.name)
    if x.dtype == wanted:
        return
    if not wanted.inexact and (raw_namespace(x._data).__backend__.to_numpy(x._data) != host).any():
        raise ValueError(
            f"{os.fsdecode(path)}: backend {x.backend!r} made {x.dtype.name} of {name!r}, and not all values of {wanted.name} "
            "fit; switch its 64 bits on (JAX_ENABLE_X64=1 for JAX), or load on another backend"
        )
    told = f"load: backend {x.backend!r} made {x.dtype.name} of {name!r}, which is {wanted.name} in {os.fsdecode(path)}"
    warnings.warn(f"{told}; switch its 64 bits on (JAX_ENABLE_X64=1 for JAX) to keep it", stacklevel=3)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # written by another program
        return text


# -------------------------------------------------------------------------------------------------- whole or not at all


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[str]:
    """The name of a temporary file beside `path`, which becomes `path` if the body of the ``with`` statement succeeds.

    If it fails or is interrupted, nothing is left behind and `path` is as it was. What a killed process left is removed by
    the next call for the same path. A symbolic link is followed; a file that is replaced hands on its permissions.
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
        raise OSError(f"cannot write {path}: it is there, and no ordinary file")
    if old is not None and not os.access(target, os.W_OK):
        raise PermissionError(f"cannot write {path}: the file is read-only")
    _remove_stale(folder, name)
    temporary, handle = os.path.join(folder, _temporary(name, os.urandom(8).hex())), -1
    try:
        # Made inside, so that an interrupt right after it finds its way to the end. Without an old file, the umask decides.
        try:
            handle = _made(temporary, 0o666 if old is None else 0o600)
        except PermissionError as error:
            raise PermissionError(f"cannot write {path}: the folder {folder} is read-only ({error.strerror})") from None
        yield temporary
        if old is not None:
            _like(temporary, old)
        if fcntl is None:  # Windows does not rename an open file
            os.close(handle)
            handle = -1
        os.replace(temporary, target)
        _settle(folder)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        if handle >= 0:
            os.close(handle)


def _temporary(name: str, random: str) -> str:
    """What a temporary file for `name` is called; `random` is 16 hexadecimal digits, or a pattern for them."""
    stem, ending = os.path.splitext(name)
    if len(os.fsencode(name)) > 200:  # file systems allow 255 bytes
        stem, ending = hashlib.sha256(os.fsencode(name)).hexdigest(), ending if len(os.fsencode(ending)) < 20 else ""
    return f".{stem}.xgrad-{random}{ending}"


def _made(temporary: str, mode: int) -> int:
    """Make the file, and lock it for as long as it is open: so other processes see that it is in use."""
    while True:
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        if fcntl is None:
            return handle
        with contextlib.suppress(OSError):  # not every file system has locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(temporary), os.fstat(handle)):
                return handle
        os.close(handle)  # another process took it for a stale one before it was locked


def _remove_stale(folder: str, name: str) -> None:
    """Remove the temporary files for `name` that no process holds any more. What cannot be told or removed stays."""
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
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where a process holds it
        os.unlink(temporary)
    finally:
        os.close(handle)


def _like(temporary: str, old: os.stat_result) -> None:
    """Give the new file the owner, as far as that is allowed, and the permissions of the old one."""
    new = os.stat(temporary)
    if hasattr(os, "chown") and (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with contextlib.suppress(PermissionError):
            os.chown(temporary, old.st_uid, old.st_gid)
    os.chmod(temporary, stat.S_IMODE(old.st_mode))


def _settle(folder: str) -> None:
    """Have the new name on the disk too, where the system can be asked for it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
