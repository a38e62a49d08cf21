"""The engine: recording, the walk back, its memory, and what it says when it is misused."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import threading
import weakref

import numpy as np
import pytest

import xgrad
from xgrad import GradientError, Tensor
from xgrad.graph.names import registry


def leaf(values, **kwargs):
    return Tensor(np.asarray(values, dtype=np.float64), requires_grad=True, **kwargs)


# ------------------------------------------------------------------------------------------------------------- orders


def test_third_derivatives_of_a_composite_function_agree_with_pytorch():
    torch = pytest.importorskip("torch")
    x0, w0 = np.linspace(-1.0, 2.0, 5), np.linspace(0.5, 1.0, 4)[:, None]

    def f(x, w, m):
        y = m.tanh(x * w + x**3) / (1 + m.exp(-x))
        return (y * y * x).sum()

    x, w = leaf(x0), leaf(w0)
    tx, tw = (torch.tensor(v, requires_grad=True) for v in (x0, w0))
    y, ty = f(x, w, xgrad), f(tx, tw, torch)
    for _order in range(3):
        x.zero_grad(), w.zero_grad()
        y.backward(create_graph=True)
        gx, gw = x.grad, w.grad
        tgx, tgw = torch.autograd.grad(ty, [tx, tw], create_graph=True)
        scale = float(tgx.abs().max())
        np.testing.assert_allclose(gx.detach().numpy() / scale, tgx.detach().numpy() / scale, atol=1e-10)
        np.testing.assert_allclose(gw.detach().numpy() / scale, tgw.detach().numpy() / scale, atol=1e-10)
        y, ty = (gx * x).sum() + (gw * gw * w).sum() / 100, (tgx * tx).sum() + (tgw * tgw * tw).sum() / 100


def test_pitfall_27_perturbation_confusion():
    # d/dx of x * d/dy (x + y) is 1: the inner derivative is 1 whatever x is.
    x, y = leaf(1.0), leaf(2.0)
    (x + y).backward(create_graph=True)
    inner = y.grad
    x.zero_grad()
    (x * inner).backward()
    assert x.grad.item() == 1.0


# ------------------------------------------------------------------------------------------------------- accumulation


def test_gradients_of_two_losses_add_up():
    x = leaf([1.0, 2.0])
    (x * 3).sum().backward()
    (x * x).sum().backward()
    assert x.grad.tolist() == [5.0, 7.0]


def test_a_tensor_used_many_times_gets_the_sum():
    x = leaf(2.0)
    (x * x + x * x * x + x + x).backward()
    assert x.grad.item() == 2 * 2 + 3 * 4 + 2


def test_pitfall_23_leaves_of_equal_value_stay_apart():
    a, b = leaf(1.0), leaf(1.0)
    (a * 3 + b).backward()
    assert (a.grad.item(), b.grad.item()) == (3.0, 1.0)


def test_gradients_do_not_share_memory():
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (a + b).sum().backward()
    a.grad.data[0] = 100.0
    assert b.grad.tolist() == [1.0, 1.0]
    c = leaf(np.zeros((3, 2)))
    c.sum().backward()
    c.grad.data[0, 0] = 7.0  # the gradient of a sum is a broadcast; what a user gets is memory of its own
    assert c.grad.data.sum() == 7.0 + 5.0


def test_an_unused_leaf_has_no_gradient():
    a, b = leaf(1.0), leaf(1.0)
    (a * 2).backward()
    assert b.grad is None


def test_unused_outputs_of_an_op_count_as_zero():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    first, _ = xgrad.unstack(x)
    (first * first).sum().backward()
    assert x.grad.tolist() == [[2.0, 4.0], [0.0, 0.0]]


def test_gradient_has_the_dtype_of_its_tensor():
    x = Tensor([1.0, 2.0], requires_grad=True)
    (x * np.array([1.0, 2.0])).sum().backward()  # float64 times float32
    assert x.dtype == x.grad.dtype == xgrad.float32


# ------------------------------------------------------------------------------------------------- graphs, and misuse


def test_pitfall_25_backward_through_a_freed_graph_raises():
    x = leaf(3.0)
    y = x * x
    y.backward()
    with pytest.raises(GradientError, match=r"freed by an earlier backward \(at multiply, called at .*test_engine.py:\d+\)"):
        y.backward()


def test_retain_graph_lets_it_be_walked_again():
    x = leaf(3.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12.0


def test_backward_of_a_non_scalar_needs_a_gradient():
    x = leaf([1.0, 2.0])
    with pytest.raises(GradientError, match=r"shape \(2,\).*pass gradient="):
        (x * x).backward()
    (x * x).backward(np.array([1.0, 10.0]))
    assert x.grad.tolist() == [2.0, 40.0]


def test_backward_of_one_element_of_any_shape_is_a_scalar():
    x = leaf([[3.0]])
    (x * x).backward()
    assert x.grad.tolist() == [[6.0]]


def test_backward_with_a_gradient_of_another_shape():
    with pytest.raises(ValueError, match=r"gradient is \(3,\)"):
        (leaf([1.0, 2.0]) * 2).backward(np.ones(3))


def test_backward_of_what_requires_no_grad():
    with pytest.raises(GradientError, match="does not require grad"):
        Tensor(1.0).backward()


def test_pitfall_21_integers_cannot_require_grad():
    with pytest.raises(TypeError, match="int64 cannot require grad"):
        Tensor([1, 2], requires_grad=True)
    with pytest.raises(TypeError, match="bool cannot require grad"):
        Tensor([True]).requires_grad_()


def test_wrapping_a_tracked_tensor_does_not_cut_its_graph_silently():
    with pytest.raises(GradientError, match="cut it off from its graph"):
        Tensor(leaf(1.0) * 2)


def test_no_grad_and_enable_grad():
    x = leaf(1.0)
    with xgrad.no_grad():
        assert not (x * 2).requires_grad
        with xgrad.enable_grad():
            assert (x * 2).requires_grad
    assert (x * 2).requires_grad

    @xgrad.no_grad()
    def f(x):
        return x * 2

    assert not f(x).requires_grad


def test_a_tracked_tensor_does_not_leave_silently():
    x = leaf([1.0, 2.0])
    for leave in (np.asarray, np.array, lambda x: x.numpy(), lambda x: x.__dlpack__(), lambda x: np.from_dlpack(x)):
        with pytest.raises(GradientError, match=r"x\.detach\(\)\.numpy\(\)"):
            leave(x)
    assert np.asarray(x.detach()).tolist() == [1.0, 2.0]


def test_retain_grad_keeps_an_intermediate_gradient():
    x = leaf(3.0)
    y = x * x
    y.retain_grad()
    (y * y).backward()
    assert y.grad.item() == 18.0


def test_unknown_operands_get_their_turn():
    class Other:
        def __radd__(self, left):
            return "other's turn"

    assert leaf(1.0) + Other() == "other's turn"
    with pytest.raises(TypeError, match=r"unsupported operand type\(s\) for \+: 'Tensor' and 'str'"):
        leaf(1.0) + "a"
    assert (leaf([1.0, 2.0]) == None).tolist() == [False, False]  # noqa: E711  (as in NumPy)


def test_shapes_that_do_not_broadcast():
    with pytest.raises(ValueError, match=r"add: the shapes do not broadcast together \(x1 \(2,\) float64, x2 \(3,\) float64\)"):
        leaf([1.0, 2.0]) + np.ones(3)


def test_an_exception_in_a_rule_names_the_op_and_the_line():
    @xgrad.op
    def broken(xp, x, /):
        return x * 1

    broken.vjp(x=lambda g: 1 / 0)
    y = broken(leaf(1.0))
    with pytest.raises(ZeroDivisionError) as caught:
        y.backward()
    assert "in the gradient of broken, called at" in caught.value.__notes__[0]
    assert "test_engine.py" in caught.value.__notes__[0]


def test_an_op_without_a_declaration_refuses_tracked_tensors():
    @xgrad.op
    def undeclared(xp, x, /):
        return x * 1

    assert undeclared(Tensor(1.0)).item() == 1.0
    with pytest.raises(GradientError, match="undeclared has no derivative"):
        undeclared(leaf(1.0))


def test_a_rule_may_name_only_what_the_op_has():
    @xgrad.op
    def misnamed(xp, x, /):
        return x * 1

    with pytest.raises(TypeError, match=r"names \['z'\]; it may name xp, g and x, y, x_shape"):
        misnamed.vjp(x=lambda g, z: g)
    with pytest.raises(TypeError, match=r"rules are declared for \['w'\]"):
        misnamed.vjp(w=lambda g: g)


# ------------------------------------------------------------------------------------------------------------- memory


class Watched(np.ndarray):
    """An array that can be watched dying."""


def test_a_rule_keeps_only_what_it_names():
    x = leaf([1.0, 2.0])
    assert all(v is None for v in (x + x)._node.saved)
    y = xgrad.exp(x)
    assert [v is y._data for v in y._node.saved] == [False, True, False]
    z = x * Tensor(np.ones(2))
    assert [v is not None for v in z._node.saved[:2]] == [False, True]  # the other factor of the one that requires grad


def test_backward_frees_what_the_graph_saved():
    x = leaf(np.ones(3))
    y = xgrad.exp(x)
    kept = weakref.ref(y._data)
    z = (y + 1).sum()
    del y
    assert kept() is not None
    z.backward()
    assert kept() is None


def test_graphs_die_by_reference_count():
    gc.disable()
    try:
        x = leaf(np.ones(3))
        y = xgrad.exp(x) * x
        died = weakref.ref(y)
        z = y.sum()
        z.backward()
        del y, z
        assert died() is None
        node = weakref.ref(x._node)
        del x
        assert node() is None
    finally:
        gc.enable()


def test_pitfall_24_a_chain_of_a_million_ops():
    x = leaf(1.0)
    y = x
    for _ in range(1_000_000):
        y = y + 1.0
    y.backward()
    assert x.grad.item() == 1.0
    y = x  # letting go of a graph does not recurse either, walked or not
    for _ in range(300_000):
        y = y * 1.0
    del y


def test_pitfall_24_doubling_sixty_times_is_linear_work():
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()  # 2**60 steps would not end
    assert x.grad.item() == 2.0**60


def test_wide_fan_in():
    x = leaf(np.ones(2))
    y = x * 0
    for k in range(2000):
        y = y + x * float(k)
    y.sum().backward()
    assert x.grad.tolist() == [2000 * 1999 / 2] * 2


# ------------------------------------------------------------------------------------------------------------- writing


def test_the_hand_written_update_works_and_is_allowed():
    p = leaf([1.0, 2.0])
    before = p.data
    (p * p).sum().backward()
    p.data -= 0.1 * p.grad
    np.testing.assert_allclose(p.data, [0.8, 1.6])
    assert p.data is before and p.is_leaf and p.requires_grad
    p.zero_grad()
    (p * p).sum().backward()
    np.testing.assert_allclose(p.grad.numpy(), [1.6, 3.2])


def test_pitfall_17_writing_into_an_array_that_a_live_graph_saved():
    p = leaf([1.0, 2.0])
    y = (p * p).sum()
    p.data -= 0.5
    with pytest.raises(GradientError, match=r"an array that multiply \(called at .*test_engine.py:\d+\) needs .* was written to"):
        y.backward()


def test_pitfall_17_rebinding_leaves_the_graph_as_it_was():
    x = leaf([1.0, 2.0])
    y = x * 1
    z = (y * y).sum()
    y[0] = 5.0
    z.backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_pitfall_19_numpy_writes_into_a_captured_array():
    c = np.array([1.0, 2.0])
    x = leaf([1.0, 1.0])
    with xgrad.guard_writes():
        y = (x * c).sum()
    c[0] = 100.0
    with pytest.raises(GradientError, match="written to after the call"):
        y.backward()


def test_in_place_operators_keep_the_object_and_the_gradient():
    x = leaf([1.0, 2.0])
    y = x * 1
    same = y
    y *= y
    y += 1
    assert same is y
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_in_place_on_a_leaf_is_refused_while_recording():
    x = leaf([1.0, 2.0])
    with pytest.raises(GradientError, match=r"\+=: a leaf that requires grad"):
        x += 1
    with xgrad.no_grad():
        x += 1
    assert x.is_leaf and x.requires_grad and x.tolist() == [2.0, 3.0]


# -------------------------------------------------------------------------------------------------- threads, and copies


def test_pitfall_26_nested_gradients_in_eight_threads():
    wrong = []

    def work(k):
        for i in range(60):
            x = leaf(float(k + 1))
            y = x * x * x
            y.backward(create_graph=True)
            g = x.grad
            x.zero_grad()
            with xgrad.no_grad():
                assert not (x * 2).requires_grad
            g.backward()
            if x.grad.item() != 6.0 * (k + 1):
                wrong.append((k, i))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
        [t.start() for t in threads], [t.join() for t in threads]
    finally:
        sys.setswitchinterval(interval)
    assert not wrong


def test_copies():
    x = leaf([1.0, 2.0], name="x")
    (x * x).sum().backward()
    for y in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert y.is_leaf and y.requires_grad and y.name == "x"
        assert y.tolist() == [1.0, 2.0] and y.grad.tolist() == [2.0, 4.0]
        y.data[0] = 9.0
        assert x.tolist() == [1.0, 2.0]
    y = copy.deepcopy(x * 2)
    y.sum().backward()
    assert x.grad.tolist() == [4.0, 6.0]
    with pytest.raises(GradientError, match="part of a graph"):
        pickle.dumps(x * 2)


def test_subclasses_are_kept():
    class Mine(Tensor):
        pass

    assert type(Mine(1.0) + Mine(2.0)) is Mine
    assert type(xgrad.exp(Mine(1.0))) is Mine


def test_an_op_that_calls_itself_without_end_says_so() -> None:
    @xgrad.op(override=True)
    def going_round(xp, x, /):
        return xp.going_round(x)

    try:
        with pytest.raises(RecursionError, match=r"going_round: it calls itself.*xp\.__native__\.going_round"):
            going_round(xgrad.ones(2))
    finally:
        del registry["going_round"]


@pytest.mark.parametrize("shape", [(3, 2), (6,), (2,), (2, 3, 2), (1,)])
def test_a_rule_that_returns_another_shape_is_refused_and_never_reshaped(shape):
    @xgrad.op
    def doubled(xp, x, /):
        return 2 * x

    doubled.vjp(x=lambda xp, g: xp.new_zeros(g, shape))
    xgrad.graph.names.registry.pop("doubled")
    with pytest.raises(ValueError, match=r"returned a cotangent of shape \(.*\) for an argument of shape \(2, 3\)") as caught:
        doubled(leaf(np.ones((2, 3)))).sum().backward()
    assert "in the gradient of doubled, called at" in caught.value.__notes__[0]
