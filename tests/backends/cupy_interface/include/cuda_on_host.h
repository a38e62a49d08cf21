// CUDA C++ as far as the kernels of xgrad need it, for a C++17 compiler of the host.
#pragma once
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <tuple>
#include <type_traits>
#include <vector>

#define __device__
#define __global__
#define __host__
#define __forceinline__ inline
#define __noinline__
#define __constant__ static
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define INFINITY_F (std::numeric_limits<float>::infinity())

using std::abs; using std::acos; using std::acosh; using std::asin; using std::asinh; using std::atan; using std::atan2;
using std::atanh; using std::cbrt; using std::ceil; using std::copysign; using std::cos; using std::cosh; using std::erf;
using std::erfc; using std::exp; using std::exp2; using std::expm1; using std::fabs; using std::floor; using std::fma;
using std::fmax; using std::fmin; using std::fmod; using std::hypot; using std::isfinite; using std::isinf; using std::isnan;
using std::ldexp; using std::lgamma; using std::log; using std::log10; using std::log1p; using std::log2; using std::pow;
using std::rint; using std::round; using std::signbit; using std::sin; using std::sinh; using std::sqrt; using std::tan;
using std::tanh; using std::tgamma; using std::trunc; using std::nearbyint; using std::nextafter;

template <class T> using complex = std::complex<T>;
using std::arg; using std::conj; using std::imag; using std::norm; using std::polar; using std::real;

struct float16 {  // the 16-bit float of IEEE 754
    std::uint16_t bits = 0;
    float16() = default;
    template <class T, class = std::enable_if_t<std::is_arithmetic<T>::value>> float16(T value) : bits(pack((float)value)) {}
    operator float() const { return unpack(bits); }
    static float unpack(std::uint16_t h) {
        std::uint32_t sign = (std::uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, fraction = h & 1023, word;
        if (exponent == 0) {
            float small = std::ldexp((float)fraction, -24);
            return sign ? -small : small;
        }
        word = sign | ((exponent == 31 ? 255u : exponent + 112u) << 23) | (fraction << 13);
        float value;
        std::memcpy(&value, &word, 4);
        return value;
    }
    static std::uint16_t pack(float value) {
        std::uint32_t word;
        std::memcpy(&word, &value, 4);
        std::uint16_t sign = (word >> 16) & 0x8000;
        if (std::isnan(value)) return sign | 0x7e00;
        float size = std::fabs(value);
        if (size >= 65520.0f) return sign | 0x7c00;
        if (size < 6.103515625e-05f) return sign | (std::uint16_t)std::nearbyint(std::ldexp(size, 24));
        int exponent;
        float fraction = std::frexp(size, &exponent);  // in [1/2, 1)
        std::uint32_t steps = (std::uint32_t)std::nearbyint(std::ldexp(fraction, 11));
        return sign | (std::uint16_t)(((exponent + 13) << 10) + steps);
    }
    float16& operator+=(float x) { return *this = float16(float(*this) + x); }
    float16& operator-=(float x) { return *this = float16(float(*this) - x); }
    float16& operator*=(float x) { return *this = float16(float(*this) * x); }
    float16& operator/=(float x) { return *this = float16(float(*this) / x); }
};
typedef float16 __half;
typedef float16 half;

template <class A, class B> inline std::common_type_t<A, B> max(A a, B b) {
    typedef std::common_type_t<A, B> T;
    if constexpr (std::is_floating_point<T>::value) return std::fmax((T)a, (T)b);
    else return (T)a > (T)b ? (T)a : (T)b;
}
template <class A, class B> inline std::common_type_t<A, B> min(A a, B b) {
    typedef std::common_type_t<A, B> T;
    if constexpr (std::is_floating_point<T>::value) return std::fmin((T)a, (T)b);
    else return (T)a < (T)b ? (T)a : (T)b;
}
inline float rsqrt(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float rsqrtf(float x) { return rsqrt(x); }
inline float rcbrt(float x) { return 1.0f / std::cbrt(x); }
inline double rcbrt(double x) { return 1.0 / std::cbrt(x); }
inline double sinpi(double x) { return std::sin(M_PI * x); }
inline double cospi(double x) { return std::cos(M_PI * x); }
inline double normcdf(double x) { return 0.5 * std::erfc(-x * M_SQRT1_2); }
inline float normcdff(float x) { return (float)normcdf(x); }
inline double erfcx(double x) { return std::exp(x * x) * std::erfc(x); }
inline double exp10(double x, int) { return std::pow(10.0, x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __powf(float x, float y) { return std::pow(x, y); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fmaf_rn(float x, float y, float z) { return std::fma(x, y, z); }
inline float __int_as_float(int x) { float y; std::memcpy(&y, &x, 4); return y; }
inline int __float_as_int(float x) { int y; std::memcpy(&y, &x, 4); return y; }
inline unsigned __umulhi(unsigned x, unsigned y) { return (unsigned)(((unsigned long long)x * y) >> 32); }
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
    return (unsigned long long)(((unsigned __int128)x * y) >> 64);
}
template <class T> inline T __ldg(const T* x) { return *x; }

template <class T, class U> inline T atomicAdd(T* at, U value) { T old = *at; *at = (T)(old + (T)value); return old; }
template <class T, class U> inline T atomicMax(T* at, U value) { T old = *at; *at = old < (T)value ? (T)value : old; return old; }
template <class T, class U> inline T atomicMin(T* at, U value) { T old = *at; *at = (T)value < old ? (T)value : old; return old; }
template <class T, class U> inline T atomicExch(T* at, U value) { T old = *at; *at = (T)value; return old; }
template <class T> inline T atomicCAS(T* at, T expected, T value) { T old = *at; if (old == expected) *at = value; return old; }
inline void __threadfence() {}

// CuPy's arrays in kernels: elements by their number in C order, or by an index for each axis.
template <class T> class CArray {
  public:
    T* data_; std::ptrdiff_t size_; int ndim; const std::ptrdiff_t *shape_, *strides_;
    std::ptrdiff_t size() const { return size_; }
    const std::ptrdiff_t* shape() const { return shape_; }
    const std::ptrdiff_t* strides() const { return strides_; }
    T& at(std::ptrdiff_t offset) const { return *(T*)((char*)data_ + offset); }
    T& operator[](std::ptrdiff_t i) const {
        std::ptrdiff_t offset = 0;
        for (int k = ndim - 1; k > 0; --k) { offset += i % shape_[k] * strides_[k]; i /= shape_[k]; }
        return at(ndim ? offset + i * strides_[0] : 0);
    }
    T& operator[](const std::ptrdiff_t* index) const {
        std::ptrdiff_t offset = 0;
        for (int k = 0; k < ndim; ++k) offset += index[k] * strides_[k];
        return at(offset);
    }
};
class CIndexer {
  public:
    std::ptrdiff_t size_, i_ = 0; int ndim; const std::ptrdiff_t* shape_; mutable std::ptrdiff_t index_[33];
    std::ptrdiff_t size() const { return size_; }
    const std::ptrdiff_t* shape() const { return shape_; }
    void set(std::ptrdiff_t i) { i_ = i; }
    const std::ptrdiff_t* get() const {
        std::ptrdiff_t i = i_;
        for (int k = ndim - 1; k > 0; --k) { index_[k] = i % shape_[k]; i /= shape_[k]; }
        index_[0] = i;
        return index_;
    }
};
struct HostArgument { void* data; std::ptrdiff_t size; int ndim; const std::ptrdiff_t *shape, *strides; };
template <class T> inline CArray<T> as_array(const HostArgument& a) {
    return CArray<T>{(T*)a.data, a.size, a.ndim, a.shape, a.strides};
}
