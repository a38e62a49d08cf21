"""Checkpoints: named tensors in a safetensors file, which any program reads and which cannot hold code."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from .backend import current_backend, find_backend, raw_namespace
from .engine import Tensor, wrap

__all__ = ["load", "load_metadata", "save", "written_whole"]

Path = str | os.PathLike[str]


def save(path: Path, tensors: Mapping[str, Any], *, metadata: Mapping[str, Any] | None = None) -> None:
    """Write tensors to a safetensors file, whole or not at all.

    Parameters
    ----------
    path : path
        Where to write. A file there is replaced once the new one is complete; its folder must exist.
    tensors : mapping from names to Tensors or arrays
        Such as ``model.state_dict()``. Values are copied to the host; strides and Fortran order are straightened.
    metadata : mapping, optional
        Facts to keep beside them, such as ``{"epoch": 3}``: anything that JSON holds; see `load_metadata`.

    Raises
    ------
    ImportError
        If safetensors is not installed.
    TypeError
        If something is no tensor, or of a dtype that the format lacks (complex128).
    FileNotFoundError
        If the folder does not exist.

    Examples
    --------
    >>> import tempfile, os, xgrad
    >>> from xgrad import io
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> io.save(path, {"x": xgrad.Tensor([1.0, 2.0])}, metadata={"epoch": 3})
    >>> io.load(path), io.load_metadata(path)
    ({'x': Tensor([1., 2.])}, {'epoch': 3})
    """
    safetensors = _safetensors()
    import numpy

    host = {}
    for name, x in tensors.items():
        raw = x._data if isinstance(x, Tensor) else x
        if not isinstance(name, str) or not hasattr(raw, "dtype"):
            raise TypeError(f"save: tensors maps names to Tensors or arrays, but it holds {name!r}: {type(x).__name__}")
        array = numpy.asarray(raw_namespace(raw).__backend__.to_numpy(raw), order="C")  # the writer ignores strides
        if array.dtype == "complex128":
            raise TypeError(f"save: {name} is complex128, which safetensors files cannot hold; save real and imaginary parts")
        host[name] = array
    notes = None if metadata is None else {str(name): json.dumps(value) for name, value in metadata.items()}
    data = safetensors.save(host, notes)
    with written_whole(path) as temporary, open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def load(path: Path, *, backend: str | None = None, device: Any = None) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file.

    Parameters
    ----------
    path : path
        What to read.
    backend : str, optional
        Make the tensors on this backend; else on the selected one.
    device : optional
        Make them on this device.

    Returns
    -------
    dict from names to Tensors
        They do not require grad.

    Raises
    ------
    ImportError
        If safetensors is not installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no safetensors file, or cut off.
    """
    read = _read(path, _safetensors().load)
    target = current_backend() if backend is None else find_backend(backend)
    target.xp  # noqa: B018  (raises where the backend cannot run)
    return {name: wrap(target.from_numpy(read[name], device)) for name in sorted(read)}


def load_metadata(path: Path) -> dict[str, Any]:
    """The facts that `save` kept beside the tensors.

    Parameters and errors as for `load`.
    """
    _safetensors()

    def metadata(data: bytes) -> dict[str, str]:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        return header.get("__metadata__", {})  # type: ignore[no-any-return]

    return {name: _value(text) for name, text in _read(path, metadata).items()}


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[str]:
    """The name of a temporary file beside `path`, which becomes `path` if the body of the ``with`` statement succeeds.

    If it fails or is interrupted, nothing is left behind and `path` is as it was.
    """
    path = os.fspath(path)
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"cannot write {path}: there is no folder {folder}")
    if os.path.isdir(path):
        raise IsADirectoryError(f"cannot write {path}: it is a folder")
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=os.path.splitext(path)[1], dir=folder)
    os.close(handle)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # as open() would have made it
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ModuleNotFoundError as error:
        raise ImportError("checkpoints need the package safetensors; python -m pip install safetensors") from error
    return safetensors.numpy


def _read(path: Path, parse: Any) -> Any:
    with open(path, "rb") as file:
        data = file.read()
    try:
        return parse(data)
    except Exception as error:
        raise ValueError(f"{os.fspath(path)} is no safetensors file, or is cut off ({error})") from error


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # written by another program
        return text
