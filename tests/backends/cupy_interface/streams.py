"""Streams, events and graphs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from . import real
from .counters import count_launch, count_sync
from .launching import Capture, capturing, current

__all__ = ["Event", "ExternalStream", "Graph", "Stream", "get_current_stream"]

_local = threading.local()
_addresses = iter(range(0x5000, 1 << 62, 16))
_capturing_streams: dict[int, Capture] = {}


def refuse_wait(capture: Capture | None) -> None:
    if capture is not None:
        raise real.cupy.cuda.runtime.CUDARuntimeError(900)  # cudaErrorStreamCaptureUnsupported


class Stream:
    """A stream: an order of kernels. The emulated device runs each at once."""

    null: Stream
    ptds: Stream

    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False, *, priority: Any = None) -> None:
        self.ptr = 0 if null else 2 if ptds else next(_addresses)
        self.is_non_blocking, self.priority, self.device_id = non_blocking, priority or 0, -1 if null or ptds else 0
        self._capture: Capture | None = None

    @classmethod
    def from_external(cls, stream: Any) -> Stream:
        return ExternalStream(stream.__cuda_stream__()[1])

    def __cuda_stream__(self) -> tuple[int, int]:
        return (0, self.ptr)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and other.ptr == self.ptr

    def __hash__(self) -> int:
        return hash(self.ptr)

    def __repr__(self) -> str:
        return f"<Stream {self.ptr} (device {self.device_id})>"

    def __enter__(self) -> Stream:
        stack = getattr(_local, "stack", None)
        if stack is None:
            stack = _local.stack = []
        stack.append(get_current_stream())
        return self.use()

    def __exit__(self, *error: object) -> None:
        _local.stack.pop().use()

    def use(self) -> Stream:
        _local.stream = self
        current.capture = self._capture
        return self

    @property
    def done(self) -> bool:
        refuse_wait(self._capture)
        return True

    def synchronize(self) -> None:
        refuse_wait(self._capture)
        count_sync("Stream.synchronize")

    def add_callback(self, callback: Any, arg: Any) -> None:
        callback(self, 0, arg)

    def launch_host_func(self, callback: Any, arg: Any) -> None:
        if self._capture is not None:
            self._capture.nodes.append(lambda: callback(arg))
        else:
            callback(arg)

    def record(self, event: Event | None = None) -> Event:
        return (Event() if event is None else event)._recorded(self)

    def wait_event(self, event: Event) -> None:
        pass

    def begin_capture(self, mode: int | None = None) -> None:
        if self.ptr == 0:
            raise real.cupy.cuda.runtime.CUDARuntimeError(900)
        if self._capture is not None:
            raise real.cupy.cuda.runtime.CUDARuntimeError(1)
        self._capture = _capturing_streams[self.ptr] = Capture()
        if get_current_stream() is self:
            current.capture = self._capture

    def end_capture(self) -> Graph:
        if self._capture is None:
            raise real.cupy.cuda.runtime.CUDARuntimeError(1)
        graph = Graph(self._capture)
        self._capture = None
        _capturing_streams.pop(self.ptr, None)
        if get_current_stream() is self:
            current.capture = None
        return graph

    def is_capturing(self) -> bool:
        return self._capture is not None


class ExternalStream(Stream):
    """A stream of another library, by its address."""

    def __init__(self, ptr: int, device_id: int = -1) -> None:
        super().__init__()
        self.ptr, self.device_id = ptr, device_id


Stream.null = Stream(null=True)
Stream.ptds = Stream(ptds=True)


def get_current_stream(device_id: int = -1) -> Stream:
    stream = getattr(_local, "stream", None)
    return Stream.null if stream is None else stream


def is_capturing(address: int) -> bool:
    """Whether the stream of this address is capturing: ``cupy.cuda.runtime.streamIsCapturing``."""
    return address in _capturing_streams


def synchronize_device() -> None:
    if _capturing_streams:
        refuse_wait(next(iter(_capturing_streams.values())))
    count_sync("Device.synchronize")


class Event:
    """A place in the order of a stream."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self.ptr = next(_addresses)

    def _recorded(self, stream: Stream) -> Event:
        return self

    def record(self, stream: Stream | None = None) -> None:
        pass

    @property
    def done(self) -> bool:
        return True

    def synchronize(self) -> None:
        refuse_wait(capturing())
        count_sync("Event.synchronize")


def get_elapsed_time(start: Event, end: Event) -> float:
    return 0.0


class Graph:
    """The kernels of a capture. A launch runs them again, from the same memory into the same memory."""

    def __init__(self, capture: Capture) -> None:
        self._captured = capture
        self.graph, self.graphExec = next(_addresses), next(_addresses)

    def __len__(self) -> int:
        return len(self._captured.nodes)

    def launch(self, stream: Stream | None = None) -> None:
        count_launch("Graph.launch")
        self._captured.run()

    def upload(self, stream: Stream | None = None) -> None:
        pass

    def debug_dot_str(self, flags: int = 0) -> str:
        return "digraph {" + "".join(f" n{k};" for k in range(len(self))) + " }"


@contextlib.contextmanager
def on_null_stream() -> Iterator[None]:
    """Run the body on the null stream, outside every capture."""
    with Stream.null:
        yield
