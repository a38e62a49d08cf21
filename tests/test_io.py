"""Checkpoints: what is written is read, whole or not at all."""

from __future__ import annotations

import json
import mmap
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

import xgrad
from tests.harness.processes import environment
from xgrad import io
from xgrad.value import Value


@pytest.fixture
def safetensors():
    """The format's own package, to compare with."""
    return pytest.importorskip("safetensors.numpy")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def test_round_trip_on_every_backend(backend, device, path):
    with xgrad.use_backend(backend):
        x = xgrad.Tensor([[1.0, 2.0]], device=device, requires_grad=True)
        n = xgrad.Tensor([1, 2, 3], device=device)
    io.save(path, {"x": x, "n": n, "zero-d": xgrad.Tensor(2.5), "empty": xgrad.Tensor(np.zeros((0, 3)))})
    for back in (io.load(path), io.load(path, backend=backend, device=device)):
        assert sorted(back) == ["empty", "n", "x", "zero-d"]
        assert back["x"].tolist() == [[1.0, 2.0]] and back["x"].dtype == xgrad.float32 and not back["x"].requires_grad
        assert back["n"].dtype == n.dtype and back["zero-d"].shape == () and back["empty"].shape == (0, 3)
    assert back["x"].backend == backend and str(back["x"].device) == str(x.device)


@pytest.mark.parametrize(
    "x",
    [np.arange(6.0).reshape(2, 3).T, np.arange(12.0)[::2], np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.arange(4.0)[::-1]],
)
def test_arrays_that_are_not_in_c_order(path, x, safetensors):
    io.save(path, {"x": x})
    np.testing.assert_array_equal(io.load(path)["x"].numpy(), x)
    np.testing.assert_array_equal(safetensors.load_file(path)["x"], x)


DTYPES = [
    "bool",
    *(f"{kind}{n}" for kind in ("int", "uint") for n in (8, 16, 32, 64)),
    "float16",
    "float32",
    "float64",
    "complex64",
]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(path, dtype, order):
    x = np.asarray([[0, 1, 1], [1, 0, 0]]).astype(np.dtype(dtype).newbyteorder(order))
    io.save(path, {"x": x})
    back = io.load(path)["x"]
    assert back.dtype == dtype and back.numpy().dtype.isnative
    np.testing.assert_array_equal(back.numpy(), x)


def test_metadata(path, safetensors):
    io.save(path, {"x": Value(1.0)}, metadata={"epoch": 3, "loss": [0.5, 0.25], "note": "ü"})
    assert io.load_metadata(path) == {"epoch": 3, "loss": [0.5, 0.25], "note": "ü"}
    io.save(path, {"x": Value(1.0)})
    assert io.load_metadata(path) == {}
    safetensors.save_file({"x": np.zeros(1)}, path, {"by": "another program"})
    assert io.load_metadata(path) == {"by": "another program"}


def test_a_failed_save_leaves_the_old_file_and_nothing_else(path, monkeypatch):
    io.save(path, {"x": np.ones(2)})

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeyboardInterrupt):
        io.save(path, {"x": np.zeros(2)})
    assert os.listdir(path.parent) == [path.name]
    assert io.load(path)["x"].tolist() == [1.0, 1.0]


def test_permissions_are_those_of_an_ordinary_file(path):
    io.save(path, {"x": np.ones(2)})
    other = path.parent / "other"
    other.write_text("")
    assert path.stat().st_mode == other.stat().st_mode


def test_clear_errors(path, tmp_path):
    with pytest.raises(TypeError, match="complex128"):
        io.save(path, {"x": np.zeros(2, dtype="complex128")})
    with pytest.raises(TypeError, match="'x': list"):
        io.save(path, {"x": [1.0]})
    with pytest.raises(FileNotFoundError, match="no folder"):
        io.save(tmp_path / "missing" / "model.safetensors", {"x": np.zeros(2)})
    with pytest.raises(IsADirectoryError, match="is a folder"):
        io.save(tmp_path, {"x": np.zeros(2)})
    with pytest.raises(FileNotFoundError):
        io.load(tmp_path / "missing.safetensors")
    assert os.listdir(tmp_path) == []
    path.write_bytes(b"\x10\0\0\0\0\0\0\0 not at all")
    for read in (io.load, io.load_metadata):
        with pytest.raises(ValueError, match="is not a safetensors file, or is incomplete"):
            read(path)


def test_a_file_that_is_cut_off(path):
    io.save(path, {"x": np.ones(100)})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="incomplete"):
        io.load(path)


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a Python of its own."""
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=120)


def test_it_needs_no_other_package(path):
    done = run(
        """
        import sys
        sys.modules["safetensors"] = None
        import numpy, xgrad.io
        xgrad.io.save(sys.argv[1], {"x": numpy.ones(2)})
        print(xgrad.io.load(sys.argv[1])["x"].tolist())
        """,
        str(path),
    )
    assert done.stdout == "[1.0, 1.0]\n", done.stderr


# ------------------------------------------------------------------------------------- the format, and its own package


STATES = {
    "empty": {},
    "zero-d": {"x": np.asarray(2.5)},
    "size 0": {"a": np.zeros((0, 3)), "b": np.zeros((2, 0), "int8"), "c": np.ones(1, "bool")},
    "odd sizes": {"a": np.ones(3, "int8"), "b": np.arange(5.0), "c": np.ones(1, "float16"), "d": np.arange(2, dtype="float32")},
    "names": {"": np.ones(1), "ü/\u4f60 \n": np.ones(2), "a.b": np.ones(3), 'quote"': np.ones(4)},
    "all dtypes": {dtype: np.asarray([[1, 0], [0, 1]], dtype) for dtype in DTYPES},
}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_what_is_written_here_loads_there_and_the_reverse(path, state, safetensors):
    def same(found):
        assert sorted(found) == sorted(state)
        for name, x in state.items():
            y = np.asarray(found[name])
            assert y.dtype == x.dtype and y.shape == x.shape
            np.testing.assert_array_equal(y, x)

    try:
        safetensors.save(state)
    except Exception:  # releases before 0.6 do not know complex64
        state = {name: x for name, x in state.items() if x.dtype != "complex64"}
    io.save(path, state, metadata={"epoch": 3})
    same({name: x.numpy() for name, x in io.load(path).items()})
    same(safetensors.load_file(path))
    same(safetensors.load(path.read_bytes()))
    safetensors.save_file(state, path, {"by": "another program"})
    same({name: x.numpy() for name, x in io.load(path).items()})
    assert io.load_metadata(path) == {"by": "another program"}


def packed(header, data=b"", length=None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(dtype="U8", shape=(1,), offsets=(0, 1), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


MALFORMED = {
    "nothing": b"",
    "seven bytes": b"\0" * 7,
    "no header": packed(b""),
    "header too long for the file": packed({}, length=3),
    "header too long for the format": packed({}, length=2**62),
    "header not Unicode": packed(b'{"\xff": 1}'),
    "header cut": packed(b'{"a": {"dtype"'),
    "header with zeros after it": packed(b"{}\0\0"),
    "header a list": packed([]),
    "header a deep list": packed(b"[" * 100_000),
    "a name twice": packed(b'{"a":%b,"a":%b}' % ((json.dumps(entry()).encode(),) * 2), b"1"),
    "a field twice": packed(b'{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}', b"1"),
    "metadata a list": packed({"__metadata__": []}),
    "metadata not of strings": packed({"__metadata__": {"a": 1}}),
    "an entry a list": packed({"a": []}),
    "no dtype": packed({"a": {"shape": [1], "data_offsets": [0, 1]}}, b"1"),
    "dtype unknown": packed({"a": entry("F31")}, b"1"),
    "dtype of NumPy": packed({"a": entry("uint8")}, b"1"),
    "dtype a list": packed({"a": entry(["U8"])}, b"1"),
    "shape negative": packed({"a": entry(shape=(-1, -1))}, b"1"),
    "shape of floats": packed({"a": entry(shape=(1.0,))}, b"1"),
    "shape of truths": packed({"a": entry(shape=(True,))}, b"1"),
    "shape too large": packed({"a": entry(shape=(2**40,))}, b"1"),
    "shape beyond every integer": packed({"a": entry(shape=(0, 2**70), offsets=(0, 0))}),
    "shape that is not a number": packed(b'{"a":{"dtype":"U8","shape":[NaN],"data_offsets":[0,1]}}', b"1"),
    "more axes than NumPy has": packed({"a": entry(shape=(1,) * 99)}, b"1"),
    "offsets of one": packed({"a": entry(offsets=(0,))}, b"1"),
    "offsets backwards": packed({"a": entry(offsets=(1, 0))}, b"1"),
    "offsets beyond the end": packed({"a": entry(shape=(2,), offsets=(0, 2))}, b"1"),
    "offsets of another size": packed({"a": entry("F32", (1,), (0, 3))}, b"123"),
    "a hole": packed({"a": entry(), "b": entry(offsets=(2, 3))}, b"123"),
    "a hole at the start": packed({"a": entry(offsets=(1, 2))}, b"12"),
    "overlapping": packed({"a": entry(shape=(2,), offsets=(0, 2)), "b": entry(shape=(2,), offsets=(1, 3))}, b"123"),
    "the same bytes twice": packed({"a": entry(), "b": entry()}, b"1"),
    "bytes left over": packed({"a": entry()}, b"12"),
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("check", [True, False])
def test_every_malformed_file_is_refused_by_load_and_load_metadata_alike(path, content, check):
    path.write_bytes(content)
    for read in (io.load, io.load_metadata):
        with pytest.raises(ValueError, match="model.safetensors is not a safetensors file, or is incomplete"):
            read(path, check=check)


def test_a_file_cut_at_any_byte_is_refused(path):
    io.save(path, {"x": np.arange(3.0), "n": np.arange(3)}, metadata={"epoch": 3})
    whole = path.read_bytes()
    for n in range(len(whole)):
        path.write_bytes(whole[:n])
        for read in (io.load, io.load_metadata):
            with pytest.raises(ValueError, match="incomplete"):
                read(path)


def test_truth_values_of_other_programs_are_0_or_1(path):
    path.write_bytes(packed({"a": entry("BOOL", (3,), (0, 3))}, b"\0\1\2"))
    assert io.load(path)["a"].numpy().view("uint8").tolist() == [0, 1, 1]


def test_arrays_that_are_loaded_can_be_written_to(path, backend):
    io.save(path, {"x": np.arange(3.0), "b": np.ones(2, bool)})
    for x in io.load(path, backend=backend).values():
        x[0] = 0
    if backend == "numpy":
        x = io.load(path)["x"].data
        x[0] = 5.0
        assert x.base is None


# ------------------------------------------------------------------------------------------- types that NumPy has not


def numbers_of(dtype: str) -> np.ndarray:
    """All 256 values of a float of 8 bits, by the package that defines them for NumPy."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    return np.arange(256, dtype="uint8").view(getattr(ml_dtypes, dtype)).astype("float32")


@pytest.mark.parametrize(
    "short, dtype",
    [
        ("F8_E4M3", "float8_e4m3fn"),
        ("F8_E5M2", "float8_e5m2"),
        ("F8_E4M3FNUZ", "float8_e4m3fnuz"),
        ("F8_E5M2FNUZ", "float8_e5m2fnuz"),
        ("F8_E8M0", "float8_e8m0fnu"),
    ],
)
def test_floats_of_8_bits_are_decoded_exactly(path, backend, short, dtype):
    path.write_bytes(packed({"a": entry(short, (16, 16), (0, 256))}, bytes(range(256))))
    with pytest.warns(UserWarning, match=f"holds {short}, which xgrad lacks: a became float32"):
        x = io.load(path, backend=backend)["a"]
    assert x.dtype == xgrad.float32 and x.backend == backend
    found, wanted = x.numpy().reshape(-1), numbers_of(dtype)
    if backend == "jax":  # which takes subnormal numbers for zeros in some of its calls
        found, wanted = (np.where(np.abs(a) < 2.0**-126, 0, a) for a in (found, wanted))
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(np.signbit(found)[~np.isnan(found)], np.signbit(wanted)[~np.isnan(wanted)])


def test_every_bfloat16_is_loaded_exactly_and_saved_again(path, backend):
    bits = np.arange(1 << 16, dtype="uint16")
    path.write_bytes(packed({"a": entry("BF16", (256, 256), (0, 1 << 17))}, bits.tobytes()))
    wanted = (bits.astype("uint32") << 16).view("float32")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        x = io.load(path, backend=backend)["a"]
    has = hasattr(xgrad.backend.find_backend(backend).xp, "bfloat16")
    assert x.dtype == (xgrad.bfloat16 if has else xgrad.float32)
    assert len(told) == (0 if has else 1)
    if not has:
        assert f"holds BF16, which backend '{backend}' lacks: a became float32, exactly" in str(told[0].message)
    found = x.numpy().reshape(-1)
    tiny = np.abs(wanted) < 2.0**-126
    np.testing.assert_array_equal(found[~tiny], wanted[~tiny])
    if backend != "jax":  # which takes subnormal numbers for zeros in some of its calls
        np.testing.assert_array_equal(found, wanted)
    if has:
        io.save(path, {"a": x, "zero-d": x[1, 1]})
        assert b'"BF16"' in path.read_bytes()
        back = io.load(path, backend=backend)
        assert back["a"].dtype == back["zero-d"].dtype == xgrad.bfloat16 and back["zero-d"].shape == ()
        np.testing.assert_array_equal(back["a"].numpy(), x.numpy())


def test_bfloat16_of_pytorch_is_read_by_its_own_package(path):
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("safetensors.torch")
    x = torch.randn(5, 3, dtype=torch.bfloat16)
    io.save(path, {"x": xgrad.Tensor(x.mT)})
    assert torch.equal(theirs.load_file(path)["x"], x.mT)
    theirs.save_file({"x": x, "f": x.to(torch.float8_e4m3fn), "g": x.to(torch.float8_e5m2)}, path)
    with pytest.warns(UserWarning, match="F8_E"):
        back = io.load(path, backend="torch")
    assert torch.equal(back["x"].data, x)
    assert torch.equal(back["f"].data, x.to(torch.float8_e4m3fn).float())
    assert torch.equal(back["g"].data, x.to(torch.float8_e5m2).float())


@pytest.mark.parametrize("short, size", [("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6)])
def test_types_that_are_not_read_are_named(path, short, size):
    path.write_bytes(packed({"a": entry(short, (8,), (0, size))}, bytes(size)))
    for read in (io.load, io.load_metadata):
        with pytest.raises(ValueError, match=f"'a' is of type {short}; xgrad reads no floats of less than 8 bits"):
            read(path)


def test_a_backend_without_64_bits_says_what_it_changed(path):
    pytest.importorskip("jax")
    done = run(
        """
        import sys, warnings
        import jax, numpy, xgrad.io
        xgrad.set_backend("jax")
        jax.config.update("jax_enable_x64", False)
        warnings.simplefilter("error")
        for x in (numpy.asarray([1.5]), numpy.asarray([2**40]), numpy.asarray([1.5], "float32"), numpy.asarray([2], "int32")):
            xgrad.io.save(sys.argv[1], {"x": x})
            try:
                print(xgrad.io.load(sys.argv[1]))
            except Exception as error:
                print(type(error).__name__, error)
        """,
        str(path),
    )
    wide, large, single, short = done.stdout.splitlines()
    assert wide.startswith("UserWarning load: backend 'jax' made float32 of 'x', which is float64 in"), done.stderr
    assert large.startswith("ValueError") and "made int32 of 'x', and not all values of int64 fit; switch its 64 bits on" in large
    assert single.startswith("{'x': Tensor") and short.startswith("{'x': Tensor")


# ----------------------------------------------------------------------------------------------------------- checksums


def test_any_bit_that_flips_is_found(path):
    io.save(path, {"x": np.asarray([1.0, 2.0]), "n": np.asarray([1, 2, 3], "int8")}, metadata={"epoch": 3})
    whole = path.read_bytes()
    wanted = [(name, x.tolist()) for name, x in io.load(path).items()], io.load_metadata(path)
    for at in range(len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[at] ^= 1 << bit
            path.write_bytes(flipped)
            try:
                found = [(name, x.tolist()) for name, x in io.load(path).items()], io.load_metadata(path)
            except ValueError:
                continue
            # What is left: blanks of JSON, and the name of the checksum itself, which is an ordinary entry then.
            facts = {name: value for name, value in found[1].items() if name == "epoch"}
            assert (found[0], facts) == wanted, (at, bit)


def test_damaged_data_are_named_as_such_and_read_on_demand(path):
    io.save(path, {"x": np.asarray([1.0, 2.0])}, metadata={"epoch": 3})
    path.write_bytes(path.read_bytes()[:-1] + b"\x41")
    for read in (io.load, io.load_metadata):
        with pytest.raises(ValueError, match="model.safetensors is damaged: its bytes have the checksum .* pass check=False"):
            read(path)
    assert io.load(path, check=False)["x"][0].item() == 1.0 and io.load_metadata(path, check=False) == {"epoch": 3}


def test_the_checksum_survives_another_writer_of_the_same_tensors(path, safetensors):
    io.save(path, {"x": np.asarray([1.0, 2.0])}, metadata={"epoch": 3})
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    path.write_bytes(packed(json.dumps(dict(reversed(header.items())), indent=1).encode(), whole[8 + length :]))
    assert io.load(path)["x"].tolist() == [1.0, 2.0]
    header["__metadata__"]["xgrad.checksum"] = "sha256:00"
    path.write_bytes(packed(header, whole[8 + length :]))
    with pytest.raises(ValueError, match="which this release of xgrad cannot compare"):
        io.load(path)


# ---------------------------------------------------------------------------------------------------- what is refused


class Nameless:
    dtype = "float32"


REFUSED = {
    "a list": ([np.ones(2)], {}, TypeError, "tensors maps names to Tensors or arrays, but it is a list"),
    "the format's own name": ({"__metadata__": np.ones(2)}, {}, ValueError, "the format's own name"),
    "a number as name": ({1: np.ones(2)}, {}, TypeError, "the name 1"),
    "None as name": ({None: np.ones(2)}, {}, TypeError, "the name None"),
    "bytes as name": ({b"x": np.ones(2)}, {}, TypeError, "the name b'x'"),
    "half of a character as name": ({"\ud800": np.ones(2)}, {}, ValueError, "not valid Unicode"),
    "a number": ({"x": 1.0}, {}, TypeError, "'x': float"),
    "None": ({"x": None}, {}, TypeError, "'x': NoneType"),
    "something with a dtype": ({"x": Nameless()}, {}, TypeError, "'x': Nameless"),
    "a container": ({"x": {"y": np.ones(2)}}, {}, TypeError, "'x': dict; a file is flat"),
    "complex128": ({"x": np.ones(2, complex)}, {}, TypeError, "x is complex128"),
    "objects": ({"x": np.asarray([None])}, {}, TypeError, "x is object"),
    "strings": ({"x": np.asarray(["a"])}, {}, TypeError, "x is <U1"),
    "times": ({"x": np.asarray(["2000"], "datetime64[Y]")}, {}, TypeError, "x is datetime64"),
    "records": ({"x": np.zeros(2, "f4,i4")}, {}, TypeError, "cannot hold"),
    "a masked array": ({"x": np.ma.masked_array([1.0, 2.0], [True, False])}, {}, TypeError, "MaskedArray"),
    "metadata a list": ({}, [1], TypeError, "metadata maps names to values.* but it is a list"),
    "metadata a string": ({}, "epoch", TypeError, "but it is a str"),
    "metadata with a number as name": ({}, {1: 2}, TypeError, "metadata has the name 1"),
    "metadata with a number as inner name": ({}, {"a": [{1: 2}]}, TypeError, r"metadata\['a'\] .*the key 1 is a int"),
    "metadata that JSON lacks": ({}, {"a": np.ones(2)}, TypeError, r"metadata\['a'\] cannot be written as JSON"),
    "metadata that holds itself": ({}, (lambda a: a.append(a) or {"a": a})([]), TypeError, r"metadata\['a'\]"),
    "the name of the checksum": ({}, {"xgrad.checksum": 1}, ValueError, "xgrad's own entry"),
}
if hasattr(np, "float128"):
    REFUSED["float128"] = {"x": np.ones(2, "float128")}, {}, TypeError, "x is float128"


@pytest.mark.parametrize("tensors, metadata, error, text", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_written_is_refused_and_the_old_file_stays(path, tensors, metadata, error, text):
    io.save(path, {"x": np.ones(2)}, metadata={"epoch": 3})
    before = path.read_bytes()
    with pytest.raises(error, match=text):
        io.save(path, tensors, metadata=metadata)
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


# ------------------------------------------------------------------------------------------------ files and processes


@pytest.mark.parametrize("kind", [str, Path, os.fsencode], ids=["str", "Path", "bytes"])
def test_paths_of_every_kind(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b.safetensors", ".c", os.path.join(tmp_path, "d.e"), "ü" * 100, "f" * 255):
        path = kind(name)
        io.save(path, {"x": np.ones(2)})
        assert io.load(path)["x"].tolist() == [1.0, 1.0] and io.load_metadata(path) == {}
    assert len(os.listdir(tmp_path)) == 6


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o700])
def test_a_file_that_is_replaced_keeps_its_permissions(path, mode):
    io.save(path, {"x": np.ones(2)})
    path.chmod(mode)
    io.save(path, {"x": np.zeros(2)})
    assert stat.S_IMODE(path.stat().st_mode) == mode and io.load(path)["x"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_file_follows_the_umask(path, umask):
    before = os.umask(umask)
    try:
        io.save(path, {"x": np.ones(2)})
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_nobody_else_can_read_a_private_file_while_it_is_written(path):
    io.save(path, {"x": np.ones(2)})
    path.chmod(0o600)
    with io.written_whole(path) as temporary:
        assert stat.S_IMODE(os.stat(temporary).st_mode) == 0o600


def test_symbolic_links_are_followed(tmp_path):
    (tmp_path / "store").mkdir()
    link = tmp_path / "model.safetensors"
    link.symlink_to(os.path.join("store", "v1"))  # dangling at first
    for value in (1.0, 2.0):
        io.save(link, {"x": np.asarray(value)})
        assert link.is_symlink() and io.load(tmp_path / "store" / "v1")["x"].item() == io.load(link)["x"].item() == value
    assert os.listdir(tmp_path / "store") == ["v1"]
    link.unlink()
    link.symlink_to(link.name)
    with pytest.raises(OSError, match="symbolic links"):
        io.save(link, {"x": np.ones(2)})
    link.unlink()
    link.symlink_to("store")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        io.save(link, {"x": np.ones(2)})
    with pytest.raises(IsADirectoryError, match="is a folder"):
        io.save(str(tmp_path / "new") + "/", {"x": np.ones(2)})
    with pytest.raises(IsADirectoryError):
        io.load(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_what_is_no_ordinary_file_is_not_replaced(path):
    os.mkfifo(path)
    with pytest.raises(OSError, match="not an ordinary file"):
        io.save(path, {"x": np.ones(2)})
    assert stat.S_ISFIFO(path.stat().st_mode)
    data = packed({"a": entry()}, b"1")
    threading.Thread(target=path.write_bytes, args=(data,)).start()
    assert io.load(path)["a"].tolist() == [49]  # but read it can be


def test_folders_and_files_that_are_read_only(path, monkeypatch):
    io.save(path, {"x": np.ones(2)})
    before = path.read_bytes()

    def deny(*_, **__):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:  # the tests may run as root, who may do anything
        patch.setattr(os, "open", deny)
        with pytest.raises(PermissionError, match="model.safetensors: the folder .* is read-only"):
            io.save(path, {"x": np.zeros(2)})
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        with pytest.raises(PermissionError, match="the file is read-only"):
            io.save(path, {"x": np.zeros(2)})
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_a_full_disk_leaves_the_old_file(path):
    pytest.importorskip("resource")
    io.save(path, {"x": np.ones(2)})
    before = path.read_bytes()
    done = run(
        """
        import resource, signal, sys, numpy, xgrad.io
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            xgrad.io.save(sys.argv[1], {"x": numpy.ones(100_000)})
        except OSError as error:
            print("OSError", error)
        """,
        str(path),
    )
    assert done.stdout.startswith("OSError"), done.stderr
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_an_old_file_that_is_mapped_stays_as_it_was(path):
    io.save(path, {"x": np.ones(2)})
    before = path.read_bytes()
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        io.save(path, {"x": np.zeros(1000)})
        assert mapped[:] == before
    assert io.load(path)["x"].shape == (1000,)


@pytest.mark.parametrize("where", ["open", "replace", "unlink"])
def test_an_interrupt_right_after_any_step_leaves_nothing(path, monkeypatch, where):
    original = getattr(os, where)
    pending = [True]

    def interrupted(*args, **kwargs):
        result = original(*args, **kwargs)
        if pending and "xgrad-" in os.fspath(args[0]):
            pending.clear()
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(os, where, interrupted)
    io_error = pytest.raises(KeyboardInterrupt) if where != "unlink" else pytest.raises((KeyboardInterrupt, RuntimeError))
    with io_error, io.written_whole(path) as temporary:
        Path(temporary).write_text("new")
        if where == "unlink":
            raise RuntimeError
    assert os.listdir(path.parent) == ([path.name] if where == "replace" else [])


WRITER = """
import sys, time
import xgrad.io
with xgrad.io.written_whole(sys.argv[1]) as temporary:
    open(temporary, "wb").write(b"half")
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system kills otherwise")
def test_what_a_killed_process_left_is_removed_and_what_a_live_one_writes_is_not(path):
    def writer(path):
        command = [sys.executable, "-c", WRITER, str(path)]
        process = subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "writing\n"
        return process

    others = [path.with_name(name) for name in ("model", "model.safetensors.bak", "other.safetensors")]
    killed, alive, *elsewhere = [writer(p) for p in (path, path, *others)]
    for process in (killed, *elsewhere):
        process.kill()
        process.communicate()
    bystander = path.with_name(".model.xgrad-notes.safetensors")
    bystander.write_text("")
    assert len(os.listdir(path.parent)) == 6
    io.save(path, {"x": np.ones(2)})
    assert len(os.listdir(path.parent)) == 6  # that of the killed one is gone, the others are there, and the new file
    alive.communicate("")
    assert alive.returncode == 0 and path.read_bytes() == b"half"
    for other in others:
        io.save(other, {"x": np.ones(2)})
    assert sorted(os.listdir(path.parent)) == sorted(p.name for p in (path, bystander, *others))


def test_processes_and_threads_that_save_at_once(path):
    code = """
    import sys, threading, numpy, xgrad.io
    def work(k):
        for i in range(20):
            xgrad.io.save(sys.argv[1], {"x": numpy.full(1000, float(k))})
            xgrad.io.load(sys.argv[1])
    threads = [threading.Thread(target=work, args=(int(sys.argv[2]) + k,)) for k in range(3)]
    [t.start() for t in threads]; [t.join() for t in threads]
    """
    outcomes = []
    threads = [threading.Thread(target=lambda k=k: outcomes.append(run(code, str(path), str(k)))) for k in (0, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [done.stderr for done in outcomes] == ["", ""]
    assert os.listdir(path.parent) == [path.name] and len(set(io.load(path)["x"].tolist())) == 1
