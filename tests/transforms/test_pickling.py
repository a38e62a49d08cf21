"""Functions made of functions are pickled as `functools.partial` is: for joblib, multiprocessing, and copies."""

from __future__ import annotations

import copy
import functools
import pickle
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pytest

import xgrad
from tests.harness.processes import environment
from xgrad import Tensor

X = np.array([0.3, 1.1])


def energy(x: Any) -> Any:
    return xgrad.sum(xgrad.sin(x) * x[0])


def layer(x: Any) -> Any:
    return xgrad.sin(x) * x[0]


def with_aux(x: Any) -> Any:
    return energy(x), xgrad.exp(x)


def loss(y: Any) -> Any:
    return xgrad.sum(y * y)


def cube_fwd(x: Any) -> Any:
    return x**3, x


def cube_bwd(x: Any, g: Any) -> Any:
    return (3 * g * x**2,)


@xgrad.custom_vjp
def cube(x: Any) -> Any:
    return x**3


cube.defvjp(cube_fwd, cube_bwd)


def plain_cube(x: Any) -> Any:
    return x**3


def cube_tangent(primals: Any, tangents: Any) -> Any:
    return primals[0] ** 3, 3 * primals[0] ** 2 * tangents[0]


unnamed_vjp = xgrad.custom_vjp(plain_cube)
unnamed_vjp.defvjp(cube_fwd, xgrad.once_differentiable(cube_bwd))
unnamed_jvp = xgrad.custom_jvp(plain_cube)
unnamed_jvp.defjvp(cube_tangent)


@xgrad.checkpoint
def saved(x: Any) -> Any:
    return xgrad.sum(xgrad.exp(xgrad.sin(x)))


@xgrad.grad
def slope(x: Any) -> Any:
    return xgrad.sum(x**3)


class Holder:
    @xgrad.checkpoint
    def method(self, x: Any) -> Any:
        return xgrad.sin(x) * 2

    derivative = xgrad.jacobian(layer)


FUNCTIONS: dict[str, Any] = {
    "grad": xgrad.grad(energy),
    "grad with aux": xgrad.grad(with_aux, has_aux=True),
    "grad, several": xgrad.grad(energy, (0,)),
    "value_and_grad": xgrad.value_and_grad(energy),
    "jacobian": xgrad.jacobian(layer),
    "jacrev": xgrad.jacrev(layer, chunk_size=1),
    "jacfwd": xgrad.jacfwd(layer, (0,)),
    "hessian": xgrad.hessian(energy),
    "vmap": xgrad.vmap(xgrad.square, in_axes=(0,), out_axes=0),
    "vmap of grad": xgrad.vmap(xgrad.grad(plain_cube)),
    "third order": xgrad.jacfwd(xgrad.jacrev(xgrad.grad(energy))),
    "checkpoint": xgrad.checkpoint(layer),
    "grad of checkpoint": xgrad.grad(xgrad.checkpoint(energy)),
    "of a partial": xgrad.grad(functools.partial(np.dot, X)),
    "of a module": xgrad.jacobian(xgrad.nn.Sequential(xgrad.nn.Tanh())),
    "partial jvp": functools.partial(xgrad.jvp, layer, tangents=(X,)),
    "partial hvp": functools.partial(xgrad.hvp, energy, v=X),
    "partial ggnvp": functools.partial(xgrad.ggnvp, layer, loss, v=X),
    "partial root": functools.partial(xgrad.fixed_point, xgrad.cos),
    "pullback": xgrad.vjp(layer, X)[1],
    "pushforward": xgrad.linearize(layer, X)[1],
    "decorated custom_vjp": cube,
    "custom_vjp": unnamed_vjp,
    "custom_jvp": unnamed_jvp,
    "grad of custom_vjp": xgrad.jacobian(unnamed_vjp),
    "grad of custom_jvp": xgrad.jacobian(unnamed_jvp),
    "decorated checkpoint": saved,
    "decorated grad": slope,
    "grad of decorated": xgrad.jacobian(slope),
    "method": Holder().method,
    "in a class": Holder.derivative,
    "once_differentiable": functools.partial(xgrad.once_differentiable(cube_bwd), X),
    "sparse.jacobian": xgrad.sparse.jacobian(layer),
    "sparse.hessian": xgrad.sparse.hessian(energy),
}


def numbers(found: Any) -> list[Any]:
    leaves = found if isinstance(found, (tuple, list)) else [found]
    flat = [y for leaf in leaves for y in (numbers(leaf) if isinstance(leaf, (tuple, list)) else [leaf])]
    return [y.toarray() if hasattr(y, "toarray") else np.asarray(y) for y in flat]


def result(f: Any) -> list[Any]:
    return numbers(f((X,)) if isinstance(f, functools.partial) and f.func is xgrad.jvp else f(X))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("how", ["pickle", "pickle, oldest", "cloudpickle", "copy", "deepcopy"])
def test_a_transformed_function_goes_through_pickles(name: str, how: str) -> None:
    f = FUNCTIONS[name]
    if name.startswith("sparse"):
        pytest.importorskip("scipy")
    if how == "cloudpickle":
        cloudpickle = pytest.importorskip("cloudpickle")
        other = pickle.loads(cloudpickle.dumps(f))
    elif how.startswith("pickle"):
        other = pickle.loads(pickle.dumps(f, *([2] if "oldest" in how else [])))
    else:
        other = getattr(copy, how)(f)
    for one, two in zip(result(f), result(other), strict=True):
        np.testing.assert_allclose(two, one)
    assert getattr(other, "__name__", None) == getattr(f, "__name__", None) and repr(type(other)) == repr(type(f))


def test_derivatives_survive() -> None:
    for f in (cube, unnamed_vjp, unnamed_jvp):
        again = pickle.loads(pickle.dumps(f))
        np.testing.assert_allclose(xgrad.jacobian(again)(X), np.diag(3 * X**2))
    assert pickle.loads(pickle.dumps(cube)) is cube and pickle.loads(pickle.dumps(saved)) is saved
    x = Tensor(X, requires_grad=True)
    pickle.loads(pickle.dumps(xgrad.checkpoint(energy)))(x).backward()
    assert x.grad is not None
    with pytest.raises(xgrad.GradientError, match="once_differentiable"):
        xgrad.hessian(pickle.loads(pickle.dumps(xgrad.checkpoint(unnamed_sum))))(X)


def unnamed_sum(x: Any) -> Any:
    return xgrad.sum(unnamed_vjp(x))


def test_what_is_made_in_a_function_goes_through_cloudpickle() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    a = 2.0

    def local(x: Any) -> Any:
        return xgrad.sum(x**2) * a

    square = xgrad.custom_vjp(lambda x: x * x)
    square.defvjp(lambda x: (x * x, x), lambda x, g: (2 * g * x,))
    made = [
        xgrad.grad(local),
        xgrad.vmap(xgrad.grad(lambda x: x * x)),
        xgrad.checkpoint(local),
        xgrad.jacobian(square),
        xgrad.hessian(local),
    ]
    quiet = xgrad.no_grad()(lambda x: local(x))
    for f in [*made, quiet]:
        np.testing.assert_allclose(np.asarray(pickle.loads(cloudpickle.dumps(f))(X)), np.asarray(f(X)))
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(xgrad.grad(local))  # as that of a partial of it


SCRIPT = """
    import pickle, sys
    import numpy as np, xgrad
    cloudpickle = pickle if sys.argv[1] == "pickle" else __import__("cloudpickle")

    def f(x):
        return xgrad.sum(x ** 3)

    {decorated}

    if sys.argv[2] == "dump":
        functions = [xgrad.grad(f), xgrad.vmap(xgrad.grad(lambda x: x * x)) if sys.argv[1] != "pickle" else xgrad.grad(f), *more]
        cloudpickle.dump(functions, open(sys.argv[3], "wb"))
    else:
        print([g(np.array([1.0, 2.0])).tolist() for g in pickle.load(open(sys.argv[3], "rb"))])
"""


@pytest.mark.parametrize("how", ["pickle", "cloudpickle"])
def test_functions_of_the_main_module_in_another_process(how: str, tmp_path: Any) -> None:
    pytest.importorskip(how)
    decorated = """
    @xgrad.custom_vjp
    def cube(x):
        return x ** 3

    cube.defvjp(lambda x: (x ** 3, x), lambda x, g: (3 * g * x ** 2,))

    @xgrad.checkpoint
    def saved(x):
        return xgrad.sum(cube(x))

    more = [xgrad.grad(saved)]
    """
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(SCRIPT).format(decorated=textwrap.dedent(decorated) if how == "cloudpickle" else "more = []")
    )
    bare = tmp_path / "bare.py"  # which knows nothing of the functions
    bare.write_text(
        "import pickle, sys, numpy as np\nprint([g(np.array([1.0, 2.0])).tolist() for g in pickle.load(open(sys.argv[3], 'rb'))])"
    )
    at = str(tmp_path / "functions.pkl")
    run = lambda file, task: subprocess.run(
        [sys.executable, str(file), how, task, at], capture_output=True, text=True, check=True, env=environment(*sys.path)
    ).stdout.strip()
    run(script, "dump")
    expected = [[3.0, 12.0], [2.0, 4.0], [3.0, 12.0]] if how == "cloudpickle" else [[3.0, 12.0]] * 2
    assert run(bare if how == "cloudpickle" else script, "load") == str(expected)
