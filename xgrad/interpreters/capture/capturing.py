"""One run of a function that is being captured: its arguments and its state are replaced, and put back when it is over."""

from __future__ import annotations

import gc
import random
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

from ...backend.find import backend_of, is_numpy_scalar, raw_namespace, without_hot_path
from ...backend.protocol import Backend
from ...backend.select import current_backend
from ...graph import memory
from ...graph.node import Leaf, node_of
from ...graph.recording import interpreters, mode
from ...graph.walks import newest_first
from ...tensor.tensor import Tensor, births, wrap
from .arguments import Form, flatten
from .arrays import Number, Traced
from .backend import Capture
from .pulled import Pulled, graph_of, write_down
from .reach import SCALARS, Guard, Reached, attribute, reach
from .slots import ArgumentSlot, GradSlot, NumberSlot, Slot, TensorSlot, owned
from .trace import CannotCapture, Var, mapped

__all__ = ["Captured", "capture"]


class Captured:
    """What came of one run.

    Attributes
    ----------
    base : Backend
    arguments : Form
        The structure of the positional and keyword arguments.
    leaves : list of (kind, detail)
        Of each leaf of the arguments: ``("tensor", (class, shape, dtype))``, ``("array", ...)``, ``("number", type)``,
        ``("static", value)`` or ``("object", value)``.
    guards : list of Guard
    form : Form
        The structure of the result.
    results : list of (kind, what)
        Of each leaf of the result: ``("output", Var)``, ``("number", Var)``, or ``("same", object)``.
    sets : list of (Slot, Var)
        What the run stored in Tensors and numbers.
    grads : list of (Leaf, Var or None)
        The gradients that it left.
    pulled : Pulled or None
        The gradient of the results that have a graph.
    problem : str or None
        Why there can be no plan: the results have a graph, and its gradient cannot be written down.
    """

    def __init__(self, base: Backend) -> None:
        self.base = base
        self.leaves: list[tuple[str, Any]] = []
        self.guards: list[Guard] = []
        self.results: list[tuple[str, Any]] = []
        self.sets: list[tuple[Slot, Var]] = []
        self.grads: list[tuple[Leaf, Var | None]] = []
        self.pulled: Pulled | None = None
        self.problem: str | None = None
        self.function: Callable[..., Any]
        self.arguments: Form
        self.form: Form
        self.capture: Capture


def capture(function: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Captured, Any]:
    """Run `function` on arrays that write down what is done with them.

    Returns
    -------
    captured : Captured
    result :
        What the function returned, on plain arrays. Its effects are there, as after any call.

    Raises
    ------
    CannotCapture
        If it did something that cannot be repeated for other values. Then nothing is changed.
    """
    with _capturing:
        return _captured(function, name, args, kwargs)


_capturing = threading.RLock()
"""Held during a capture: two at once could replace the state of the same model."""


def _captured(function: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Captured, Any]:
    leaves: list[Any] = []
    arguments = flatten((args, kwargs), leaves)
    roots = [(name, function)]
    roots += [(f"argument {k}", x) for k, x in enumerate(leaves) if _is_object(x) or _is_leaf_tensor(x)]
    reached = reach(roots)
    base = _base(leaves, reached)
    if base.capture_problem:
        raise CannotCapture(f"jit: {base.capture_problem}; call the function uncaptured")
    captured = Captured(base)
    captured.arguments, captured.guards = arguments, reached.guards
    run = _Run(captured, roots, reached, Capture(base))
    return captured, run.call(function, leaves)


def _is_object(x: Any) -> bool:
    return not isinstance(x, (SCALARS, Tensor)) and not is_numpy_scalar(x) and backend_of(x) is None


def _is_leaf_tensor(x: Any) -> bool:
    return isinstance(x, Tensor) and isinstance(x._node, Leaf)


def _base(leaves: list[Any], reached: Reached) -> Backend:
    """The library of the arrays of a call."""
    arrays = [getattr(x, "_data", x) for x in leaves if isinstance(x, Tensor) or not (_is_object(x) or isinstance(x, SCALARS))]
    arrays += [x._data for x, _ in reached.tensors.values()]
    for array in arrays:
        if not is_numpy_scalar(array):
            backend: Backend = raw_namespace(array).__backend__
            return backend
    return current_backend()


class _Run:
    def __init__(self, captured: Captured, roots: list[tuple[str, Any]], reached: Reached, capture: Capture) -> None:
        self.captured, self.roots, self.reached, self.capture = captured, roots, reached, capture
        self.passed: list[tuple[int, Tensor, Any]] = []  # arguments in place of the user's: index, Tensor, its array
        self._left: list[Any] = []  # the gradients that the run left
        self.base, self.trace = captured.base, capture.trace
        self.replaced: list[tuple[TensorSlot | NumberSlot, Any, Any]] = []  # slot, what was there, what was put there
        self.grads: dict[int, tuple[Leaf, Any, Any]] = {}  # of each leaf: the gradient before, and what was put there

    def call(self, function: Callable[..., Any], leaves: list[Any]) -> Any:
        captured, capture = self.captured, self.capture
        captured.function = function
        before = _random_states(self.reached.generators)
        token = interpreters.set((capture,))
        try:
            with without_hot_path():
                try:
                    self._replace_state()
                    capture.owners, capture.ready = self.reached.owners, True
                    births.append(capture.births)
                    args, kwargs = captured.arguments.fill([self._argument(k, x) for k, x in enumerate(leaves)])
                    start = memory.next_age()
                    result = function(*args, **kwargs)
                    self._collect(result, start)
                    self._refuse_changes(before)
                finally:
                    capture.ready = False
                    births[:] = [made for made in births if made is not capture.births]
                    interpreters.reset(token)
                    finals = self._put_back()
        except BaseException:
            args = kwargs = result = None
            self._left, self.passed, capture.births = [], [], {}
            self._release(None)
            raise
        self._apply(finals)
        plain = self._plain(result)
        captured.capture = capture
        capture.births = {}
        del args, kwargs, result, finals
        self.replaced, self.grads, self._left, self.passed = [], {}, [], []
        stored = {id(x) for x, _ in reach(self.roots).tensors.values()}  # such as the state that an optimizer made
        self._release(stored)
        return plain

    # Before the run.

    def _replace_state(self) -> None:
        for tensor, name in self.reached.tensors.values():
            if raw_namespace(tensor._data).__backend__ is not self.base:
                continue
            slot = TensorSlot(tensor)
            if tensor._node is not None and not isinstance(tensor._node, Leaf):
                raise CannotCapture(
                    f"jit: {name} is the result of a recorded call, whose graph is outside of the captured function; pass "
                    f"{name}.detach(), or compute it inside"
                )
            array = self.capture.traced(tensor._data, self.trace.input(tensor._data, slot))
            self.captured.guards.append(Guard(attribute("_node"), tensor, None, tensor._node, f"whether {name} requires grad"))
            self.replaced.append((slot, tensor._data, array))
            memory.assign(tensor, array)
            self._watch(tensor, name)
        for place, name in self.reached.numbers:
            value = place.get()
            if value.__class__ in (int, float):
                number = Number(self.trace, value, self.trace.number(value, place))
                self.replaced.append((place, value, number))
                place.set(number)
            else:  # an array, which `tree.unflatten` put there
                self.captured.guards.append(Guard(place.source, place.owner, place.name, value, name))
        for array, _ in self.reached.arrays.values():
            if raw_namespace(array).__backend__ is self.base:
                self.capture.lift(array)

    def _watch(self, tensor: Tensor, name: str) -> None:
        """Have the gradient that is left at a leaf be a result."""
        leaf = tensor._node
        if not isinstance(leaf, Leaf) or id(leaf) in self.grads:
            return
        if leaf.notes is not None and (leaf.notes.hooks or leaf.notes.after):
            raise CannotCapture(
                f"jit: {name} has a hook, which would be called in the first run only; remove it, or do not capture"
            )
        g = leaf.grad
        if g is not None and g._node is not None:
            raise CannotCapture(f"jit: the gradient of {name} has a graph; set it to None, or to its detach(), first")
        put = None if g is None else wrap(self.capture.traced(g._data, self.trace.input(g._data, GradSlot(leaf))))
        if put is not None:
            leaf.grad = put
        self.grads[id(leaf)] = (leaf, g, put)

    def _argument(self, index: int, x: Any) -> Any:
        captured, slot = self.captured, ArgumentSlot(index)
        if x.__class__ is float:
            captured.leaves.append(("number", float))
            return Number(self.trace, x, self.trace.number(x, slot))
        if isinstance(x, SCALARS) or is_numpy_scalar(x):
            captured.leaves.append(("static", x))
            return x
        if _is_object(x) or _is_leaf_tensor(x):
            captured.leaves.append(("object", x))
            return x
        array = x._data if isinstance(x, Tensor) else x
        if raw_namespace(array).__backend__ is not self.base:
            raise CannotCapture(f"jit: argument {index} is an array of another backend than {self.base.name!r}; move it first")
        node = getattr(x, "_node", None) if mode.get() else None
        kind = "tracked" if node is not None else "tensor" if isinstance(x, Tensor) else "array"
        captured.leaves.append((kind, (x.__class__, array.shape, array.dtype)))
        cls = x.__class__ if isinstance(x, Tensor) else Tensor
        passed = wrap(self.capture.traced(array, self.trace.input(array, slot)), node, cls)
        self.passed.append((index, passed, passed._data))
        return passed

    # After the run.

    def _collect(self, result: Any, start: int) -> None:
        """Note what the run, which began at the age `start`, returned and stored."""
        captured = self.captured
        leaves: list[Any] = []
        captured.form = flatten(result, leaves)
        found = {id(slot.tensor) for slot, _, _ in self.replaced if isinstance(slot, TensorSlot)}
        for x in leaves:
            if isinstance(x, Tensor) and id(x) in found:
                captured.results.append(("same", x))
            elif isinstance(x, (Tensor, Traced)):
                array = x if isinstance(x, Traced) else self.capture.backend(self.base).lift(x)
                captured.results.append(("output", array.var))
            elif isinstance(x, Number):
                captured.results.append(("number", x.var))
            else:
                captured.results.append(("same", x))
        for x, array in list(self.capture.lifted.values()):
            if isinstance(x, Tensor):  # it was not found before
                self._watch(x, "a tensor")
                self.replaced.append((TensorSlot(x), array.value, array.value))
        for index, passed, array in self.passed:
            if passed._data is not array:
                raise CannotCapture(
                    f"jit: argument {index} was written to, which would change the caller's tensor; write to a copy, x * 1, and "
                    "return it"
                )
        for slot, _, put in self.replaced:
            now = slot.get()
            if now is not put:
                captured.sets.append((slot, _variable(now, self.capture)))
        if in_graph := [x for x in graph_of(result, start) if id(x) not in found]:
            try:
                captured.pulled = write_down(self.capture, in_graph, self.passed, start)
            except CannotCapture as error:
                captured.problem = str(error)
        for leaf, before, put in self.grads.values():
            now = leaf.grad
            if now is put:
                continue
            if now is not None and now._node is not None:
                raise CannotCapture(
                    "jit: backward(create_graph=True) leaves gradients with a graph, which cannot leave a captured function; "
                    "take second derivatives with xgrad.grad of xgrad.grad, or call backward again inside"
                )
            captured.grads.append((leaf, None if now is None else _variable(now._data, self.capture)))
            if before is None:
                captured.guards.append(Guard(attribute("grad"), leaf, None, None, "a gradient that was None"))

    def _refuse_changes(self, before: Any) -> None:
        for array, copy in self.capture.copies:
            xp = raw_namespace(array)
            if not bool(xp.all((array == copy) | ((array != array) & (copy != copy)))):
                raise CannotCapture(
                    f"jit: an array of shape {tuple(array.shape)} from outside of the function was written into while it ran; "
                    "compute with xgrad, which gives Tensors new arrays, or make it an argument"
                )
        if _random_states(self.reached.generators) != before:
            raise CannotCapture(
                "jit: the function drew from Python's or NumPy's random numbers, which would be the same in each run; draw from "
                "xgrad.random, or pass them as arguments"
            )

    def _put_back(self) -> list[Any]:
        """Put the state of before back, and return the arrays and numbers that the run left; its gradients are `_left`."""
        finals = [slot.get() for slot, _, _ in self.replaced]
        for slot, before, _ in self.replaced:
            slot.set(before)
        self._left = [leaf.grad for leaf, _, _ in self.grads.values()]
        for leaf, before, _ in self.grads.values():
            leaf.grad = before
        return finals

    def _apply(self, finals: list[Any]) -> None:
        """The effects of the run, on plain arrays."""
        base = self.base
        for (slot, _, put), now in zip(self.replaced, finals):
            if now is put:
                continue
            if isinstance(slot, NumberSlot):
                slot.set(_value(now))
                continue
            slot.store(_value(now), base)
        for (leaf, _, put), now in zip(self.grads.values(), self._left):
            if now is not put:
                leaf.grad = None if now is None else wrap(owned(_value(now._data), base))

    def _plain(self, result: Any) -> Any:
        """The result of the run, on plain arrays; its graph, if it has one, too."""
        if isinstance(result, Traced):
            return self.base.as_array(result.value)
        if isinstance(result, Number):
            return result.value
        if isinstance(result, Tensor):
            if isinstance(result._data, Traced):
                result._view = None  # results have memory of their own
                if result._node is None:
                    memory.assign(result, owned(result._data.value, self.base))
                else:
                    memory.assign(result, self.base.as_array(result._data.value))
                    self._plain_graph(result)
            return result
        leaves: list[Any] = []
        form = flatten(result, leaves)
        return result if form.kind is None else form.fill([self._plain(x) for x in leaves])

    def _plain_graph(self, y: Tensor) -> None:
        for node in newest_first([node_of(y)]):
            if node.saved is not None:
                node.saved = mapped(_without_trace, node.saved)

    def _release(self, known: set[int] | None) -> None:
        """Give Tensors that were stored somewhere the plain arrays of this run, and warn of those that are not `known`."""
        left = [array for ref in self.capture.alive if (array := ref()) is not None]
        lines = set()
        for array in left:
            for holder in gc.get_referrers(array):
                if isinstance(holder, Tensor) and holder._data is array:
                    memory.assign(holder, self.base.as_array(array.value))
                    if holder._node is not None and not isinstance(holder._node, Leaf):
                        self._plain_graph(holder)
                    if known is not None and id(holder) not in known:
                        lines.add(array.var.call.line if array.var.call else "an argument")
        if lines:
            warnings.warn(
                f"jit: a tensor made at {', '.join(sorted(lines)[:3])} was stored outside of the captured function; it keeps "
                "the value of this run, and later runs do not store another. Return it instead",
                stacklevel=5,
            )


def _variable(x: Any, capture: Capture) -> Any:
    if isinstance(x, (Traced, Number)):
        return x.var
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        return capture.lift(x).var
    return x  # a number that is the same in each run


def _value(x: Any) -> Any:
    return x.value if isinstance(x, (Traced, Number)) else x


def _without_trace(x: Any) -> Any:
    if isinstance(x, Tensor) and isinstance(x._data, Traced):
        memory.assign(x, x._data.value)
    return _value(x)


def _random_states(generators: list[Any]) -> Any:
    """The states of Python's and NumPy's own generators, and of those that the function reaches."""
    numpy = sys.modules.get("numpy")
    host = None if numpy is None else numpy.random.get_state()[1:3]
    own = [repr(_state_of(g)) for g in generators]
    return random.getstate(), None if host is None else (host[0].tobytes(), host[1]), own


def _state_of(generator: Any) -> Any:
    if hasattr(generator, "bit_generator"):
        return generator.bit_generator.state
    return generator.getstate() if isinstance(generator, random.Random) else generator.get_state(legacy=False)
