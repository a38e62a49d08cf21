// The threads of a block as fibers of one thread of the host: each runs until it waits for the others.
#pragma once
#include <cfloat>
#include <ucontext.h>
#include <functional>
#include <vector>
#include "cuda_on_host.h"

struct dim3 { unsigned x, y, z; };
static thread_local dim3 gridDim, blockDim, blockIdx, threadIdx;
static const int warpSize = 32;
#define __shared__ static

namespace host {
const std::size_t STACK = 1 << 16;
struct Fiber { ucontext_t context; std::vector<char> stack; bool is_done; };
static std::vector<Fiber> fibers(1024);
static ucontext_t scheduler;
static unsigned now;
static std::function<void()> kernel;
static void enter() { kernel(); fibers[now].is_done = true; swapcontext(&fibers[now].context, &scheduler); }
inline void wait() { swapcontext(&fibers[now].context, &scheduler); }

inline void run_block(unsigned count, bool waits) {
    if (!waits) {
        for (unsigned k = 0; k < count; k++) { threadIdx = dim3{k, 0, 0}; kernel(); }
        return;
    }
    for (unsigned k = 0; k < count; k++) {
        Fiber& fiber = fibers[k];
        fiber.stack.resize(STACK);
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.data();
        fiber.context.uc_stack.ss_size = STACK;
        fiber.context.uc_link = nullptr;
        fiber.is_done = false;
        makecontext(&fiber.context, enter, 0);
    }
    for (bool any = true; any;) {
        any = false;
        for (unsigned k = 0; k < count; k++) {
            if (fibers[k].is_done) continue;
            now = k;
            threadIdx = dim3{k, 0, 0};
            swapcontext(&scheduler, &fibers[k].context);
            any = true;
        }
    }
}
static unsigned char exchanged[1024][16];
}  // namespace host

inline void __syncthreads() { host::wait(); }
inline void __syncwarp(unsigned = 0xffffffffu) { host::wait(); }
template <class V> inline V __shfl_xor_sync(unsigned, V v, int d) {
    std::memcpy(host::exchanged[threadIdx.x], &v, sizeof v);
    host::wait();
    V w;
    std::memcpy(&w, host::exchanged[threadIdx.x ^ d], sizeof w);
    host::wait();
    return w;
}
