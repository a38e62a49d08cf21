"""Uniform random numbers of NumPy's Philox generator, made on the device.

Each block of four words depends on its number alone (J. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011), so
that threads make them side by side, and the numbers are those that NumPy would draw.
"""

from __future__ import annotations

import math
from typing import Any

import cupy
import numpy

__all__ = ["uniform"]

TEXT = r"""
typedef unsigned long long word;
static __device__ __forceinline__ void next_round(word* c, const word k0, const word k1) {
  const word high0 = __umul64hi(0xD2E7470EE14C6C93ull, c[0]), low0 = 0xD2E7470EE14C6C93ull * c[0];
  const word high1 = __umul64hi(0xCA5A826395121157ull, c[2]), low1 = 0xCA5A826395121157ull * c[2];
  c[0] = high1 ^ c[1] ^ k0; c[1] = low1; c[2] = high0 ^ c[3] ^ k1; c[3] = low0;
}
/* The word numbered `n` from now on: of `left` that were made before, or of the blocks that follow the counter. */
static __device__ __forceinline__ word word_at(word n, const word left, word* c, word k0, word k1, const word* made) {
  if (n < left) return made[4 - left + n];
  n -= left;
  const word first = c[0];
  c[0] += n / 4 + 1;
  if (c[0] < first) { c[1]++; if (!c[1]) { c[2]++; if (!c[2]) c[3]++; } }
  for (int r = 0; r < 10; r++) {
    next_round(c, k0, k1);
    k0 += 0x9E3779B97F4A7C15ull; k1 += 0xBB67AE8584CAA73Bull;
  }
  return c[n % 4];
}
extern "C" __global__ void doubles(double* out, @STATE@) {
  const word i = blockIdx.x * (word)blockDim.x + threadIdx.x;
  if (i >= count) return;
  word c[4] = {c0, c1, c2, c3};
  const word made[4] = {m0, m1, m2, m3};
  out[i] = (word_at(i, left, c, k0, k1, made) >> 11) * (1.0 / 9007199254740992.0);
}
/* Two of each word, the low half first; `half` says whether the first is `rest`, what was left of the word before. */
extern "C" __global__ void floats(float* out, word half, word rest, @STATE@) {
  const word i = blockIdx.x * (word)blockDim.x + threadIdx.x;
  if (i >= count) return;
  unsigned int bits = (unsigned int)rest;
  if (i >= half) {
    word c[4] = {c0, c1, c2, c3};
    const word made[4] = {m0, m1, m2, m3};
    const word w = word_at((i - half) / 2, left, c, k0, k1, made);
    bits = (unsigned int)((i - half) % 2 ? w >> 32 : w);
  }
  out[i] = (bits >> 8) * (1.0f / 16777216.0f);
}
"""
STATE = "word count, word left, " + ", ".join(f"word {n}" for n in "c0 c1 c2 c3 k0 k1 m0 m1 m2 m3".split())
THREADS = 256
_kernels: dict[str, Any] = {}


def uniform(host: Any, shape: tuple[int, ...], dtype: str, device: Any) -> Any:
    """``host.random(shape, dtype)`` on a device, for a `numpy.random.Generator` of Philox, whose state is moved on.

    Parameters
    ----------
    host : numpy.random.Generator
    shape : tuple of int
    dtype : {"float32", "float64"}
    device : cupy.cuda.Device or None
    """
    bits, count = host.bit_generator, math.prod(shape)
    with cupy.cuda.Device(device), bits.lock:
        out = cupy.empty(shape, dtype=dtype)
        if not count:
            return out
        state = bits.state
        left, half = 4 - int(state["buffer_pos"]), int(state["has_uint32"]) if dtype == "float32" else 0
        words = count if dtype == "float64" else (count - half + 1) // 2
        numbers = [count, left, *state["state"]["counter"], *state["state"]["key"], *state["buffer"]]
        if dtype == "float32":
            numbers = [half, int(state["uinteger"]), *numbers]
        kernel = _kernel("doubles" if dtype == "float64" else "floats")
        kernel((-(-count // THREADS),), (THREADS,), (out, *[numpy.uint64(n) for n in numbers]))
        _move_on(bits, state, words, left, None if dtype == "float64" else count - half)
    return out


def _kernel(name: str) -> Any:
    if not _kernels:
        module = cupy.RawModule(code=TEXT.replace("@STATE@", STATE))
        _kernels.update({name: module.get_function(name) for name in ("doubles", "floats")})
    return _kernels[name]


def _move_on(bits: Any, state: Any, words: int, left: int, halves: int | None) -> None:
    """Have NumPy's generator make the last of the words, after which its state is as if it had made them all."""
    last = words
    if words > left:
        blocks = -(-(words - left) // 4)
        last = words - left - 4 * (blocks - 1)
        counter = sum(int(n) << 64 * k for k, n in enumerate(state["state"]["counter"])) + blocks - 1
        parts = [counter >> 64 * k & 2**64 - 1 for k in range(4)]
        state["state"]["counter"] = numpy.array(parts, dtype=numpy.uint64)
        state["buffer_pos"] = 4
    if halves is not None:
        state["has_uint32"] = 0
    bits.state = state
    made = [int(n) for n in bits.random_raw(last)] if last else []
    if halves is not None and halves % 2:
        state = bits.state
        state["has_uint32"], state["uinteger"] = 1, made[-1] >> 32
        bits.state = state
