"""What stands at the top of the CUDA source of a plan: types, and functions with NumPy's meaning."""

from __future__ import annotations

from ..compiled.mathematics import FUNCTIONS, LIMITS, MATHEMATICS

__all__ = ["OPTIONS", "functions", "prelude"]

OPTIONS = ("--std=c++17", "--fmad=false", "--disable-warnings")
"""Without contraction: a product and a sum are rounded as they are by CuPy, whose kernels do one of them each."""

PRELUDE = r"""
#ifdef __CUDACC_RTC__
typedef signed char int8_t; typedef short int16_t; typedef int int32_t; typedef long long int64_t;
typedef unsigned char uint8_t; typedef unsigned short uint16_t; typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
#undef INFINITY
#undef NAN
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fc00000)
#define INT8_MIN (-128)
#define INT8_MAX 127
#define INT16_MIN (-32768)
#define INT16_MAX 32767
#define INT32_MIN (-2147483647 - 1)
#define INT32_MAX 2147483647
#define INT64_MIN (-9223372036854775807LL - 1)
#define INT64_MAX 9223372036854775807LL
#define UINT8_MAX 255
#define UINT16_MAX 65535
#define UINT32_MAX 4294967295u
#define UINT64_MAX 18446744073709551615ull
#define FLT_MAX 3.402823466e+38f
#define DBL_MAX 1.7976931348623158e+308
#else
#include <float.h>
#include <math.h>
#include <stdint.h>
#endif
#define INLINE static __device__ __forceinline__
#define _Bool bool
#define __builtin_signbit signbit

@MATHEMATICS@

@LIMITS@

@FUNCTIONS@
"""

KERNELS = r"""
typedef @INDEX@ I;
/* An index that is out of bounds wraps around, as CuPy's do. */
INLINE int64_t wrapped(int64_t k, int64_t n) { k %= n; return k < 0 ? k + n : k; }

INLINE void add_to(float* p, float x) { atomicAdd(p, x); }
INLINE void add_to(double* p, double x) { atomicAdd(p, x); }
INLINE void add_to(int32_t* p, int32_t x) { atomicAdd(p, x); }
INLINE void add_to(uint32_t* p, uint32_t x) { atomicAdd(p, x); }
INLINE void add_to(int64_t* p, int64_t x) { atomicAdd((unsigned long long*)p, (unsigned long long)x); }
INLINE void add_to(uint64_t* p, uint64_t x) { atomicAdd((unsigned long long*)p, (unsigned long long)x); }

struct Sum { template <class V> __device__ V operator()(V a, V b) const { return a + b; } };
struct Product { template <class V> __device__ V operator()(V a, V b) const { return a * b; } };
struct Largest { template <class V> __device__ V operator()(V a, V b) const { return MAXIMUM(a, b); } };
struct Smallest { template <class V> __device__ V operator()(V a, V b) const { return MINIMUM(a, b); } };
struct Any { template <class V> __device__ V operator()(V a, V b) const { return a | b; } };
struct All { template <class V> __device__ V operator()(V a, V b) const { return a & b; } };

/* Of T adjacent threads: f of the values of all of them, in each of them. T is 32 or a multiple of it. */
template <int T, class F, class V> __device__ __forceinline__ V along(V v, V* memory) {
  F f;
  for (int d = 16; d; d /= 2) v = f(v, __shfl_xor_sync(0xffffffffu, v, d));
  if (T > 32) {
    __syncthreads();
    if (threadIdx.x % 32 == 0) memory[threadIdx.x / 32] = v;
    __syncthreads();
    const int first = (threadIdx.x / T) * (T / 32);
    v = memory[first];
    for (int k = 1; k < T / 32; k++) v = f(v, memory[first + k]);
  }
  return v;
}

/* Of threads X apart: f of the values of all of them, in the first of them. */
template <int X, class F, class V> __device__ __forceinline__ V down(V v, V* memory) {
  F f;
  __syncthreads();
  memory[threadIdx.x] = v;
  __syncthreads();
  for (int d = blockDim.x / 2; d >= X; d /= 2) {
    if (threadIdx.x < d) memory[threadIdx.x] = f(memory[threadIdx.x], memory[threadIdx.x + d]);
    __syncthreads();
  }
  return memory[threadIdx.x];
}
"""


def functions() -> str:
    """Types, and the functions that `expression` writes."""
    names = "\n".join(f"#define {name}_float {name}f\n#define {name}_double {name}" for name in MATHEMATICS)
    return PRELUDE.replace("@MATHEMATICS@", names).replace("@LIMITS@", LIMITS).replace("@FUNCTIONS@", FUNCTIONS)


def prelude(index: str) -> str:
    """The top of the source of a plan; `index` is the type of indices."""
    return functions() + KERNELS.replace("@INDEX@", index)
