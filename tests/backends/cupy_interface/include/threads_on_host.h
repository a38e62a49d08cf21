// The threads of a block, for kernels that wait for each other or read each other's registers: one fiber for each thread.
#pragma once
#include "cuda_on_host.h"
#include <functional>
#include <ucontext.h>
#include <vector>

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
static dim3 gridDim, blockDim, blockIdx, threadIdx;
static const int warpSize = 32;

namespace host {
enum State { READY, AT_BLOCK, AT_WARP, DONE };
struct Fiber { ucontext_t context; State state; dim3 index; unsigned mask; };
static std::vector<Fiber> fibers;
static std::vector<char> stacks;
static ucontext_t scheduler;
static std::size_t running;
static std::function<void()>* body;
static bool stuck;
static const std::size_t STACK = 1 << 16;
static unsigned char registers[64][32][16];  // of each warp: what its lanes hand over
static std::vector<char> shared_memory;

inline void wait(State state, unsigned mask) {
    Fiber& self = fibers[running];
    self.state = state;
    self.mask = mask;
    swapcontext(&self.context, &scheduler);
}
inline void enter() {
    (*body)();
    fibers[running].state = DONE;
    swapcontext(&fibers[running].context, &scheduler);
}
inline bool release_block() {
    for (Fiber& f : fibers) if (f.state != AT_BLOCK && f.state != DONE) return false;
    bool any = false;
    for (Fiber& f : fibers) if (f.state == AT_BLOCK) { f.state = READY; any = true; }
    return any;
}
inline bool release_warps() {
    bool any = false;
    for (std::size_t first = 0; first < fibers.size(); first += 32) {
        std::size_t last = first + 32 < fibers.size() ? first + 32 : fibers.size();
        unsigned waiting = 0, alive = 0, mask = 0;
        for (std::size_t k = first; k < last; ++k) {
            if (fibers[k].state != DONE) alive |= 1u << (k - first);
            if (fibers[k].state == AT_WARP) { waiting |= 1u << (k - first); mask |= fibers[k].mask; }
        }
        if (!waiting || (mask & alive & ~waiting)) continue;
        for (std::size_t k = first; k < last; ++k) if (fibers[k].state == AT_WARP) fibers[k].state = READY;
        any = true;
    }
    return any;
}
inline void run_block() {
    std::size_t n = (std::size_t)blockDim.x * blockDim.y * blockDim.z;
    fibers.resize(n);
    stacks.resize(n * STACK);
    for (std::size_t k = 0; k < n; ++k) {
        Fiber& f = fibers[k];
        getcontext(&f.context);
        f.context.uc_stack.ss_sp = &stacks[k * STACK];
        f.context.uc_stack.ss_size = STACK;
        f.context.uc_link = nullptr;
        f.state = READY;
        f.index = dim3(k % blockDim.x, k / blockDim.x % blockDim.y, k / blockDim.x / blockDim.y);
        makecontext(&f.context, enter, 0);
    }
    for (;;) {
        bool ran = false, all = true;
        for (std::size_t k = 0; k < n; ++k) {
            if (fibers[k].state == READY) {
                running = k;
                threadIdx = fibers[k].index;
                swapcontext(&scheduler, &fibers[k].context);
                ran = true;
            }
            all = all && fibers[k].state == DONE;
        }
        if (all) return;
        if (!ran && !release_warps() && !release_block()) { stuck = true; return; }
    }
}
inline unsigned lane() { return running % 32; }
template <class T> inline void hand_over(unsigned mask, T value) {
    static_assert(sizeof(T) <= 16, "values of up to 16 bytes");
    std::memcpy(registers[running / 32][lane()], &value, sizeof(T));
    wait(AT_WARP, mask);
}
template <class T> inline T taken(unsigned mask, unsigned from) {
    T value;
    std::memcpy(&value, registers[running / 32][from], sizeof(T));
    wait(AT_WARP, mask);
    return value;
}
}  // namespace host

#define __shared__ static
inline void __syncthreads() { host::wait(host::AT_BLOCK, 0); }
inline void __syncwarp(unsigned mask = 0xffffffffu) { host::wait(host::AT_WARP, mask); }
inline unsigned __activemask() { return 0xffffffffu; }
template <class T> inline T __shfl_sync(unsigned mask, T value, int from, int width = 32) {
    host::hand_over(mask, value);
    unsigned lane = host::lane();
    return host::taken<T>(mask, lane / width * width + from % width);
}
template <class T> inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    host::hand_over(mask, value);
    unsigned lane = host::lane();
    return host::taken<T>(mask, lane % width + delta < (unsigned)width ? lane + delta : lane);
}
template <class T> inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    host::hand_over(mask, value);
    unsigned lane = host::lane();
    return host::taken<T>(mask, lane % width >= delta ? lane - delta : lane);
}
template <class T> inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32) {
    host::hand_over(mask, value);
    unsigned lane = host::lane(), from = lane ^ lanes;
    return host::taken<T>(mask, from / width == lane / width ? from : lane);
}
inline unsigned __ballot_sync(unsigned mask, int yes) {
    host::hand_over(mask, yes);
    unsigned votes = 0, warp = host::running / 32;
    for (unsigned k = 0; k < 32; ++k) {
        int vote = 0;
        std::memcpy(&vote, host::registers[warp][k], sizeof(int));
        if ((mask >> k & 1) && vote && warp * 32 + k < host::fibers.size()) votes |= 1u << k;
    }
    host::wait(host::AT_WARP, mask);
    return votes;
}
inline int __any_sync(unsigned mask, int yes) { return __ballot_sync(mask, yes) != 0; }
inline int __all_sync(unsigned mask, int yes) { return __ballot_sync(mask, !yes) == 0; }

// Run a kernel for every block; false if its threads wait for each other forever.
template <class... A> static bool over_threads(const unsigned* sizes, bool alone, void (*kernel)(A...), A... arguments) {
    gridDim = dim3(sizes[0], sizes[1], sizes[2]);
    blockDim = dim3(sizes[3], sizes[4], sizes[5]);
    host::shared_memory.assign(sizes[6] + 16, 0);
    host::stuck = false;
    std::function<void()> body = [&] { kernel(arguments...); };
    host::body = &body;
    for (unsigned z = 0; z < sizes[2]; ++z) for (unsigned y = 0; y < sizes[1]; ++y) for (unsigned x = 0; x < sizes[0]; ++x) {
        blockIdx = dim3(x, y, z);
        if (!alone) { host::run_block(); if (host::stuck) return false; continue; }
        for (unsigned c = 0; c < sizes[5]; ++c) for (unsigned b = 0; b < sizes[4]; ++b) for (unsigned a = 0; a < sizes[3]; ++a) {
            threadIdx = dim3(a, b, c);
            kernel(arguments...);
        }
    }
    return true;
}
