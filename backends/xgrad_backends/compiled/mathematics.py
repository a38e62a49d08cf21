"""What stands at the top of each C file: types, functions with NumPy's meaning, and vector versions of the mathematical ones."""

from __future__ import annotations

__all__ = ["FUNCTIONS", "LIMITS", "MATHEMATICS", "prelude"]

MATHEMATICS = """acos acosh asin asinh atan atanh cos cosh erf erfc exp expm1 log log10 log1p log2 sin sinh tan tanh
atan2 hypot pow fmod nextafter sqrt fabs floor ceil trunc rint copysign""".split()
VECTOR = "acosh asinh atan atanh cos cosh erf erfc exp expm1 log log10 log1p log2 sin sinh tan tanh acos asin".split()
"""Functions of one number of which glibc's libmvec has vector versions, within 4 units in the last place."""

LIMITS = r"""/* NumPy's: a NaN wins. */
#define MAXIMUM(a, b) ((((a) > (b)) | ((a) != (a))) ? (a) : (b))
#define MINIMUM(a, b) ((((a) < (b)) | ((a) != (a))) ? (a) : (b))
#define LOW_float (-INFINITY)
#define HIGH_float INFINITY
#define LOW_double (-INFINITY)
#define HIGH_double INFINITY
#define LOW_int8_t INT8_MIN
#define HIGH_int8_t INT8_MAX
#define LOW_int16_t INT16_MIN
#define HIGH_int16_t INT16_MAX
#define LOW_int32_t INT32_MIN
#define HIGH_int32_t INT32_MAX
#define LOW_int64_t INT64_MIN
#define HIGH_int64_t INT64_MAX
#define LOW_uint8_t 0
#define HIGH_uint8_t UINT8_MAX
#define LOW_uint16_t 0
#define HIGH_uint16_t UINT16_MAX
#define LOW_uint32_t 0
#define HIGH_uint32_t UINT32_MAX
#define LOW_uint64_t 0
#define HIGH_uint64_t UINT64_MAX
"""
"""Extremes with NumPy's meaning, and what they start from."""

FUNCTIONS = r"""#define FLOATS(T, MOST) \
INLINE T sign_##T(T x) { return x > 0 ? 1 : (x < 0 ? -1 : (x == 0 ? 0 : x)); } \
INLINE T remainder_##T(T a, T b) { \
  T m = fmod_##T(a, b); \
  if (b == 0) return m; \
  if (m != 0) { if ((b < 0) != (m < 0)) m += b; } else m = copysign_##T((T)0, b); \
  return m; } \
INLINE T floor_divide_##T(T a, T b) { \
  if (b == 0) return a / b; \
  T m = fmod_##T(a, b), q = (a - m) / b; \
  if (m != 0 && (b < 0) != (m < 0)) q -= 1; \
  if (q == 0) return copysign_##T((T)0, a / b); \
  T f = floor_##T(q); \
  return q - f > (T)0.5 ? f + 1 : f; } \
INLINE T logaddexp_##T(T a, T b) { \
  T d = a - b; \
  T far = MAXIMUM(a, b) + log1p_##T(exp_##T(-fabs_##T(d))); \
  return a == b ? a + (T)0.693147180559945309417232121458176568 : (d != d ? d : far); } \
INLINE T tanh_pull_##T(T v, T x, T t) {  /* v * (1 - tanh(x)**2), t = tanh(x) */ \
  T e = exp_##T(-fabs_##T(x)) * (1 + fabs_##T(t)); \
  return v * (e * e); } \
INLINE int isfinite_##T(T x) { return fabs_##T(x) <= MOST; } \
INLINE int isinf_##T(T x) { return fabs_##T(x) > MOST; }
FLOATS(float, FLT_MAX)
FLOATS(double, DBL_MAX)

#define INTEGERS(T, BITS, SIGNED) \
INLINE T power_##T(T x, T n) { T y = 1; for (; n > 0; n >>= 1) { if (n & 1) y = (T)(y * x); x = (T)(x * x); } return y; } \
INLINE T floor_divide_##T(T a, T b) { \
  if (b == 0) return 0; \
  if (SIGNED && b == (T)-1) return (T)(0 - a); \
  T q = (T)(a / b); \
  return (T)(SIGNED && a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q); } \
INLINE T remainder_##T(T a, T b) { \
  if (b == 0 || (SIGNED && b == (T)-1)) return 0; \
  T m = (T)(a % b); \
  return (T)(SIGNED && m != 0 && (m < 0) != (b < 0) ? m + b : m); } \
INLINE T left_##T(T a, T b) { return (uint64_t)b < BITS ? (T)((uint64_t)a << b) : 0; } \
INLINE T right_##T(T a, T b) { return (uint64_t)b < BITS ? (T)(a >> b) : (T)(a < 0 ? -1 : 0); } \
INLINE T sign_##T(T x) { return (T)((x > 0) - (x < 0)); }
INTEGERS(int8_t, 8, 1)
INTEGERS(int16_t, 16, 1)
INTEGERS(int32_t, 32, 1)
INTEGERS(int64_t, 64, 1)
INTEGERS(uint8_t, 8, 0)
INTEGERS(uint16_t, 16, 0)
INTEGERS(uint32_t, 32, 0)
INTEGERS(uint64_t, 64, 0)
"""
"""Functions with NumPy's meaning, which are written with the mathematical ones."""

PRELUDE = r"""
#include <math.h>
#include <float.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
typedef ptrdiff_t I;
#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif
#define GROUP static __attribute__((noinline)) void
#define CHECK static __attribute__((noinline)) int
#define INLINE static inline __attribute__((always_inline))

@VECTOR@

@LIMITS@
/* Sums of many float64: what each addition loses is kept. An infinite or undefined sum has lost nothing. */
#define ADD(s, lost, x) do { double x_ = (x), t_ = s + x_, b_ = t_ - s; lost += (s - (t_ - b_)) + (x_ - b_); s = t_; } while (0)
#define ADDED(s, lost) (s - s == 0 ? s + lost : s)

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define MA(a, b, c) __builtin_fmaf(a, b, c)
#else
#define MA(a, b, c) ((a) * (b) + (c))
#endif
INLINE float of_bits(uint32_t i) { union { uint32_t i; float f; } u; u.i = i; return u.f; }
INLINE uint32_t bits_of(float f) { union { uint32_t i; float f; } u; u.f = f; return u.i; }
INLINE float own_expf(float x) {  /* as in Cephes: 1 unit in the last place; two factors, for subnormal results */
  float c = x < -104.f ? 0.f : (x > 89.f ? 89.f : x);  /* what is 0 is not computed: underflow takes long */
  float n = rintf(c * 1.44269504088896341f);
  float r = MA(n, -0.693359375f, c);
  r = MA(n, 2.12194440e-4f, r);
  float p = 1.9875691500e-4f;
  p = MA(p, r, 1.3981999507e-3f); p = MA(p, r, 8.3334519073e-3f); p = MA(p, r, 4.1665795894e-2f);
  p = MA(p, r, 1.6666665459e-1f); p = MA(p, r, 5.0000001201e-1f);
  p = MA(p * r, r, r) + 1.f;
  int32_t k = (int32_t)n, h = k >> 1;
  float y = p * of_bits((uint32_t)(h + 127) << 23) * of_bits((uint32_t)(k - h + 127) << 23);
  return x < -104.f ? 0.f : y;
}
INLINE float own_tanhf(float x) {  /* a rational function, as in Eigen: 5 units in the last place */
  float a = fabsf(x), m = 7.90531110763549805f;
  float c = x > m ? m : (x < -m ? -m : x), s = c * c;
  float p = -2.76076847742355e-16f;
  p = MA(p, s, 2.00018790482477e-13f); p = MA(p, s, -8.60467152213735e-11f); p = MA(p, s, 5.12229709037114e-08f);
  p = MA(p, s, 1.48572235717979e-05f); p = MA(p, s, 6.37261928875436e-04f); p = MA(p, s, 4.89352455891786e-03f);
  p = p * c;
  float q = 1.19825839466702e-06f;
  q = MA(q, s, 1.18534705686654e-04f); q = MA(q, s, 2.26843463243900e-03f); q = MA(q, s, 4.89352518554385e-03f);
  return a < 0.0004f ? x : p / q;
}
INLINE float own_logf(float x) {  /* as in Cephes */
  float up = x < FLT_MIN ? 8388608.f : 1.f, y = x * up, off = x < FLT_MIN ? -23.f : 0.f;
  uint32_t i = bits_of(y);
  int32_t e = (int32_t)((i >> 23) & 255) - 126;
  float m = of_bits((i & 0x007fffff) | 0x3f000000);
  float less = m < 0.707106781186547524f ? 1.f : 0.f, ef = (float)e - less + off;
  m = m + less * m - 1.f;
  float z = m * m, p = 7.0376836292e-2f;
  p = MA(p, m, -1.1514610310e-1f); p = MA(p, m, 1.1676998740e-1f); p = MA(p, m, -1.2420140846e-1f);
  p = MA(p, m, 1.4249322787e-1f); p = MA(p, m, -1.6668057665e-1f); p = MA(p, m, 2.0000714765e-1f);
  p = MA(p, m, -2.4999993993e-1f); p = MA(p, m, 3.3333331174e-1f);
  p = p * m * z; p = MA(ef, -2.12194440e-4f, p); p = MA(-0.5f, z, p);
  float r = MA(ef, 0.693359375f, m + p);
  r = x == INFINITY ? x : r; r = x == 0.f ? -INFINITY : r;
  return x < 0.f ? NAN : (x != x ? x : r);
}
#if @INLINED@ || !@HAS_VECTOR@  /* faster than calls, and longer to compile */
#undef exp_float
#define exp_float own_expf
#undef tanh_float
#define tanh_float own_tanhf
#endif
#if !@HAS_VECTOR@
#undef log_float
#define log_float own_logf
#endif

@FUNCTIONS@
@REDUCTIONS@

/* Products of matrices, in the order of rows, by the BLAS that NumPy uses. 111: as it is; 112: transposed. */
typedef @INT@ B;
typedef void (*gemm_of_float)(int, int, int, B, B, B, float, const float*, B, const float*, B, float, float*, B);
typedef void (*gemm_of_double)(int, int, int, B, B, B, double, const double*, B, const double*, B, double, double*, B);
#define gemm_float(ta, tb, m, n, k, a, lda, b, ldb, o, ldo) \
  ((gemm_of_float)BLAS[0])(101, ta, tb, m, n, k, 1, a, lda, b, ldb, 0, o, ldo)
#define gemm_double(ta, tb, m, n, k, a, lda, b, ldb, o, ldo) \
  ((gemm_of_double)BLAS[1])(101, ta, tb, m, n, k, 1, a, lda, b, ldb, 0, o, ldo)

#define VECTORS(T) \
/* o[n] = sum over k of v[k] * m[k, n], where the rows of m are contiguous: four of them at a time. */ \
INLINE void rows_##T(const T* v, I sv, const T* m, I sm, T* restrict o, I K, I N) { \
  for (I n = 0; n < N; n++) o[n] = 0; \
  I k = 0; \
  for (; k + 4 <= K; k += 4) { \
    T x0 = v[k * sv], x1 = v[(k + 1) * sv], x2 = v[(k + 2) * sv], x3 = v[(k + 3) * sv]; \
    const T *r0 = m + k * sm, *r1 = r0 + sm, *r2 = r1 + sm, *r3 = r2 + sm; \
    _Pragma("omp simd") \
    for (I n = 0; n < N; n++) o[n] = MA_##T(x3, r3[n], MA_##T(x2, r2[n], MA_##T(x1, r1[n], MA_##T(x0, r0[n], o[n])))); } \
  for (; k < K; k++) { \
    T x = v[k * sv]; const T* r = m + k * sm; \
    _Pragma("omp simd") \
    for (I n = 0; n < N; n++) o[n] = MA_##T(x, r[n], o[n]); } } \
/* The same where the columns of m are contiguous, if sk is 1: four of them at a time. */ \
INLINE void columns_##T(const T* v, I sv, const T* m, I sk, I sn, T* restrict o, I K, I N) { \
  I n = 0; \
  for (; n + 4 <= N; n += 4) { \
    const T *r0 = m + n * sn, *r1 = r0 + sn, *r2 = r1 + sn, *r3 = r2 + sn; \
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0; \
    for (I b = 0; b < K; b += 512) { \
      I e = b + 512 < K ? b + 512 : K; T c0 = 0, c1 = 0, c2 = 0, c3 = 0; \
      _Pragma("omp simd reduction(+: c0, c1, c2, c3)") \
      for (I k = b; k < e; k++) { \
        T x = v[k * sv]; \
        c0 = MA_##T(x, r0[k * sk], c0); c1 = MA_##T(x, r1[k * sk], c1); \
        c2 = MA_##T(x, r2[k * sk], c2); c3 = MA_##T(x, r3[k * sk], c3); } \
      s0 += c0; s1 += c1; s2 += c2; s3 += c3; } \
    o[n] = (T)s0; o[n + 1] = (T)s1; o[n + 2] = (T)s2; o[n + 3] = (T)s3; } \
  for (; n < N; n++) { \
    const T* r = m + n * sn; double s = 0; \
    for (I b = 0; b < K; b += 512) { \
      I e = b + 512 < K ? b + 512 : K; T c = 0; \
      _Pragma("omp simd reduction(+: c)") \
      for (I k = b; k < e; k++) c = MA_##T(v[k * sv], r[k * sk], c); \
      s += c; } \
    o[n] = (T)s; } }
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define MA_float(a, b, c) __builtin_fmaf(a, b, c)
#define MA_double(a, b, c) __builtin_fma(a, b, c)
#else
#define MA_float(a, b, c) ((a) * (b) + (c))
#define MA_double(a, b, c) ((a) * (b) + (c))
#endif
VECTORS(float)
VECTORS(double)
"""


def prelude(vector: bool, integers: str, inlined: bool) -> str:
    """The top of a C file.

    Parameters
    ----------
    vector : bool
        Whether there is libmvec.
    integers : str
        The type of the sizes that BLAS takes.
    inlined : bool
        Whether functions shall be faster, though they take longer to compile.
    """
    names = []
    for name in MATHEMATICS:
        names.append(f"#define {name}_float {name}f\n#define {name}_double {name}")
    simd = '__attribute__((simd("notinbranch"), const))'
    declared = "\n".join(f"{simd} float {name}f(float); {simd} double {name}(double);" for name in VECTOR)
    types = ["float", "double", *(f"{u}int{n}_t" for u in ("", "u") for n in (8, 16, 32, 64))]
    reductions = "\n".join(
        f"#pragma omp declare reduction({name}: {t}: omp_out = {macro}(omp_out, omp_in)) initializer(omp_priv = {start}_{t})"
        for t in types
        for name, macro, start in (("maxi", "MAXIMUM", "LOW"), ("mini", "MINIMUM", "HIGH"))
    )
    text = PRELUDE.replace("@LIMITS@", LIMITS).replace("@FUNCTIONS@", FUNCTIONS)
    text = text.replace("@VECTOR@", "\n".join(names) + ("\n" + declared if vector else ""))
    text = text.replace("@REDUCTIONS@", reductions).replace("@HAS_VECTOR@", str(int(vector))).replace("@INT@", integers)
    text = text.replace("@INLINED@", str(int(inlined)))
    return text
