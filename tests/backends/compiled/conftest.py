"""Both executors; that in C only where there is a compiler. What is compiled is not kept."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from xgrad_backends.compiled import CannotCompile
from xgrad_backends.compiled.compiler import compiler


@pytest.fixture(scope="session", autouse=True)
def _own_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if "XGRAD_CACHE" not in os.environ:
            patch.setenv("XGRAD_CACHE", str(tmp_path_factory.mktemp("compiled")))
        yield


@pytest.fixture(params=["c", "numpy"])
def how(request: pytest.FixtureRequest) -> str:
    if request.param == "c":
        try:
            compiler()
        except CannotCompile as error:
            pytest.skip(str(error))
    return str(request.param)
