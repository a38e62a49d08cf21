"""The executor that runs a plan on a GPU: generated kernels and cuBLAS, repeated as CUDA graphs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import cupy
import numpy

from xgrad.backend import is_deterministic

from ..compiled import lower_indexing, lower_products  # noqa: F401, their rules
from ..compiled.executor import Executor
from ..compiled.groups import group_steps
from ..compiled.lower import Lowering
from ..compiled.memory import lives_in_groups
from ..compiled.places import Places
from ..compiled.steps import Storage
from .actions import Call, Product
from .blas import blas
from .kernels import Launch
from .memory import DeviceMemory
from .single import ATOMIC
from .source import Source
from .stages import actions_of, in_stages

__all__ = ["GraphExecutor"]

OFTEN = 2
"""After so many other arrays in the place of an input or an output, it gets memory of its own, to which arrays are copied."""


class DeviceLowering(Lowering):
    """The steps of a plan for a GPU."""

    long = None

    def can_scatter(self, how: str, dtype: Any) -> bool:
        return how == "set" or (numpy.dtype(dtype).name in ATOMIC and not is_deterministic())


class GraphExecutor(Executor):
    """Runs a plan as CUDA graphs.

    The first run starts the kernels one by one, which also lets CuPy compile its own. The second one records them in a graph,
    which is launched from then on. A graph holds the addresses of arrays: when other arrays are bound it is recorded again, and
    an array that changes often is copied to a place that does not change.

    Parameters
    ----------
    plan : Plan
    homes : sequence of int or None

    Raises
    ------
    CannotCompile
        If CUDA's compiler refuses the source.
    """

    def __init__(self, plan: Any, homes: Sequence[int | None]) -> None:
        self._blas = blas()
        low = DeviceLowering(plan)
        places = Places(low, homes)
        stages = in_stages(group_steps(places), places)
        scratch: dict[Storage, int] = {}
        source = Source()
        self._actions: list[Any] = []
        for number, stage in enumerate(stages):

            def more(dtype: Any, size: int, number: int = number) -> Storage:
                storage = places.storage("temporary", dtype, size)
                scratch[storage] = number
                return storage

            for action in actions_of(stage, places, self._blas is not None, more):
                self._actions.append(source.kernel(action) if isinstance(action, Launch) else action)
        lives = lives_in_groups(places, [group for stage in stages for group in stage], scratch)
        self.memory = DeviceMemory(places, lives)
        self.source = source.text(places, plan.used_numbers)
        self.groups, self.bytes = len(self._actions), self.memory.bytes
        self._store = source.compile(self.source)
        self._fixed = {k for k in homes if k is not None}
        self._numbers = cupy.zeros(max(len(plan.used_numbers), 1), dtype="float64")
        self._draws_from = len(plan.inputs)
        self._changes: dict[Storage, int] = {}
        self._copied_in: dict[Storage, Any] = {}  # arrays that are copied to their place before each run
        self._copied_out: dict[Storage, Any] = {}
        self._pool = cupy.cuda.MemoryPool()  # what calls of CuPy need while a graph is recorded
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self._parts: list[Any] | None = None  # graphs, and actions that cannot be part of one
        self._apart = {k for k, action in enumerate(self._actions) if isinstance(action, Call) and action.is_apart}
        self._runs, self._records = 0, True

    # ---------------------------------------------------------------------------------------------------------- binding

    def bind_input(self, index: int, array: Any) -> None:
        storage = self.memory.inputs.get(index)
        if storage is not None:
            self._bind(storage, array, self._copied_in, index in self._fixed, index >= self._draws_from)

    def bind_draw(self, index: int, array: Any) -> None:
        self.bind_input(self._draws_from + index, array)

    def bind_output(self, index: int, array: Any) -> None:
        storage = self.memory.outputs.get(index)
        if storage is not None:
            self._bind(storage, array, self._copied_out, False, False)

    def _bind(self, storage: Storage, array: Any, copied: dict[Storage, Any], is_fixed: bool, is_new: bool) -> None:
        if array.device != self._numbers.device:
            raise ValueError(f"jit: an array is on {array.device}, and the plan was made on {self._numbers.device}")
        flat = array.reshape(-1)
        if storage in copied:
            copied[storage] = flat
            return
        old = self.memory.arrays.get(storage)
        if old is not None and old.data.ptr == flat.data.ptr:
            self.memory.arrays[storage] = flat
            return
        self._changes[storage] = changes = self._changes.get(storage, -1) + 1
        if is_new or (changes >= OFTEN and not is_fixed):
            copied[storage] = flat
            flat = cupy.empty(flat.shape, dtype=flat.dtype)
        self.memory.arrays[storage] = flat
        self._parts = None

    # ------------------------------------------------------------------------------------------------------------ running

    def run(self, numbers: tuple[Any, ...]) -> None:
        """Compute all outputs from what is bound, and from the plan's `used_numbers`."""
        if self._store is not None:  # as arguments of a kernel: memory of the host might be written again before it is read
            self._store((1,), (1,), (self._numbers.data.ptr, *numbers))
        for storage, array in self._copied_in.items():
            cupy.copyto(self.memory.arrays[storage], array)
        if self._parts is None:
            self._bind_all()
            if self._runs and self._records:
                self._record(numbers)
        self._runs += 1
        if self._parts is None:
            for action in self._actions:
                self._start(action, numbers)
        else:
            for part in self._parts:
                part(numbers)
        for storage, array in self._copied_out.items():
            cupy.copyto(array, self.memory.arrays[storage])

    def _bind_all(self) -> None:
        for action in self._actions:
            if not isinstance(action, Call):
                action.bind(self.memory)

    def _start(self, action: Any, numbers: tuple[Any, ...]) -> None:
        if isinstance(action, Product):
            action.run(self.memory, self._blas)  # type: ignore[arg-type]
        elif isinstance(action, Call):
            action.run(self.memory, numbers)
        else:
            action.run(self._numbers)

    def _record(self, numbers: tuple[Any, ...]) -> None:
        """Make graphs of the longest runs of actions that can be part of one; none at all if CUDA cannot record them."""
        try:
            self._parts = self._graphs(numbers)
        except Exception as error:
            self._records = False
            warnings.warn(f"jit: no CUDA graph can be made, and kernels are started one by one: {error}", stacklevel=2)

    def _graphs(self, numbers: tuple[Any, ...]) -> list[Any]:
        while True:
            parts: list[Any] = []
            at = 0
            while at < len(self._actions):
                if at in self._apart:
                    parts.append(self._alone(self._actions[at]))
                    at += 1
                    continue
                end = next((k for k in range(at, len(self._actions)) if k in self._apart), len(self._actions))
                graph = self._graph(at, end, numbers)
                if graph is None:
                    break
                parts.append(graph)
                at = end
            else:
                return parts

    def _alone(self, action: Any) -> Callable[[tuple[Any, ...]], None]:
        return lambda numbers: self._start(action, numbers)

    def _graph(self, start: int, end: int, numbers: tuple[Any, ...]) -> Callable[[tuple[Any, ...]], None] | None:
        """A graph of actions; None, and the action is entered in `_apart`, if one of them cannot be part of a graph."""
        with cupy.cuda.using_allocator(self._pool.malloc), self._stream:
            self._stream.begin_capture()
            graph = None
            try:
                for k in range(start, end):
                    try:
                        self._start(self._actions[k], numbers)
                    except Exception:
                        if not isinstance(self._actions[k], Call):
                            raise
                        self._apart.add(k)
                        return None
            finally:
                graph = self._stream.end_capture()
        return lambda numbers: graph.launch(cupy.cuda.get_current_stream())
