"""Writing through views: values are NumPy's, gradients are those of PyTorch's in-place autograd, or it raises."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import GradientError, Tensor

torch = pytest.importorskip("torch")

BASE = np.arange(12.0).reshape(3, 4) / 7 - 0.6
WEIGHTS = np.cos(np.arange(12.0).reshape(3, 4))


def chained(y: Any) -> None:
    v = y[1:]
    w = v[:, 1:3]
    w *= 3.0
    v += 1.0


def overlapping(y: Any) -> None:
    a, b = y[:2], y[1:]
    a *= 2.0
    b *= a * 5.0
    a[0] = 7.0


def transposed(y: Any) -> None:
    t = y.T
    t[1] = t[2] * t[3]
    t *= 2.0


def iterated(y: Any) -> None:
    for row in y:
        row *= row


def reshaped(y: Any) -> None:
    flat = y.reshape(-1)
    flat[3:7] = flat[0:4] * 2.0


def reshaped_transpose(y: Any) -> None:
    copied = y.T.reshape(-1)  # cannot share memory
    copied *= 100.0
    y += copied.reshape(3, 4) * 0.01


def read_after_base(y: Any) -> None:
    v = y[0]
    y *= 3.0
    y[1] = v * v


def steps(y: Any) -> None:
    v = y[:, ::2]
    v[1:] *= 4.0
    y[::2] += v.sum()


def new_axis(y: Any) -> None:
    v = y[None, 1]
    v += 2.0
    v[0, 1] = y[0, 0]


def used_before(y: Any) -> None:
    v = y[0]
    old = v * v  # its gradient is that of the old values
    v *= 3.0
    y[1] = old


def broadcast_value(y: Any) -> None:
    y[:2] = y[2]
    y[:, 0] = 5.0


def element(y: Any) -> None:
    y[0, 0] = y[1, 1] * y[2, 2]
    y[1, 1] = 2.0


def dead_views(y: Any) -> None:
    for i in range(20):
        y[i % 3][i % 4] *= 1.5


PROGRAMS = [
    chained, overlapping, transposed, iterated, reshaped, reshaped_transpose, read_after_base, steps, new_axis, used_before,
    broadcast_value, element, dead_views,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_pitfall_18_values_are_those_of_numpy(xp: Any, program: Callable[[Any], None]) -> None:
    if program is reshaped_transpose and xp.asarray(0.0).backend in ("jax", "dask"):
        pytest.skip("on immutable libraries nothing tells whether a reshape copied")
    wanted = BASE.copy()
    program(wanted)
    y = xp.asarray(BASE) * 1.0
    program(y)
    np.testing.assert_allclose(y.numpy(), wanted, rtol=1e-12)


def reference(program: Callable[[Any], None]) -> tuple[Any, float]:
    """The gradient by PyTorch; where PyTorch refuses, since a value that it saved was written over, by differences."""
    theirs = torch.tensor(BASE, requires_grad=True)
    y = theirs * 1.0
    try:
        program(y)
        (y * torch.tensor(WEIGHTS)).sum().backward()
        return theirs.grad.numpy(), 1e-12
    except RuntimeError as error:
        if "inplace" not in str(error):
            raise

    def value(x: Any) -> float:
        program(x)
        return float((x * WEIGHTS).sum())

    step = 1e-6
    out = np.zeros(BASE.shape)
    for at in np.ndindex(BASE.shape):
        bump = np.zeros(BASE.shape)
        bump[at] = step
        out[at] = (value(BASE + bump) - value(BASE - bump)) / (2 * step)
    return out, 1e-7


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_pitfall_18_gradients_are_those_of_pytorch(xp: Any, program: Callable[[Any], None]) -> None:
    if program is reshaped_transpose and xp.asarray(0.0).backend in ("jax", "dask"):
        pytest.skip("on immutable libraries nothing tells whether a reshape copied")
    x = xp.asarray(BASE).requires_grad_()
    y = x * 1.0
    program(y)
    xp.sum(y * xp.asarray(WEIGHTS)).backward()
    wanted, tolerance = reference(program)
    np.testing.assert_allclose(x.grad.numpy(), wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("program", [chained, overlapping, steps, new_axis, broadcast_value], ids=lambda p: p.__name__)
def test_second_order_through_writes(program: Callable[[Any], None]) -> None:
    def twice(x: Any, weights: Any, grad: Callable[[Any], Any]) -> Any:
        y = x * x
        program(y)
        g = grad((y * weights * y).sum())
        return (g * g).sum()

    theirs = torch.tensor(BASE, requires_grad=True)
    twice(theirs, torch.tensor(WEIGHTS), lambda y: torch.autograd.grad(y, theirs, create_graph=True)[0]).backward()
    x = Tensor(BASE).requires_grad_()

    def grad(y: Tensor) -> Tensor:
        y.backward(create_graph=True)
        g = x.grad
        x.zero_grad()
        assert g is not None
        return g

    twice(x, Tensor(WEIGHTS), grad).backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), theirs.grad.numpy(), rtol=1e-10)


def test_pitfall_17_write_after_the_value_was_saved() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    z = (y**2).sum()
    y[0] = 5.0
    z.backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 4.0])


def test_pitfall_18_the_original_case() -> None:
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 1
    v = y[:2]
    v *= 10
    assert y.sum().item() == 33.0
    y.sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), [10.0, 10.0, 1.0])


def test_views_follow_each_other_and_their_base() -> None:
    y = xgrad.zeros((2, 3))
    a, b, flat = y[0], y.T, y.reshape(6)
    flat[1] = 5.0
    assert a[1].item() == b[1, 0].item() == y[0, 1].item() == 5.0
    b[2] = 7.0
    assert a[2].item() == flat[5].item() == 7.0
    y += 1.0
    assert a.tolist() == [1.0, 6.0, 8.0]


@pytest.mark.parametrize(
    "view",
    [
        lambda x: xgrad.squeeze(x[None], axis=0),
        lambda x: xgrad.expand_dims(x, axis=(0, 2)),
        lambda x: xgrad.permute_dims(x, (1, 0)),
        lambda x: xgrad.moveaxis(x, 0, 1),
        lambda x: xgrad.flip(x),
        lambda x: xgrad.unstack(x)[0],
        lambda x: x[..., ::-1],
        lambda x: xgrad.reshape(x, (4, 3)),
    ],
)
def test_what_is_a_view(xp: Any, view: Callable[[Tensor], Tensor]) -> None:
    y = xp.asarray(BASE) * 1.0
    v = view(y)
    v *= 2.0
    host = BASE.copy()
    changed = view(Tensor(host)).data  # NumPy's own views of one memory
    changed *= 2.0
    np.testing.assert_array_equal(y.numpy(), host)
    assert not np.array_equal(host, BASE)


@pytest.mark.parametrize(
    "copy",
    [
        lambda x: x[[0, 1]],
        lambda x: x[x > -9],
        lambda x: x[np.array([0, 1])],
        lambda x: xgrad.reshape(x, (12,), copy=True),
        lambda x: xgrad.roll(x, 1),
        lambda x: xgrad.astype(x, x.dtype),
        lambda x: xgrad.asarray(x, copy=True),
        lambda x: +x,
    ],
)
def test_what_is_a_copy(copy: Callable[[Tensor], Tensor]) -> None:
    y = Tensor(BASE) * 1.0
    v = copy(y)
    v *= 2.0
    np.testing.assert_array_equal(y.numpy(), BASE)


def test_broadcast_results_cannot_be_written_to() -> None:
    b = xgrad.broadcast_to(xgrad.zeros(3), (2, 3))
    with pytest.raises(ValueError, match="was broadcast"):
        b += 1.0


def test_leaves_are_not_written_to_while_recording() -> None:
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    with pytest.raises(GradientError, match="no_grad"):
        x[0] = 5.0
    with pytest.raises(GradientError, match="no_grad"):
        x[:2] *= 5.0
    with xgrad.no_grad():
        x[:2] *= 5.0
    assert x.is_leaf and x.tolist() == [5.0, 10.0, 3.0]
    (x * x).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [10.0, 20.0, 6.0]


def test_a_leaf_among_the_views_is_not_changed_silently() -> None:
    y = xgrad.zeros(3)
    v = y[:2].requires_grad_()
    with pytest.raises(GradientError, match="leaf"):
        y[0] = 5.0
    assert v.is_leaf and v.tolist() == [0.0, 0.0] and y.tolist() == [0.0, 0.0, 0.0]


def test_writes_under_no_grad_keep_the_graph_as_in_pytorch() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    with xgrad.no_grad():
        y[0] = 100.0
    (y * y).sum().backward()
    theirs = torch.tensor([1.0, 2.0], requires_grad=True)
    t = theirs * 3
    with torch.no_grad():
        t[0] = 100.0
    (t * t).sum().backward()
    assert x.grad is not None and x.grad.tolist() == theirs.grad.tolist()


def test_writing_what_requires_grad_into_what_does_not() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = xgrad.zeros((2, 2))
    v = y[1]
    v[...] = x * x
    assert y.requires_grad and v.requires_grad
    y.sum().backward()
    assert x.grad is not None and x.grad.tolist() == [2.0, 4.0]


def test_a_write_from_an_overlapping_part() -> None:
    host, y = np.arange(6.0), xgrad.arange(6.0)
    host[1:] = host[:-1]
    y[1:] = y[:-1]
    assert y.tolist() == host.tolist()


def test_a_refused_write_changes_nothing() -> None:
    y = xgrad.zeros((2, 2))
    v = y[0]
    with pytest.raises(ValueError, match="shape"):
        v[...] = xgrad.ones(3)
    with pytest.raises(ValueError, match="does not fit"):
        v += xgrad.ones((2, 2))
    assert y.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_views_are_freed_by_their_counts_alone() -> None:
    gc.disable()
    try:
        y = xgrad.zeros(3)
        v = y[:2]
        v += 1.0
        dead = weakref.ref(y), weakref.ref(v)
        del y
        assert v.tolist() == [1.0, 1.0] and dead[0]() is not None  # the view keeps its base
        del v
        assert dead[0]() is None and dead[1]() is None
    finally:
        gc.enable()


def test_many_short_lived_views_leave_nothing_behind() -> None:
    y = xgrad.zeros(3)
    for _ in range(1000):
        y[1] += 1.0
    assert y.tolist() == [0.0, 1000.0, 0.0]
    assert len(y._view.family) <= 64  # type: ignore[union-attr]


def test_a_detached_tensor_shares_its_value(xp: Any) -> None:
    w = xp.asarray([1.0, 2.0, 3.0]).requires_grad_()
    w.detach()[0] = 5.0
    assert w.tolist() == [5.0, 2.0, 3.0] and w.is_leaf
    d = w.detach()
    part = d[1:]
    d += 1.0
    part *= 10.0
    assert w.tolist() == d.tolist() == [6.0, 30.0, 40.0] and not d.requires_grad
    with xgrad.no_grad():
        w[2] = 0.0
    assert d.tolist() == [6.0, 30.0, 0.0] and part.tolist() == [30.0, 0.0]
    y = w * 2.0
    row = y[1:]
    z = xp.sum(y * y)
    y.detach()[0] = 100.0
    row.detach().detach()[0] = 7.0
    assert y.tolist() == [100.0, 7.0, 0.0] and row.tolist() == [7.0, 0.0]
    z.backward()  # with the values that there were
    assert w.grad.tolist() == [48.0, 240.0, 0.0]


@pytest.mark.parametrize("tracked", [False, True])
def test_what_is_detached_from_a_view_that_has_no_name_writes_to_the_base(tracked: bool, xp: Any) -> None:
    host = np.arange(6.0).reshape(2, 3)
    y = xp.asarray(host).requires_grad_(tracked) * 1.0
    row = y[1]
    y[0].detach()[0] = 10.0
    y.T[1:].detach()[0] *= 5.0
    y.reshape(-1)[4:].detach()[-1:] = -1.0
    y.T.detach().T[0].detach()[2] = 7.0
    host[0, 0], host[:, 1], host[1, 2], host[0, 2] = 10.0, host[:, 1] * 5.0, -1.0, 7.0
    np.testing.assert_array_equal(y.detach().numpy(), host)
    np.testing.assert_array_equal(row.detach().numpy(), host[1])
    assert y.requires_grad == row.requires_grad == tracked and not y[0].detach().requires_grad
    z = xp.asarray(host * (1 + 1j))
    z[0].real.detach()[0] = 3.0
    z.imag.detach()[1] = 4.0
    np.testing.assert_array_equal(z[:, 0].numpy(), [3.0 + 10.0j, host[1, 0] + 4.0j])


def test_a_detached_tensor_keeps_nothing_alive() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    gc.disable()
    try:
        y = x * 2
        dead, node = weakref.ref(y), y._node
        d = y.detach()
        del y
        assert dead() is None
        d += 1.0
        assert d.tolist() == [3.0, 5.0] and node is not None
        for _ in range(1000):
            x.detach()
        assert len(x._view.twins) < 64  # type: ignore[union-attr]
    finally:
        gc.enable()


def test_under_vmap_a_detached_tensor_is_a_copy() -> None:
    def f(x: Tensor) -> Tensor:
        y = x * x
        d = y.detach()
        d += 1.0
        return xgrad.sum(y * d)

    np.testing.assert_allclose(xgrad.vmap(xgrad.grad(f))(np.array([[1.0, 2.0]])), [[4.0, 20.0]])
