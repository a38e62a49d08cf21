"""Point SciPy's own array-API tests at xgrad: ``pytest -p tests.scipy.plugin --pyargs scipy.stats -m array_api_backends``.

SciPy's tests take the namespace to test as a fixture, `xp`, whose list of namespaces is fixed in SciPy's ``conftest.py``; this
plugin puts xgrad's, bound to NumPy, in the place of that list. With ``--recording`` every floating tensor that a test makes
requires grad, so that all that SciPy does to it is recorded; what is compared with the expected values is then detached.

Tests that SciPy marks as being for NumPy alone are skipped, as they are for every library that SciPy knows.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

import xgrad
from xgrad import Tensor

from . import alone  # noqa: F401  (before anything of SciPy)

MAKERS = (
    "arange", "asarray", "empty", "empty_like", "eye", "full", "full_like", "linspace", "ones", "ones_like", "zeros",
    "zeros_like",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--recording", action="store_true", help="have every floating tensor require grad")
    parser.addoption("--np-only", action="store_true", help="run also what SciPy marks as being for NumPy alone")


def pytest_configure(config: pytest.Config) -> None:
    xgrad.set_default_dtype(xgrad.float64)  # as SciPy's conftest.py does with PyTorch
    # The `devices` of SciPy 1.17's conftest.py is of the standard before 2025.12, which had a list here.
    info = type(xgrad.namespace("numpy").__array_namespace_info__())
    devices = info.devices
    info.devices = lambda self: list(devices(self))  # type: ignore[method-assign]
    if config.getoption("--recording"):
        record_everything()


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    from scipy import conftest

    namespace = xgrad.namespace("numpy")
    if not metafunc.config.getoption("--np-only"):
        conftest.xp_known_backends.add(namespace.__name__)
    for fixture in metafunc._arg2fixturedefs.get("xp", ()):
        if fixture.params is not None:
            fixture.params = (pytest.param(namespace, id="xgrad", marks=pytest.mark.array_api_backends),)


def record_everything() -> None:
    """Have the namespace make tensors that require grad, and SciPy's assertions look at what is in them."""
    import scipy.fft
    from scipy._lib import _array_api

    scipy.fft.register_backend("scipy")
    scipy.fft.set_global_backend(xgrad.scipy.fft)  # the cosine and sine transforms have no other way
    namespace = xgrad.namespace("numpy")
    for name in MAKERS:
        setattr(namespace, name, recorded(getattr(namespace, name)))
    check = _array_api._strict_check

    @functools.wraps(check)
    def look_inside(actual: Any, desired: Any, xp: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        *pair, xp = check(actual, desired, xp, **options)
        return *(x.detach() if isinstance(x, Tensor) else x for x in pair), xp

    _array_api._strict_check = look_inside
    refuse = Tensor._refuse
    Tensor._refuse = lambda x, what: None if asked_by_a_test() else refuse(x, what)  # type: ignore[method-assign]


def asked_by_a_test() -> bool:
    """Whether it is a test's own code that takes the numbers out of a tensor, and not the function that it tests."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in ("xgrad", "numpy"):
        frame = frame.f_back
    name = "" if frame is None else frame.f_globals.get("__name__", "")
    return ".tests." in name or name == "scipy._lib._array_api"


def recorded(make: Callable[..., Any]) -> Callable[..., Any]:
    """`make`, but what it makes of floating numbers requires grad (and is no leaf, which could not be written to)."""

    @functools.wraps(make)
    def made(*args: Any, **kwargs: Any) -> Any:
        x = make(*args, **kwargs)
        if x.requires_grad or not x.dtype.inexact:
            return x
        return xgrad.positive(Tensor(x.data, requires_grad=True))

    return made
