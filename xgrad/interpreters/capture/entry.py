"""One captured run, ready to be repeated: its guards, its plan, and the function that checks the one and runs the other.

That function is generated: for small steps, what happens around a plan takes as long as the plan.
"""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

from ...backend.dtypes import get_default_dtype
from ...backend.find import is_numpy_scalar
from ...backend.select import current_backend, is_deterministic
from ...graph import memory
from ...graph.node import Leaf
from ...graph.recording import mode
from ...tensor.tensor import wrap
from .arguments import flatten, paths
from .binding import HELD_ALONE, MISS, Binder
from .capturing import Captured
from .plan import Plan
from .pulled import Pull, link
from .reach import SCALARS, alike
from .run import Names, argument_source, call_by_call, host_source
from .slots import ArgumentSlot, ArraySlot, GradSlot, NumberSlot, TensorSlot, owned
from .trace import Var

__all__ = ["Entry"]


class Entry:
    """A captured run.

    Parameters
    ----------
    captured : Captured
    executor : {"auto", "c", "numpy", "cuda", "calls"}
    """

    def __init__(self, captured: Captured, executor: str) -> None:
        self.captured, self.executor_name = captured, executor
        self.hits, self.compile_seconds = 0, 0.0
        self.executor: Any = None
        self.problem: str | None = None  # why there is no executor of the wanted kind
        self.settings = _settings()
        outputs = [what for kind, what in captured.results if kind == "output"]
        self.sets = [(slot, var) for slot, var in captured.sets if isinstance(slot, TensorSlot)]
        self.number_sets = [(slot, var) for slot, var in captured.sets if isinstance(slot, NumberSlot)]
        self.grads = [(leaf, var) for leaf, var in captured.grads if var is not None]
        trace = captured.capture.trace
        numbers = [var for _, var in self.number_sets if isinstance(var, Var)]
        numbers += [what for kind, what in captured.results if kind == "number"]
        every = [*outputs, *(var for _, var in self.sets), *(var for _, var in self.grads)]
        self.pull = self._pull_of(captured)
        needed: list[Var] = []
        if self.pull is not None and captured.pulled is not None:
            read = {var for var, _ in trace.inputs}
            needed = [var for var in self.pull.needed if var not in read]
            numbers += self.pull.numbers
            trace.calls = captured.pulled.own
        self.plan = Plan(trace, [*every, *needed], captured.base, numbers)
        self.counts = (len(outputs), len(self.sets))
        self._find_needed(needed, len(every))
        self._lock = threading.Lock()
        self._check: Callable[..., Any] | None = None  # the guards alone, until a call fulfils them
        self.run: Callable[..., Any] = self._first
        captured.capture.lifted.clear()
        captured.capture.copies.clear()

    def _first(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The first call after the capture: only what is used twice is compiled."""
        with self._lock:
            if self.run == self._first:
                if self._check is None:
                    names = Names()
                    last = [MISS] * len(self.plan.inputs)
                    self._check = self._compiled([*self._checks(names), "    return None"], names, {"last": last})
                if self._check(args, kwargs) is MISS:
                    return MISS
                start = time.perf_counter()
                self.run = self._built()
                self.compile_seconds += time.perf_counter() - start
        return self.run(args, kwargs)

    def _pull_of(self, captured: Captured) -> Pull | None:
        if captured.pulled is None:
            return None
        trace = captured.capture.trace
        changes = None
        if any(call.kind == "draw" for call in trace.calls):
            changes = "draws random numbers"
        elif captured.sets or captured.grads:
            changes = "changes its state"
        plan = captured.pulled.plan(trace, captured.base)
        return Pull(plan, captured.pulled, self._executor_of_gradient, captured.function, changes)

    def _find_needed(self, needed: list[Var], start: int) -> None:
        """Find out where the arrays that the gradient needs are: among the outputs of the plan, or among its inputs."""
        self.from_outputs: dict[Var, int] = {var: k for k, var in enumerate(needed, start)}
        self.from_inputs: dict[Var, int] = {}
        known = {var: k for k, (var, _) in enumerate(self.plan.inputs)}
        for var, slot in self.captured.capture.trace.inputs:
            if self.pull is None or var not in self.pull.needed:
                continue
            if var not in known:
                known[var] = len(self.plan.inputs)
                self.plan.inputs.append((var, slot))
            self.from_inputs[var] = known[var]

    def _homes(self) -> list[int | None]:
        """For each output, the position among the inputs of the state that it replaces in its memory."""
        at = {slot.key: k for k, (_, slot) in enumerate(self.plan.inputs)}
        count = len(self.plan.outputs)
        homes: list[int | None] = [None] * count
        if not self.captured.base.mutable:
            return homes
        for k, (slot, var) in enumerate(self.sets, self.counts[0]):
            index = at.get(slot.key)
            if index is None:
                original = next((v for v, s in self.captured.capture.trace.inputs if s.key == slot.key), None)
                if original is None:
                    continue
                self.plan.inputs.append((original, slot))
                index = at[slot.key] = len(self.plan.inputs) - 1
            old = self.plan.inputs[index][0]
            if old.shape == var.shape and old.dtype == var.dtype and old not in self.from_inputs:
                homes[k] = index
        return homes

    def _built(self) -> Callable[..., Any]:
        homes = self._homes()
        executor = self._executor(self.plan, homes)
        if executor is None:
            return self._by_calls()
        self.executor = executor
        self._improve(lambda: self._use(self.captured.base.executor(self.plan, homes, self.captured.base.executors[-1]), homes))
        return self._in_buffers(executor, homes)

    def _executor_of_gradient(self, plan: Plan, homes: list[int | None]) -> Any:
        executor = self._executor(plan, homes)
        if executor is not None:
            assert self.pull is not None
            replace = self.pull.replace
            self._improve(lambda: replace(plan.base.executor(plan, homes, plan.base.executors[-1])))
        return executor

    def _executor(self, plan: Plan, homes: list[int | None]) -> Any:
        """The first executor that can be made, with a warning if it is not the first; None: the plan runs call by call."""
        how, known = self.executor_name, plan.base.executors
        for kind in known[:1] if how == "auto" else known[known.index(how) :: -1] if how in known else ():
            try:
                return plan.base.executor(plan, homes, kind)
            except Exception as error:
                self.problem = f"{type(error).__name__}: {error}"
                warnings.warn(f"jit: the plan cannot run as {kind!r}, but will run slower: {self.problem}", stacklevel=5)
        return None

    def _improve(self, make: Callable[[], None]) -> None:
        """Make the fastest executor in the background, while another one serves."""
        if self.executor_name == "auto" and len(self.captured.base.executors) > 1:
            threading.Thread(target=self._in_background, args=(make,), daemon=True).start()

    def _in_background(self, make: Callable[[], None]) -> None:
        start = time.perf_counter()
        try:
            make()
        except Exception as error:  # a missing or broken compiler is no error
            self.problem = f"{type(error).__name__}: {error}"
            return
        self.compile_seconds += time.perf_counter() - start

    def _use(self, executor: Any, homes: list[int | None]) -> None:
        run = self._in_buffers(executor, homes)
        self.executor, self.run = executor, run

    # ------------------------------------------------------------------------------------------------- the checks of a call

    def _checks(self, names: Names) -> list[str]:
        """Statements that return MISS where a guard does not hold, and read the arrays and numbers of the plan."""
        captured, bind = self.captured, names.bind
        first = [f"{name}() is {bind(value)}" for name, value in zip(_SETTINGS, self.settings)]
        leaves: dict[int, str] = {}
        for form, expression in zip(captured.arguments.parts, ("args", "kwargs")):
            paths(form, expression, bind, first, leaves)
        lines, conditions = [_unless(first)], []
        for k, (kind, detail) in enumerate(captured.leaves):
            lines.append(f"a{k} = {leaves[k]}")
            if kind == "number":
                conditions.append(f"a{k}.__class__ is float")
            elif kind == "static":
                conditions.append(_same(f"a{k}", detail, bind))
            elif kind == "object":
                conditions.append(f"a{k} is {bind(detail)}")
            else:
                conditions.append(f"a{k}.__class__ is {bind(detail[0])}")
                if kind == "tracked" or (kind == "tensor" and self.settings[_RECORDS]):
                    conditions.append(f"a{k}._node is {'not ' if kind == 'tracked' else ''}None")
        conditions += [_same(guard.expression(bind), guard.value, bind) for guard in captured.guards]
        if conditions:
            lines.append(_unless(conditions))
        for var, slot in self.plan.numbers:
            lines.append(f"{var!r} = {_read(slot, bind)}")
            lines.append(f"if {var!r}.__class__ is not {bind(var.dtype)}: return MISS")
        lines += host_source(self.plan, names)
        if self.plan.answers:
            lines.append(_unless([f"{var!r}" if answer else f"not {var!r}" for var, answer in self.plan.answers]))
        for k, (var, slot) in enumerate(self.plan.inputs):
            if isinstance(slot, ArraySlot):
                continue
            lines.append(f"x{k} = {_read_array(slot, captured.leaves, bind)}")
            lines.append(f"if x{k} is not last[{k}] and not fits(x{k}, {bind(var.shape)}, {bind(var.dtype)}): return MISS")
        return ["    try:", *(f"        {line}" for line in lines), *_ON_ERROR]

    def _by_calls(self) -> Callable[..., Any]:
        """The function that runs the plan call by call, or as one function that the library compiles."""
        names, captured, plan = Names(), self.captured, self.plan
        body = self._checks(names)
        run = captured.base.whole(call_by_call(plan))
        arrays = [names.bind(slot.array) if isinstance(slot, ArraySlot) else f"x{k}" for k, (_, slot) in enumerate(plan.inputs)]
        inputs = "".join(f"{text}, " for text in arrays)
        draws = "".join(f"{names.bind(call.function)}(), " for call in plan.draws)
        numbers = "".join(f"{var!r}, " for var in plan.used_numbers)
        body.append(f"    out = {names.bind(run)}(({inputs}), ({draws}), ({numbers}))")
        results, sets = self.counts
        for k, (slot, _) in enumerate(self.sets, results):
            body.append(f"    {names.bind(slot)}.store(out[{k}], base)")
        for k, (leaf, _) in enumerate(self.grads, results + sets):
            body.append(f"    {names.bind(leaf)}.grad = wrap(own(out[{k}]))")
        output = self._linked(body, names, lambda k: f"own(out[{k}])", lambda k: f"out[{k}]", arrays.__getitem__)
        body += self._last_statements(names, lambda k: output(k) or f"wrap(own(out[{k}]))")
        base = captured.base

        scope = {"own": lambda x: owned(x, base), "base": base, "last": [MISS] * len(plan.inputs)}
        return self._compiled(body, names, scope)

    def _in_buffers(self, executor: Any, homes: list[int | None]) -> Callable[..., Any]:
        """The function that runs the plan in an executor, which has buffers of its own."""
        names, plan = Names(), self.plan
        binder = Binder(executor, plan, homes, range(self.counts[0], sum(self.counts)))
        body = self._checks(names)
        count, sets = self.counts
        body.append("    changed = False")
        for k, (_, slot) in enumerate(plan.inputs):
            if isinstance(slot, ArraySlot):
                binder.input(k, slot.array)
                if binder.last[k] is MISS:  # a copy, which would miss later writes
                    body.append(f"    bind({k}, {names.bind(slot.array)})")
                continue
            if k in homes:
                owner = names.bind(slot.tensor)
                is_leaf = isinstance(slot.tensor._node, Leaf)
                held = "" if is_leaf else f" or refs(x{k}) > alone[{k}]"
                body.append(f"    if x{k} is not last[{k}]{held}: changed = True; x{k} = None; home({k}, {owner})")
            else:
                body.append(f"    if x{k} is not last[{k}]: changed = True; bind({k}, x{k})")
        body.append("    if changed: apart()")
        for k, call in enumerate(plan.draws):
            body.append(f"    draw({k}, {names.bind(call.function)}())")
        for k, var in enumerate(plan.outputs):
            if homes[k] is None:
                body += self._output_statements(k, var, names)
        numbers = "".join(f"{var!r}, " for var in plan.used_numbers)
        body.append(f"    run(({numbers}))")
        for k, (slot, _) in enumerate(self.sets, count):
            tensor = slot.tensor
            if homes[k] is None:
                body.append(f"    assign({names.bind(tensor)}, o{k}._data)")
            elif isinstance(tensor._node, Leaf):
                body.append(f"    mark(last[{homes[k]}], next_age())")
        for k, (leaf, _) in enumerate(self.grads, count + sets):
            body.append(f"    {names.bind(leaf)}._plain = o{k}")  # which `Leaf.grad` returns
        data = lambda k: f"o{k}._data"
        output = self._linked(body, names, data, data, lambda k: f"arrays[{k}]")
        body += self._last_statements(names, lambda k: output(k) or f"o{k}")
        scope = {
            "last": binder.last, "bind": binder.input, "home": binder.home, "apart": binder.apart, "draw": binder.draw,
            "output": binder.output, "held": binder.held, "buffers": binder.buffers, "counts": binder.counts,
            "alone": binder.alone, "run": executor.run, "refs": sys.getrefcount, "assign": memory.assign, "mark": memory.mark,
            "next_age": memory.next_age, "arrays": binder.bound,
        }  # fmt: skip
        run = self._compiled(body, names, scope)
        lock = threading.Lock()  # the buffers are those of one thread at a time

        def one_at_a_time(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            with lock:
                return run(args, kwargs)

        return one_at_a_time

    def _output_statements(self, k: int, var: Var, names: Names) -> list[str]:
        # A buffer is used again if nobody holds it: not the Tensor, and not a view of its array.
        count, sets = self.counts
        if count <= k < count + sets:  # it becomes the array of a Tensor
            return [f"    o{k} = output({k})"]
        extra = ""
        at = k - count - sets
        if 0 <= at < len(self.grads):  # what comes after them is for the gradient of the results
            leaf = self.grads[at][0]
            reads = any(isinstance(slot, GradSlot) and slot.leaf is leaf for _, slot in self.plan.inputs)
            if not reads:
                extra = f" + ({names.bind(leaf)}._plain is o{k})"
        return [
            f"    o{k} = held[{k}]",
            f"    if o{k} is None or refs(o{k}) > {HELD_ALONE}{extra} or refs(o{k}._data) > counts[{k}]"
            f" or o{k}._data is not buffers[{k}] or o{k}._node is not None or o{k}._view is not None"
            f" or o{k}._name is not None: o{k} = output({k})",
        ]

    def _linked(
        self,
        body: list[str],
        names: Names,
        result: Callable[[int], str],
        output: Callable[[int], str],
        array: Callable[[int], str],
    ) -> Callable[[int], str | None]:
        """Add a statement that makes the graph of the results; return what the name of a result in the graph is."""
        pulled = self.captured.pulled
        if self.pull is None or pulled is None:
            return lambda k: None
        at = [self.plan.outputs.index(var) for var in map(self.plan.last, pulled.results)]
        nodes = [f"a{source}._node" if source.__class__ is int else names.bind(source) for source in pulled.sources]
        needed = [
            output(self.from_outputs[var]) if var in self.from_outputs else array(self.from_inputs[var])
            for var in self.pull.needed
        ]
        numbers = "".join(f"{var!r}, " for var in self.pull.numbers)
        body.append(
            f"    linked = {names.bind(link)}({names.bind(self.pull)}, ({''.join(f'{result(k)}, ' for k in at)}), "
            f"[{', '.join(nodes)}], ({''.join(f'{text}, ' for text in needed)}), ({numbers}), (args, kwargs))"
        )
        variables = [var for kind, var in self.captured.results if kind == "output"]
        return lambda k: f"linked[{pulled.results.index(variables[k])}]" if variables[k] in pulled.results else None

    def _last_statements(self, names: Names, output: Callable[[int], str]) -> list[str]:
        """Statements that store numbers and gradients of None, and return the result."""
        captured, lines = self.captured, []
        for slot, var in self.number_sets:
            value = argument_source(var, repr, names.bind) if isinstance(var, Var) else names.bind(var)
            lines.append(f"    {_read(slot, names.bind)} = {value}")
        for leaf, gradient in captured.grads:
            if gradient is None:
                lines.append(f"    {names.bind(leaf)}.grad = None")
        numbered, at = {}, 0
        for k, (kind, what) in enumerate(captured.results):
            if kind == "output":
                numbered[k], at = output(at), at + 1
            else:
                numbered[k] = repr(what) if kind == "number" else names.bind(what)
        lines.append(f"    return {captured.form.source(numbered.__getitem__, names.bind)}")
        return lines

    def _compiled(self, body: list[str], names: Names, scope: dict[str, Any]) -> Callable[..., Any]:
        self.source = "\n".join(["def call(args, kwargs):", *body])
        everything = names.scope | _SCOPE | scope
        exec(compile(self.source, "<xgrad: captured call>", "exec"), everything)
        call: Callable[..., Any] = everything["call"]
        return call

    def difference(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Why this entry is not right for a call, in words."""
        captured = self.captured
        leaves: list[Any] = []
        form = flatten((args, kwargs), leaves)
        names = Names()
        if form.source(str, names.bind) != captured.arguments.source(str, names.bind):
            return "the arguments have another structure"
        for k, ((kind, detail), x) in enumerate(zip(captured.leaves, leaves)):
            if kind == "static" and not alike(x, detail):
                return f"argument {k} was {detail!r:.40} and is {x!r:.40}"
            if kind == "object" and x is not detail:
                return f"argument {k} is another {type(detail).__name__}"
            if kind in ("tensor", "tracked", "array"):
                array = getattr(x, "_data", x)
                facts = (x.__class__, getattr(array, "shape", None), getattr(array, "dtype", None))
                if facts != detail:
                    return f"argument {k} was {_facts(detail)} and is {_facts(facts)}"
                if kind == "tensor" and self.settings[_RECORDS] and x._node is not None:
                    return f"argument {k} requires grad"
                if kind == "tracked" and x._node is None:
                    return f"argument {k} does not require grad any more"
            if kind == "number" and x.__class__ is not float:
                return f"argument {k} was a float and is {x!r:.40}"
        for guard in captured.guards:
            if (text := guard.difference()) is not None:
                return text
        for (_, name), was, now in zip(_SETTINGS.values(), self.settings, _settings()):
            if was is not now:
                return f"{name} was {was} and is {now}"
        return "a number that Python branched on gives another answer, or an array of the state has another shape or dtype"


_ON_ERROR = ["    except (AttributeError, KeyError, IndexError, ValueError):", "        return MISS"]
_SETTINGS: dict[str, tuple[Callable[[], Any], str]] = {
    "current_backend": (current_backend, "the backend"),
    "get_default_dtype": (get_default_dtype, "the default dtype"),
    "is_recording": (mode.get, "whether calls are recorded"),
    "is_deterministic": (is_deterministic, "deterministic mode"),
}


_RECORDS = [*_SETTINGS].index("is_recording")


def _settings() -> tuple[Any, ...]:
    return tuple([get() for get, _ in _SETTINGS.values()])


def _fits(x: Any, shape: Any, dtype: Any) -> bool:
    return x is not None and tuple(x.shape) == shape and x.dtype == dtype


_SCOPE: dict[str, Any] = {
    "__xgrad__": True,
    "MISS": MISS,
    "fits": _fits,
    "wrap": wrap,
    **{name: get for name, (get, _) in _SETTINGS.items()},
}


def _unless(conditions: list[str]) -> str:
    return f"if not ({' and '.join(conditions)}): return MISS"


def _same(source: str, value: Any, bind: Callable[[Any], str]) -> str:
    """Source of a comparison with `value`: by type and value of numbers and strings, else by identity."""
    if value is None or value.__class__ is bool or not (isinstance(value, SCALARS) or is_numpy_scalar(value)):
        return f"{source} is {bind(value)}"
    if value.__class__ is int:
        return f"(y := {source}) == {value} and y.__class__ is int"
    return f"((y := {source}) is {bind(value)} or (y.__class__ is {bind(value.__class__)} and y == {bind(value)}))"


def _read(slot: Any, bind: Callable[[Any], str]) -> str:
    if isinstance(slot, ArgumentSlot):
        return f"a{slot.index}"
    return slot.source.format(holder=bind(slot.owner), key=bind(slot.name))  # type: ignore[no-any-return]


def _read_array(slot: Any, leaves: list[tuple[str, Any]], bind: Callable[[Any], str]) -> str:
    if isinstance(slot, ArgumentSlot):
        return f"a{slot.index}" + ("._data" if leaves[slot.index][0] in ("tensor", "tracked") else "")
    if isinstance(slot, TensorSlot):
        return f"{bind(slot.tensor)}._data"
    return f"{bind(slot)}.get()"


def _facts(detail: Any) -> str:
    cls, shape, dtype = detail
    return f"a {cls.__name__}" if shape is None else f"{tuple(shape)} {dtype}"
