"""What a workload needs of a library, for each library under one set of names.

A library's own function is used where it has one. What it lacks is composed here, in its best known way.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[..., tuple[Any, Any]]
"""``step(state, *data)`` returns the result and the new state."""


def same(step: Step) -> Step:
    """A step that is run as it is."""
    return step


class Library:
    """The functions of workloads, in terms of a namespace `xp` that has NumPy's names."""

    def __init__(self, xp: Any, compiled: Callable[[Step], Step] = same) -> None:
        self.xp, self.compiled = xp, compiled

    # Arrays.

    def parameter(self, x: np.ndarray) -> Any:
        """An array whose gradient is wanted."""
        return x.copy()

    def data(self, x: np.ndarray) -> Any:
        """An array without a gradient."""
        return x

    def read(self, x: Any) -> np.ndarray:
        """The numbers of an array."""
        return np.asarray(x)

    def wait(self, result: Any) -> Any:
        """`result`, when it is computed."""
        return result

    # Derivatives and steps.

    def value_and_grad(self, f: Callable[..., Any]) -> Callable[..., tuple[Any, list[Any]]]:
        """The function that returns ``f(parameters, *data)`` and the gradients of the parameters."""
        raise NotImplementedError

    def adam(self, params: list[Any]) -> Any:
        """The state of Adam for these parameters."""
        return [[self.xp.zeros_like(p) for p in params], [self.xp.zeros_like(p) for p in params], self.data(np.float32(0))]

    def update(self, params: list[Any], grads: list[Any], state: Any, lr: float) -> tuple[list[Any], Any]:
        """The parameters and the state after a step of Adam, or of plain descent if `state` is None."""
        if state is None:
            return [p - lr * g for p, g in zip(params, grads)], None
        first, second, t = state
        t = t + 1
        first = [m + 0.1 * (g - m) for m, g in zip(first, grads)]
        second = [v + 0.001 * (g * g - v) for v, g in zip(second, grads)]
        rate, scale = lr / (1 - 0.9**t), 1 / (1 - 0.999**t)
        new = [p - rate * m / (self.xp.sqrt(v * scale) + 1e-8) for p, m, v in zip(params, first, second)]
        return new, [first, second, t]

    # Loops.

    def scan(self, body: Callable[[Any, Any], Any], carry: Any, steps: Any) -> Any:
        """`carry` after ``carry = body(carry, item)`` for each item of an array, or for so many steps."""
        if isinstance(steps, int):
            for _ in range(steps):
                carry = body(carry, None)
        else:
            for i in range(steps.shape[0]):
                carry = body(carry, steps[i])
        return carry

    # Functions.

    def relu(self, x: Any) -> Any:
        return self.xp.maximum(x, 0.0)

    def permute(self, x: Any, axes: tuple[int, ...]) -> Any:
        return self.xp.transpose(x, axes)

    def gelu(self, x: Any) -> Any:
        """The approximation by the tanh."""
        return 0.5 * x * (1 + self.xp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))

    def softmax(self, x: Any) -> Any:
        e = self.xp.exp(x - self.xp.max(x, axis=-1, keepdims=True))
        return e / self.xp.sum(e, axis=-1, keepdims=True)

    def layer_norm(self, x: Any, gain: Any, bias: Any) -> Any:
        away = x - self.xp.mean(x, axis=-1, keepdims=True)
        return away / self.xp.sqrt(self.xp.mean(away * away, axis=-1, keepdims=True) + 1e-5) * gain + bias

    def embedding(self, table: Any, tokens: Any) -> Any:
        return table[tokens]

    def cross_entropy(self, logits: Any, labels: Any) -> Any:
        """The mean over examples; logits of shape (examples, classes)."""
        shifted = logits - self.xp.max(logits, axis=-1, keepdims=True)
        total = self.xp.log(self.xp.sum(self.xp.exp(shifted), axis=-1))
        return self.xp.mean(total - shifted[np.arange(labels.shape[0]), labels])

    def attention(self, q: Any, k: Any, v: Any, mask: Any) -> Any:
        """Of shapes (B, heads, T, d); `mask` is added to the scores."""
        scores = q @ self.permute(k, (0, 1, 3, 2)) * (1 / math.sqrt(q.shape[-1])) + mask
        return self.softmax(scores) @ v

    # Images, in the layout (B, H, W, channels) or the library's own.

    def images(self, x: np.ndarray) -> Any:
        """Images of shape (B, H, W, channels) as data in the library's layout."""
        return self.data(x)

    def conv(self, x: Any, w: Any, b: Any) -> Any:
        """The convolution with `w` of shape (out, in, 3, 3), zeros around the images."""
        size, filters = x.shape[1], self.permute(w, (2, 3, 1, 0)).reshape((-1, w.shape[0]))  # (9 in, out)
        x = self.pad(x)
        windows = [x[:, i : i + size, j : j + size] for i in range(3) for j in range(3)]
        return self.concatenate(windows) @ filters + b

    def pad(self, x: Any) -> Any:
        return self.xp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))

    def concatenate(self, parts: list[Any]) -> Any:
        """Along the last axis."""
        return self.xp.concatenate(parts, axis=-1)

    def pool(self, x: Any) -> Any:
        """The largest of each two by two."""
        xp = self.xp
        rows = xp.maximum(x[:, ::2], x[:, 1::2])
        return xp.maximum(rows[:, :, ::2], rows[:, :, 1::2])

    def flatten(self, x: Any) -> Any:
        """Images as rows, channel by channel."""
        return self.permute(x, (0, 3, 1, 2)).reshape((x.shape[0], -1))

    # Matrices.

    def inv(self, x: Any) -> Any:
        return self.xp.linalg.inv(x)

    def logdet(self, x: Any) -> Any:
        return self.xp.linalg.slogdet(x)[1]


class Recorded(Library):
    """A library whose tensors have ``backward`` and ``grad``."""

    def value_and_grad(self, f: Callable[..., Any]) -> Callable[..., tuple[Any, list[Any]]]:
        def both(params: list[Any], *data: Any) -> tuple[Any, list[Any]]:
            for p in params:
                p.grad = None
            y = f(params, *data)
            y.backward()
            return y, [p.grad for p in params]

        return both


class Xgrad(Recorded):
    """xgrad as its users write it: `backward`, and an optimizer that writes into the parameters."""

    def __init__(self, compiled: Callable[[Step], Step] = same) -> None:
        import xgrad

        super().__init__(xgrad, compiled)

    def parameter(self, x: np.ndarray) -> Any:
        return self.xp.Tensor(np.array(x), requires_grad=True)

    def data(self, x: np.ndarray) -> Any:
        return self.xp.Tensor(x)

    def read(self, x: Any) -> np.ndarray:
        return np.asarray(x.detach() if hasattr(x, "detach") else x)

    def adam(self, params: list[Any]) -> Any:
        return self.xp.optim.Adam(params)

    def update(self, params: list[Any], grads: list[Any], state: Any, lr: float) -> tuple[list[Any], Any]:
        optimizer = self.xp.optim.SGD(params, lr=lr) if state is None else state
        optimizer.lr = lr
        optimizer.step()
        return params, optimizer if state is not None else None

    def relu(self, x: Any) -> Any:
        return self.xp.relu(x)

    def permute(self, x: Any, axes: tuple[int, ...]) -> Any:
        return self.xp.permute_dims(x, axes)

    def gelu(self, x: Any) -> Any:
        return self.xp.gelu(x, approximate="tanh")

    def softmax(self, x: Any) -> Any:
        return self.xp.softmax(x, axis=-1)

    def cross_entropy(self, logits: Any, labels: Any) -> Any:
        return self.xp.nn.functional.cross_entropy(logits, labels)

    def concatenate(self, parts: list[Any]) -> Any:
        return self.xp.concat(parts, axis=-1)


class CapturedXgrad(Xgrad):
    """The same, with steps that `xgrad.jit` captures."""

    def __init__(self, executor: str) -> None:
        import xgrad

        super().__init__(functools.partial(xgrad.jit, executor=executor))

    def value_and_grad(self, f: Callable[..., Any]) -> Callable[..., tuple[Any, list[Any]]]:
        both = super().value_and_grad(f)

        def without_graph(params: list[Any], *data: Any) -> tuple[Any, list[Any]]:
            y, grads = both(params, *data)
            return y.detach(), grads

        return without_graph


class PureXgrad(Xgrad):
    """xgrad in functions without side effects, for transforms of whole steps."""

    def value_and_grad(self, f: Callable[..., Any]) -> Callable[..., tuple[Any, list[Any]]]:
        return self.xp.value_and_grad(f)

    parameter = Xgrad.data
    adam, update = Library.adam, Library.update


class Torch(Recorded):
    def __init__(self, compiled: Callable[[Step], Step] = same, fused: bool = False) -> None:
        import torch

        torch.set_num_threads(1)
        super().__init__(torch, compiled)
        self.fused, self.functional = fused, torch.nn.functional

    def parameter(self, x: np.ndarray) -> Any:
        return self.xp.tensor(x, requires_grad=True)

    def data(self, x: np.ndarray) -> Any:
        return self.xp.tensor(x)

    def read(self, x: Any) -> np.ndarray:
        return x.detach().numpy()

    def adam(self, params: list[Any]) -> Any:
        return self.xp.optim.Adam(params, fused=self.fused)

    def update(self, params: list[Any], grads: list[Any], state: Any, lr: float) -> tuple[list[Any], Any]:
        optimizer = self.xp.optim.SGD(params, lr=lr, fused=self.fused) if state is None else state
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
        return params, optimizer if state is not None else None

    def relu(self, x: Any) -> Any:
        return self.xp.relu(x)

    def permute(self, x: Any, axes: tuple[int, ...]) -> Any:
        return x.permute(axes)

    def gelu(self, x: Any) -> Any:
        return self.functional.gelu(x, approximate="tanh")

    def softmax(self, x: Any) -> Any:
        return self.xp.softmax(x, -1)

    def layer_norm(self, x: Any, gain: Any, bias: Any) -> Any:
        return self.functional.layer_norm(x, x.shape[-1:], gain, bias)

    def embedding(self, table: Any, tokens: Any) -> Any:
        return self.functional.embedding(tokens, table)

    def cross_entropy(self, logits: Any, labels: Any) -> Any:
        return self.functional.cross_entropy(logits, labels)

    def attention(self, q: Any, k: Any, v: Any, mask: Any) -> Any:
        return self.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)

    def images(self, x: np.ndarray) -> Any:
        return self.data(x).permute(0, 3, 1, 2).contiguous()

    def conv(self, x: Any, w: Any, b: Any) -> Any:
        return self.functional.conv2d(x, w, b, padding=1)

    def pool(self, x: Any) -> Any:
        return self.functional.max_pool2d(x, 2)

    def flatten(self, x: Any) -> Any:
        return x.flatten(1)


class PureTorch(Torch):
    """PyTorch in functions without side effects, so that `torch.compile` sees the whole step."""

    def value_and_grad(self, f: Callable[..., Any]) -> Callable[..., tuple[Any, list[Any]]]:
        both = self.xp.func.grad_and_value(f)

        def in_order(params: list[Any], *data: Any) -> tuple[Any, list[Any]]:
            grads, value = both(params, *data)
            return value, grads

        return in_order

    parameter = Torch.data
    adam, update = Library.adam, Library.update


class MyGrad(Recorded):
    def __init__(self) -> None:
        import mygrad

        mygrad.turn_memory_guarding_off()  # as its documentation advises for speed
        super().__init__(mygrad)

    def parameter(self, x: np.ndarray) -> Any:
        return self.xp.tensor(x.copy())

    def value_and_grad(self, f: Callable[..., Any]) -> Callable[..., tuple[Any, list[Any]]]:
        def both(params: list[Any], *data: Any) -> tuple[Any, list[Any]]:
            for p in params:
                p.null_grad()
            y = f(params, *data)
            y.backward()
            return y, [p.grad for p in params]

        return both

    def adam(self, params: list[Any]) -> Any:
        from .by_hand import Adam

        return Adam([p.data for p in params])

    def update(self, params: list[Any], grads: list[Any], state: Any, lr: float) -> tuple[list[Any], Any]:
        from .by_hand import descend

        if state is None:
            descend([p.data for p in params], grads, lr)
        else:
            state.step(grads, lr)
        return params, state

    def cross_entropy(self, logits: Any, labels: Any) -> Any:
        from mygrad.nnet.losses import softmax_crossentropy

        return softmax_crossentropy(logits, labels)


class Autograd(Library):
    """HIPS autograd."""

    def __init__(self) -> None:
        import autograd.numpy

        super().__init__(autograd.numpy)

    def value_and_grad(self, f: Callable[..., Any]) -> Callable[..., tuple[Any, list[Any]]]:
        import autograd

        return autograd.value_and_grad(f)

    def pad(self, x: Any) -> Any:
        return self.xp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "constant")

    def adam(self, params: list[Any]) -> Any:
        from .by_hand import Adam

        return Adam(params)

    def update(self, params: list[Any], grads: list[Any], state: Any, lr: float) -> tuple[list[Any], Any]:
        from .by_hand import descend

        if state is None:
            descend(params, grads, lr)
        else:
            state.step(grads, lr)
        return params, state


class Jax(Library):
    """JAX, whose steps are always compiled."""

    def __init__(self) -> None:
        import jax

        super().__init__(jax.numpy, jax.jit)
        self.jax = jax

    def parameter(self, x: np.ndarray) -> Any:
        return self.xp.asarray(x)

    data = parameter

    def wait(self, result: Any) -> Any:
        return self.jax.block_until_ready(result)

    def value_and_grad(self, f: Callable[..., Any]) -> Callable[..., tuple[Any, list[Any]]]:
        return self.jax.value_and_grad(f)

    def scan(self, body: Callable[[Any, Any], Any], carry: Any, steps: Any) -> Any:
        def pair(carry: Any, item: Any) -> tuple[Any, None]:
            return body(carry, item), None

        length, items = (steps, None) if isinstance(steps, int) else (None, steps)
        return self.jax.lax.scan(pair, carry, items, length=length, unroll=10)[0]

    def relu(self, x: Any) -> Any:
        return self.jax.nn.relu(x)

    def gelu(self, x: Any) -> Any:
        return self.jax.nn.gelu(x, approximate=True)

    def softmax(self, x: Any) -> Any:
        return self.jax.nn.softmax(x)

    def cross_entropy(self, logits: Any, labels: Any) -> Any:
        logs = self.jax.nn.log_softmax(logits)
        return -self.xp.take_along_axis(logs, labels[:, None], axis=1).mean()

    def conv(self, x: Any, w: Any, b: Any) -> Any:
        layout = ("NHWC", "OIHW", "NHWC")
        return self.jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=layout) + b
