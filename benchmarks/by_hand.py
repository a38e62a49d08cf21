"""The workloads in NumPy, with gradients derived by hand: as fast as NumPy alone gets, without SciPy.

A function takes ``(params, *data)`` and returns the value and the gradients, in the order of `params`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Gradients = tuple[Any, list[Any]]


# ----------------------------------------------------------------------------------------------------------- optimizers


class Adam:
    """Adam in place, in blocks that stay in the cache of the processor."""

    def __init__(self, params: list[Any]) -> None:
        self.params, self.t = [p.reshape(-1) for p in params], 0  # views
        self.first, self.second = [np.zeros_like(p) for p in self.params], [np.zeros_like(p) for p in self.params]
        self.buffer = np.empty(65536, np.float32)

    def step(self, grads: list[Any], lr: float) -> None:
        self.t += 1
        rate, scale = lr / (1 - 0.9**self.t), (1 - 0.999**self.t) ** -0.5
        for whole in zip(self.params, grads, self.first, self.second):
            for start in range(0, whole[0].size, self.buffer.size):
                p, g, m, v = (a.reshape(-1)[start : start + self.buffer.size] for a in whole)
                t = self.buffer[: p.size]
                np.multiply(g, 0.1, out=t)
                m *= 0.9
                m += t
                np.multiply(g, g, out=t)
                t *= 0.001
                v *= 0.999
                v += t
                np.sqrt(v, out=t)
                t *= scale
                t += 1e-8
                np.divide(m, t, out=t)
                t *= rate
                p -= t


def descend(params: list[Any], grads: list[Any], lr: float) -> None:
    """A step of plain descent, in place; the gradients are used up."""
    for p, g in zip(params, grads):
        p -= np.multiply(g, lr, out=g)


# --------------------------------------------------------------------------------------------------------- small arrays


def expression(params: list[Any]) -> Gradients:
    a, b = (p[()] for p in params)  # NumPy's scalars are faster than its 0-d arrays
    s, t = b + a, b - a
    c = a + b
    d = a * b + b * b * b
    c = c + (c + 1)
    c = c + (1 + c + (-a))
    d = d + (d * 2 + (s if s > 0 else s * 0))
    d = d + (3 * d + (t if t > 0 else t * 0))
    e = c - d
    f = e * e
    ge = (1 - 20 / (f * f)) * e
    gt = -ge if t > 0 else 0
    gd = -4 * ge
    gs = gd if s > 0 else 0
    gd, gc = 3 * gd, 4 * ge
    return f / 2.0 + 10.0 / f, [gc - ge + gd * b + gs - gt, gc + gd * (a + 3 * b * b) + gs + gt]


def chain(blocks: int, params: list[Any]) -> Gradients:
    (x,) = params
    tanhs, y = np.empty((blocks, x.size), x.dtype), x * 1
    slope = 0.9 * x
    for t in tanhs:
        y *= 0.9
        y += 0.1
        np.tanh(y, t)
        np.multiply(t, x, y)
    slopes = (1 - tanhs * tanhs) * slope
    g, gx, term = np.ones_like(x), np.zeros_like(x), np.empty_like(x)
    for i in range(blocks - 1, -1, -1):
        np.multiply(g, tanhs[i], term)
        gx += term
        g *= slopes[i]
    return y.sum(), [gx + g]


# ------------------------------------------------------------------------------------------------ fully connected nets


def layers(params: list[Any], x: Any) -> tuple[Any, list[Any]]:
    """The output of a net, and the inputs of its layers."""
    inputs = []
    for i in range(0, len(params), 2):
        inputs.append(x)
        x = x @ params[i]
        x += params[i + 1]
        if i + 2 < len(params):
            np.maximum(x, 0, out=x)
    return x, inputs


def layers_backward(g: Any, inputs: list[Any], params: list[Any]) -> list[Any]:
    grads = []
    for i in range(len(params) - 2, -1, -2):
        a = inputs[i // 2]
        # Of one example the gradient is an outer product, which NumPy's `@` is slow at.
        grads += [g[0], a.T * g] if len(g) == 1 else [np.add.reduce(g), a.T @ g]
        if i:
            g = params[i] @ g[0] if len(g) == 1 else g @ params[i].T
            g = g.reshape(a.shape)
            g *= a > 0
    return grads[::-1]


def mlp(params: list[Any], x: Any) -> Gradients:
    y, inputs = layers(params, x)
    return y.sum(), layers_backward(np.ones_like(y), inputs, params)


def cross_entropy(logits: Any, labels: Any) -> tuple[Any, Any]:
    """The mean of the losses, and its gradient, in the memory of `logits`."""
    rows = np.arange(len(labels))
    logits -= np.maximum.reduce(logits, axis=1, keepdims=True)
    chosen = logits[rows, labels]
    e = np.exp(logits, out=logits)
    total = np.add.reduce(e, axis=1, keepdims=True)
    loss = (np.log(total[:, 0]) - chosen).mean()
    total *= len(labels)
    e /= total
    e[rows, labels] -= e.dtype.type(1 / len(labels))
    return loss, e


def classify(params: list[Any], x: Any, labels: Any) -> Gradients:
    y, inputs = layers(params, x)
    loss, g = cross_entropy(y, labels)
    return loss, layers_backward(g, inputs, params)


# --------------------------------------------------------------------------------------------------------- large arrays


def elementwise(params: list[Any]) -> Gradients:
    grads = [np.empty_like(p) for p in params]
    total, size = 0.0, 16384  # numbers that stay in the cache of the processor
    for start in range(0, params[0].size, size):
        x, y = (p[start : start + size] for p in params)
        gx, gy = (g[start : start + size] for g in grads)
        a = x * y
        a += 0.5
        b = np.tanh(a)
        c = np.exp(-b)
        root = np.sqrt(c + 1)
        d = root * b
        e = np.log(d)
        e -= np.sin(d)
        below = e * e
        below += 1
        f = np.cos(a)
        f /= below
        h = f + c
        on = h > 0
        h *= on
        total += float((h * d).sum(dtype=np.float64) - (y * y).sum(dtype=np.float64))
        gh = d * on
        gf = gh / below
        ge = f * e
        ge *= gf
        ge *= -2
        gd = 1 / d
        gd -= np.cos(d)
        gd *= ge
        gd += h
        gc = gd * b
        gc /= root
        gc *= 0.5
        gc += gh
        gc *= c
        gb = gd * root
        gb -= gc
        b *= b
        np.subtract(1, b, out=b)
        gb *= b
        gb -= np.sin(a) * gf
        np.multiply(gb, y, out=gx)
        np.multiply(gb, x, out=gy)
        y = y * 2
        gy -= y
    return total, grads


def layer_norm(x: Any, gain: Any, bias: Any) -> tuple[Any, Any, Any]:
    """The result, the normalized rows, and the reciprocal of their deviations."""
    n = x.shape[-1]
    away = x - np.add.reduce(x, axis=-1, keepdims=True) / n
    scale = 1 / np.sqrt(np.einsum("...i,...i->...", away, away)[..., None] / n + x.dtype.type(1e-5))
    away *= scale
    y = away * gain
    y += bias
    return y, away, scale


def layer_norm_backward(g: Any, away: Any, scale: Any, gain: Any) -> tuple[Any, Any, Any]:
    """The gradients of the input, the gain and the bias."""
    n = g.shape[-1]
    rows = g.reshape(-1, n)
    ones = np.ones(len(rows), g.dtype)
    gain_grad, bias_grad = ones @ (rows * away.reshape(-1, n)), ones @ rows
    g = g * gain
    mean = np.add.reduce(g, axis=-1, keepdims=True) / n
    along = np.einsum("...i,...i->...", g, away)[..., None] / n
    g -= mean
    g -= away * along
    g *= scale
    return g, gain_grad, bias_grad


def add_rows(shape: tuple[int, ...], at: Any, rows: Any) -> Any:
    """Zeros with rows added at places that may repeat."""
    out, width = np.zeros(shape, rows.dtype), shape[1]
    places = at[:, None] * width + np.arange(width)  # numpy.add.at is quick on one axis only
    np.add.at(out.reshape(-1), places.reshape(-1), rows.reshape(-1))
    return out


def embedding(params: list[Any], tokens: Any, target: Any) -> Gradients:
    table, gain, bias = params
    y, away, scale = layer_norm(table[tokens], gain, bias)
    y -= target
    loss = np.dot(y.reshape(-1), y.reshape(-1)) / y.size
    y *= 2 / y.size
    g, gain_grad, bias_grad = layer_norm_backward(y, away, scale, gain)
    return loss, [add_rows(table.shape, tokens.reshape(-1), g.reshape(-1, g.shape[-1])), gain_grad, bias_grad]


# ----------------------------------------------------------------------------------------------------------- large nets


def attention(q: Any, k: Any, v: Any, mask: Any) -> tuple[Any, Any]:
    p = q @ k.swapaxes(-1, -2)
    p *= 1 / math.sqrt(q.shape[-1])
    p += mask
    p -= np.maximum.reduce(p, axis=-1, keepdims=True)
    np.exp(p, out=p)
    p /= np.add.reduce(p, axis=-1, keepdims=True)
    return p @ v, p


def attention_backward(g: Any, p: Any, q: Any, k: Any, v: Any) -> tuple[Any, Any, Any]:
    gv = p.swapaxes(-1, -2) @ g
    gp = g @ v.swapaxes(-1, -2)
    gp -= np.einsum("...i,...i->...", gp, p)[..., None]
    gp *= p
    gp *= 1 / math.sqrt(q.shape[-1])
    return gp @ k, gp.swapaxes(-1, -2) @ q, gv


_C = math.sqrt(2 / math.pi)


def gelu(x: Any) -> tuple[Any, Any]:
    """The approximation by the tanh, and that tanh."""
    t = x * x
    t *= 0.044715 * _C
    t += _C
    t *= x
    np.tanh(t, out=t)
    y = t + 1
    y *= x
    y *= 0.5
    return y, t


def gelu_backward(g: Any, x: Any, t: Any) -> Any:
    slope = x * x
    slope *= 3 * 0.044715 * _C
    slope += _C
    slope *= x
    slope *= 1 - t * t
    slope += t
    slope += 1
    slope *= 0.5
    slope *= g
    return slope


def flat(x: Any) -> Any:
    """The rows of the last axis."""
    return x.reshape(-1, x.shape[-1])


def transformer(params: list[Any], tokens: Any, labels: Any, mask: Any) -> Gradients:
    token_table, place_table, *rest = params
    *blocks, gain, bias, head = rest
    texts, length = tokens.shape
    width = token_table.shape[1]
    heads = 4
    x = token_table[tokens]
    x += place_table
    saved = []
    for i in range(0, len(blocks), 11):
        gain1, bias1, w_in, w_out, b_out, gain2, bias2, w1, b1, w2, b2 = blocks[i : i + 11]
        n1, away1, scale1 = layer_norm(x, gain1, bias1)
        mixed = flat(n1) @ w_in
        q, k, v = mixed.reshape(texts, length, 3, heads, -1).transpose(2, 0, 3, 1, 4)
        y, p = attention(q, k, v, mask)
        y = y.transpose(0, 2, 1, 3).reshape(-1, width)
        out = y @ w_out
        out += b_out
        x = x + out.reshape(x.shape)
        n2, away2, scale2 = layer_norm(x, gain2, bias2)
        inner = flat(n2) @ w1
        inner += b1
        act, tanh = gelu(inner)
        out = act @ w2
        out += b2
        x = x + out.reshape(x.shape)
        saved.append((n1, away1, scale1, q, k, v, p, y, n2, away2, scale2, inner, act, tanh))
    last, away, scale = layer_norm(x, gain, bias)
    loss, g = cross_entropy(flat(last) @ head, labels)
    head_grad = flat(last).T @ g
    g, gain_grad, bias_grad = layer_norm_backward((g @ head.T).reshape(x.shape), away, scale, gain)
    grads: list[Any] = []
    for i in range(len(blocks) - 11, -1, -11):
        gain1, bias1, w_in, w_out, b_out, gain2, bias2, w1, b1, w2, b2 = blocks[i : i + 11]
        n1, away1, scale1, q, k, v, p, y, n2, away2, scale2, inner, act, tanh = saved.pop()
        ones = np.ones(texts * length, g.dtype)
        go = flat(g)
        gi = gelu_backward(go @ w2.T, inner, tanh)
        tail = [flat(n2).T @ gi, ones @ gi, act.T @ go, ones @ go]
        gn, gain2_grad, bias2_grad = layer_norm_backward((gi @ w1.T).reshape(g.shape), away2, scale2, gain2)
        gn += g
        g = gn
        go = flat(g)
        w_out_grad, b_out_grad = y.T @ go, ones @ go
        gy = (go @ w_out.T).reshape(texts, length, heads, -1).transpose(0, 2, 1, 3)
        gm = np.empty((texts, length, 3, heads, width // heads), g.dtype)
        for part, gp in zip(gm.transpose(2, 0, 3, 1, 4), attention_backward(gy, p, q, k, v)):
            part[...] = gp
        gm = gm.reshape(texts * length, -1)
        gn, gain1_grad, bias1_grad = layer_norm_backward((gm @ w_in.T).reshape(g.shape), away1, scale1, gain1)
        gn += g
        g = gn
        head_part = [gain1_grad, bias1_grad, flat(n1).T @ gm, w_out_grad, b_out_grad, gain2_grad, bias2_grad]
        grads = [*head_part, *tail, *grads]
    place_grad = np.add.reduce(g, axis=0)
    token_grad = add_rows(token_table.shape, tokens.reshape(-1), flat(g))
    return loss, [token_grad, place_grad, *grads, gain_grad, bias_grad, head_grad]


def windows(x: Any) -> Any:
    """The 3 x 3 surroundings of every pixel as rows of 9 * channels numbers, zeros around the images."""
    n, height, width, channels = x.shape
    padded = np.zeros((n, height + 2, width + 2, channels), x.dtype)
    padded[:, 1:-1, 1:-1] = x
    views = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))  # (n, H, W, channels, 3, 3)
    return views.transpose(0, 1, 2, 4, 5, 3).reshape(n * height * width, 9 * channels)


def windows_backward(g: Any, shape: tuple[int, ...]) -> Any:
    n, height, width, channels = shape
    g = g.reshape(n, height, width, 3, 3, channels)
    padded = np.zeros((n, height + 2, width + 2, channels), g.dtype)
    for i in range(3):
        for j in range(3):
            padded[:, i : i + height, j : j + width] += g[:, :, :, i, j]
    return padded[:, 1:-1, 1:-1]


def conv(x: Any, w: Any, b: Any) -> tuple[Any, Any, Any]:
    """The convolution and `relu`, the rows of the windows, and the filters as a matrix."""
    rows, filters = windows(x), w.transpose(2, 3, 1, 0).reshape(-1, len(w))
    y = rows @ filters
    y += b
    np.maximum(y, 0, out=y)
    return y.reshape(*x.shape[:3], -1), rows, filters


def filter_grads(g: Any, rows: Any, w: Any) -> list[Any]:
    return [(rows.T @ g).reshape(3, 3, w.shape[1], -1).transpose(3, 2, 0, 1), np.ones(len(g), g.dtype) @ g]


def pool(x: Any) -> Any:
    rows = np.maximum(x[:, ::2], x[:, 1::2])
    return np.maximum(rows[:, :, ::2], rows[:, :, 1::2])


def pool_backward(g: Any, y: Any, x: Any) -> Any:
    """The gradient of `pool` after `relu`; where two are largest both have it, unless they are 0."""
    out = np.empty_like(x)
    g = g * (y > 0)
    for i in range(2):
        for j in range(2):
            np.multiply(x[:, i::2, j::2] == y, g, out=out[:, i::2, j::2])
    return out


def conv_net(params: list[Any], x: Any, labels: Any) -> Gradients:
    w1, b1, w2, b2, w3, b3 = params
    y1, rows1, _ = conv(x, w1, b1)
    p1 = pool(y1)
    y2, rows2, filters2 = conv(p1, w2, b2)
    p2 = pool(y2)
    features = p2.transpose(0, 3, 1, 2).reshape(len(x), -1)
    logits = features @ w3
    logits += b3
    loss, g = cross_entropy(logits, labels)
    head = [features.T @ g, np.add.reduce(g)]
    g = (g @ w3.T).reshape(len(x), -1, 2, 2).transpose(0, 2, 3, 1)
    g2 = flat(pool_backward(g, p2, y2))
    g = windows_backward(g2 @ filters2.T, p1.shape)
    g1 = flat(pool_backward(g, p1, y1))
    return loss, [*filter_grads(g1, rows1, w1), *filter_grads(g2, rows2, w2), *head]


# ---------------------------------------------------------------------------------------------------------- simulations


def kalman(params: list[Any], observed: Any, start: Any, eye: Any) -> Gradients:
    f, h, log_q, log_r = params
    n, dtype = len(observed), f.dtype
    q, r = np.exp(log_q), np.exp(log_r)
    noise, error = np.diag(q), np.diag(r)
    mean, cov, ft, ht = start, eye, f.T.copy(), h.T.copy()
    means, predicted = np.empty((2, n, 4), dtype)  # before and after the prediction
    covs, spread_covs, seens, inverses, gains = np.empty((5, n, 4, 4), dtype)
    solutions = np.empty((n, 4), dtype)
    total, inv, dot = 0.0, np.linalg.inv, np.dot
    spreads = np.empty((n, 4, 4), dtype)
    for i in range(n):
        means[i], covs[i] = mean, cov
        mean = dot(f, mean, predicted[i])
        cov = spread_covs[i]
        dot(dot(f, covs[i]), ft, cov)
        cov += noise
        seen = dot(h, cov, seens[i])
        spread = dot(seen, ht, spreads[i])
        spread += error
        away = observed[i] - dot(h, mean)
        inverse = inverses[i] = inv(spread)
        solved = dot(inverse, away, solutions[i])
        total += dot(away, solved)
        gain = dot(inverse, seen, gains[i])
        across = dot(cov, ht)  # not the transpose of `seen`: with that, rounding errors grow
        mean = mean + dot(across, solved)
        cov = cov - dot(across, gain)
    total = 0.5 * (total + np.linalg.slogdet(spreads)[1].sum())
    # Backward, newest step first. What does not depend on later steps is computed for all steps at once.
    mean_grad, cov_grad = np.zeros(4, dtype), np.zeros((4, 4), dtype)
    fixed = 0.5 * (inverses - solutions[:, :, None] * solutions[:, None, :])
    means_grad, away_grad = np.empty((2, n, 4), dtype)
    covs_grad, spreads_grad, seens_grad = np.empty((3, n, 4, 4), dtype)
    for i in range(n - 1, -1, -1):
        solved, gain = solutions[i], gains[i]
        w = dot(gain, mean_grad)
        carried = dot(gain, cov_grad)
        cross = w[:, None] * solved
        s = spreads_grad[i]
        dot(carried, gain.T, s)
        s += fixed[i]
        s -= 0.5 * (cross + cross.T)
        away = np.add(solved, w, away_grad[i])
        a = np.subtract(solved[:, None] * mean_grad, 2 * carried, seens_grad[i])
        half = dot(ht, 0.5 * a + dot(s, h) * 0.5)
        predicted_grad = np.subtract(mean_grad, dot(away, h), means_grad[i])
        g = np.add(half, half.T, covs_grad[i])
        g += cov_grad
        mean_grad = dot(predicted_grad, f)
        cov_grad = dot(dot(ft, g), f)
    f_grad = np.add.reduce(2 * (covs_grad @ f @ covs)) + means_grad.T @ means
    h_grad = np.add.reduce(2 * (spreads_grad @ seens) + seens_grad @ spread_covs) - away_grad.T @ predicted
    q_grad = np.add.reduce(np.diagonal(covs_grad, axis1=1, axis2=2)) * q
    r_grad = np.add.reduce(np.diagonal(spreads_grad, axis1=1, axis2=2)) * r
    return total, [f_grad, h_grad, q_grad, r_grad]


SOFT, DT = 0.05, 0.01


def n_body(params: list[Any]) -> Gradients:
    x, v, mass = params  # (n, 3), (n, 3), (n,)
    n, steps = len(x), 200
    places, nears, cubes = np.empty((steps, n, 3), x.dtype), np.empty((steps, n, n), x.dtype), np.empty((steps, n, n), x.dtype)
    apart, pull = np.empty((3, n, n), x.dtype), np.empty((n, n), x.dtype)
    step_mass = mass * DT
    for place, near, cubed in zip(places, nears, cubes):
        place[...] = x
        columns = x.T
        np.subtract(columns[:, None, :], columns[:, :, None], apart)
        apart *= apart
        np.add.reduce(apart, 0, None, near)
        near += SOFT
        np.sqrt(near, cubed)
        cubed *= near
        np.divide(step_mass, cubed, pull)
        # The sum of pull[i, j] * (x[j] - x[i]) over j.
        v = v + pull @ x
        v -= np.add.reduce(pull, 1)[:, None] * x
        x = x + DT * v
    total = np.dot(x.reshape(-1), x.reshape(-1))
    np.reciprocal(cubes, cubes)
    pulls = cubes * mass
    slopes = -3 * pulls
    slopes /= nears
    weights = np.add.reduce(pulls, 2)[:, :, None]
    gx, gv, gm = 2 * x, np.zeros_like(x), np.zeros_like(mass)
    for i in range(steps - 1, -1, -1):
        x = places[i]
        gv += DT * gx
        g = DT * gv
        along = g @ x.T
        along -= np.add.reduce(g * x, 1)[:, None]  # g[i] times (x[j] - x[i])
        gm += np.einsum("ij,ij->j", along, cubes[i])
        along *= slopes[i]
        along += along.T
        gx += np.add.reduce(along, 1)[:, None] * x
        gx -= along @ x
        gx += pulls[i].T @ g
        gx -= weights[i] * g
    return total, [gx, gv, gm]
