"""Seeded numbers: the same everywhere, distributed as they should be, and continued from a saved state."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import xgrad
from xgrad import random
from xgrad.random import Generator

DRAWS = {
    "uniform": lambda g: g.uniform((3, 4), -1.0, 2.0),
    "uniform, float64": lambda g: g.uniform(5, dtype=xgrad.float64),
    "normal": lambda g: g.normal((3, 4), 1.0, 2.0),
    "normal, 0-d": lambda g: g.normal(),
    "integers": lambda g: g.integers(-3, 9, (20,)),
    "permutation": lambda g: g.permutation(17),
    "choice": lambda g: g.choice(17, 5),
    "bernoulli": lambda g: g.bernoulli(0.3, (20,)),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_the_same_numbers_on_every_backend(backend, draw):
    reference = draw(Generator(7))
    with xgrad.use_backend(backend):
        drawn = draw(Generator(7))
    assert drawn.backend == backend and drawn.dtype == reference.dtype and not drawn.requires_grad
    np.testing.assert_array_equal(drawn.numpy(), reference.numpy())


def test_like_says_backend_device_and_dtype(backend, device):
    with xgrad.use_backend(backend):
        x = xgrad.Tensor([1.0], dtype=xgrad.float64, device=device)
    for drawn in (random.normal((2,), like=x), random.uniform((2,), like=x)):
        assert (drawn.backend, str(drawn.device), drawn.dtype) == (backend, str(x.device), xgrad.float64)
    assert random.bernoulli(0.5, (2,), like=x).dtype == xgrad.bool


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtype(dtype):
    assert Generator(0).uniform(3, dtype=dtype).dtype == dtype
    assert Generator(0).normal(3, dtype=dtype).dtype == dtype


def test_default_dtype():
    assert random.uniform(2).dtype == xgrad.float32
    xgrad.set_default_dtype(xgrad.float64)
    assert random.uniform(2).dtype == xgrad.float64


def test_distributions():
    g, n = Generator(1), 100_000
    u, z, k = g.uniform(n, -1, 3).numpy(), g.normal(n, 2, 3).numpy(), g.integers(0, 10, n).numpy()
    assert -1 <= u.min() and u.max() <= 3 and abs(u.mean() - 1) < 0.02 and abs(u.var() - 16 / 12) < 0.02
    assert abs(z.mean() - 2) < 0.04 and abs(z.std() - 3) < 0.04
    assert np.all(np.abs(np.bincount(k) - n / 10) < 500)
    assert sorted(g.permutation(100).tolist()) == list(range(100))
    assert abs(g.bernoulli(0.3, n).numpy().mean() - 0.3) < 0.01


def test_seed_starts_again():
    random.seed(3)
    first = random.normal((4,)).tolist()
    assert random.normal((4,)).tolist() != first
    random.seed(3)
    assert random.normal((4,)).tolist() == first
    assert Generator(3).normal((4,)).tolist() == first
    assert Generator(4).normal((4,)).tolist() != first


def test_without_a_seed_it_starts_somewhere_new():
    assert Generator().normal((4,)).tolist() != Generator().normal((4,)).tolist()


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_state_survives_json_and_pickle(draw):
    g = Generator(5)
    g.normal((3,))
    g.integers(0, 2, (3,), dtype="int32")
    copies = [pickle.loads(pickle.dumps(g)), Generator()]
    copies[1].set_state(json.loads(json.dumps(g.get_state())))
    expected = [draw(g).tolist() for _ in range(3)]
    for copy in copies:
        assert [draw(copy).tolist() for _ in range(3)] == expected


def test_module_state():
    state = random.get_state()
    first = random.uniform((3,)).tolist()
    random.set_state(state)
    assert random.uniform((3,)).tolist() == first


def test_split_gives_different_streams_that_the_seed_determines():
    one, two = (Generator(0).split(2) for _ in range(2))
    drawn = [[g.uniform((3,)).tolist() for g in family] for family in (one, two)]
    assert drawn[0] == drawn[1] and drawn[0][0] != drawn[0][1]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Generator(-1), ValueError, "a seed is an integer of at least 0"),
        (lambda: Generator(1.5), ValueError, "a seed is an integer"),
        (lambda: random.uniform((-1,)), ValueError, "a shape is made of integers"),
        (lambda: random.normal((float("nan"),)), ValueError, "a shape is made of integers"),
        (lambda: random.uniform(2, 1.0, 0.0), ValueError, "must be at least low"),
        (lambda: random.normal(2, 0.0, -1.0), ValueError, "must not be negative"),
        (lambda: random.integers(3, 3), ValueError, "none from 3 to 3"),
        (lambda: random.choice(3, 4), ValueError, "cannot choose 4"),
        (lambda: random.bernoulli(1.5), ValueError, "probability"),
        (lambda: random.uniform(2, dtype="int64"), TypeError, "cannot be int64"),
        (lambda: random.set_state({"key": 1}), ValueError, "no state of a generator"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
