// The kernels of reference/fused on a CPU: a block's threads take turns, what a warp does together waits for all of it.
#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#define EMULATED
#define KERNEL(threads, blocks) void
#define DEVICE inline
#define __restrict__
#define SHARED

typedef unsigned int u32;
typedef unsigned short u16;

struct Index { int x, y; };
static Index threadIdx, blockIdx, gridDim;
alignas(16) static char memory[232448];

struct alignas(16) Eight { u32 pair[4]; };
struct alignas(16) Four { float x[4]; };

struct Fiber {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(1 << 16);
    bool done = false;
};
static std::vector<Fiber> fibers;
static ucontext_t scheduler;
static int running;
static std::function<void()> body;

// Gives the others their turn. All threads of a block pass the same points in the same order, so that one round brings each to the next.
static void yield() {
    swapcontext(&fibers[running].context, &scheduler);
    threadIdx = {running, 0};
}
static void start() {
    body();
    fibers[running].done = true;
    swapcontext(&fibers[running].context, &scheduler);
}
static void run_block(int threads) {
    fibers = std::vector<Fiber>(threads);
    for (Fiber& fiber : fibers) {
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.data();
        fiber.context.uc_stack.ss_size = fiber.stack.size();
        makecontext(&fiber.context, start, 0);
    }
    for (bool left = true; left;) {
        left = false;
        for (running = 0; running < threads; running++)
            if (!fibers[running].done) {
                left = true;
                threadIdx = {running, 0};
                swapcontext(&scheduler, &fibers[running].context);
            }
    }
}
template <typename F> static void launch(int blocks, int high, int threads, F kernel) {
    gridDim = {blocks, high};
    body = kernel;
    for (int y = 0; y < high; y++)
        for (int x = 0; x < blocks; x++) {
            blockIdx = {x, y};
            memset(memory, 0xff, sizeof memory);
            run_block(threads);
        }
}

inline u32 address_of(const void* pointer) { return (u32)((const char*)pointer - memory); }
// Arrives at once; that nobody reads it before wait() cannot be seen here.
inline void copy16(u32 to, const void* from, bool there) {
    if (there) memcpy(memory + to, from, 16);
    else memset(memory + to, 0, 16);
}
inline void commit() {}
template <int LEFT> inline void wait() {}
inline void sync() { yield(); }
inline float float_of(u32 bits) { float f; memcpy(&f, &bits, 4); return f; }
inline u16 rounded(float value) {
    u32 bits; memcpy(&bits, &value, 4);
    return (u16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline u32 packed(float low, float high) { return rounded(low) | (u32)rounded(high) << 16; }
inline float inverse_root(float value) { return 1 / std::sqrt(value); }
inline int ticket(int* counter) { return (*counter)++; }
inline void publish() {}
inline void let_next_start() {}
inline void wait_for_last() {}
inline Four fresh(const float* from) { Four v; memcpy(&v, from, 16); return v; }

// What each lane of a warp brings to what they do together.
static u32 brought[2048][12];
inline u32* lane_of(int lane) { return brought[threadIdx.x / 32 * 32 + lane]; }
inline float neighbour(float value, int lanes) {
    const int lane = threadIdx.x % 32;
    memcpy(lane_of(lane), &value, 4);
    yield();
    float other; memcpy(&other, lane_of(lane ^ lanes), 4);
    yield();
    return other;
}
inline void matrix(u32 (&r)[4], u32 row) {
    const int lane = threadIdx.x % 32;
    lane_of(lane)[0] = row;
    yield();
    for (int i = 0; i < 4; i++) memcpy(&r[i], memory + lane_of(i * 8 + lane / 4)[0] + lane % 4 * 4, 4);
    yield();
}
inline void transposed(u32 (&r)[4], u32 row) {
    const int lane = threadIdx.x % 32;
    lane_of(lane)[0] = row;
    yield();
    for (int i = 0; i < 4; i++) {
        u16 two[2];
        for (int j = 0; j < 2; j++) memcpy(&two[j], memory + lane_of(i * 8 + lane % 4 * 2 + j)[0] + lane / 4 * 2, 2);
        r[i] = two[0] | (u32)two[1] << 16;
    }
    yield();
}
inline float half_of(u32 pair, int high) { return float_of(high ? pair & 0xffff0000u : pair << 16); }
inline void product(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    const int lane = threadIdx.x % 32;
    u32* mine = lane_of(lane);
    memcpy(mine, a, 16);
    mine[4] = b0, mine[5] = b1;
    yield();
    for (int j = 0; j < 4; j++) {
        const int row = lane / 4, column = lane % 4 * 2 + j % 2;
        for (int k = 0; k < 16; k++) {
            const u32 left = lane_of(row * 4 + k % 8 / 2)[j / 2 + k / 8 * 2], right = lane_of(column * 4 + k % 8 / 2)[4 + k / 8];
            c[j] += half_of(left, k % 2) * half_of(right, k % 2);
        }
    }
    yield();
}

#include SOURCE

#define OF_CHANNELS(call) \
    { \
        if (channels == 16) { constexpr int C = 16; call; } \
        if (channels == 32) { constexpr int C = 32; call; } \
        if (channels == 64) { constexpr int C = 64; call; } \
    }

#define CONVOLVE(KIND) OF_CHANNELS(launch(blocks, 1, 32 * Tile<C>::WARPS, [=] { \
    convolve<C, KIND>(x, w, out, extra, x0, y, pixels, shares, counter, affine, statistics, coefficients, eps); }))

extern "C" {
void emulated_convolve(int channels, int kind, int blocks, const u16* x, const u16* w, u16* out, const u16* extra, const u16* x0, const u16* y,
                       int pixels, float* shares, int* counter, const float* affine, float* statistics, float* coefficients, float eps) {
    if (kind == FORWARD) CONVOLVE(FORWARD)
    if (kind == THROUGH_BATCHNORM) CONVOLVE(THROUGH_BATCHNORM)
    if (kind == THROUGH_BLOCK) CONVOLVE(THROUGH_BLOCK)
}
void emulated_kernel_gradient(int channels, int blocks, const u16* x, const u16* g, float* out, int pixels) {
    OF_CHANNELS(launch(blocks, Gradient<C>::HALVES, Gradient<C>::COUNT, [=] { kernel_gradient<C>(x, g, out, pixels); }))
}
void emulated_normalize(int channels, int add, int blocks, const u16* y, const u16* shortcut, u16* out, int count, const float* statistics) {
    if (add) OF_CHANNELS(launch(blocks, 1, THREADS, [=] { normalize<C, true>(y, shortcut, out, count, statistics); }))
    else OF_CHANNELS(launch(blocks, 1, THREADS, [=] { normalize<C, false>(y, shortcut, out, count, statistics); }))
}
void emulated_normalize_backward(int channels, int blocks, const u16* g, const u16* y, u16* out, int count, const float* coefficients) {
    OF_CHANNELS(launch(blocks, 1, THREADS, [=] { normalize_backward<C>(g, y, out, count, coefficients); }))
}
void emulated_statistics_of(int channels, int blocks, const u16* y, int count, float* shares, int* counter, const float* affine,
                            float* statistics, float eps) {
    OF_CHANNELS(launch(blocks, 1, THREADS, [=] { statistics_of<C>(y, count, shares, counter, affine, statistics, eps); }))
}
void emulated_relu_backward(int channels, int blocks, const u16* g, const u16* x, const u16* y, u16* out, int count, float* shares, int* counter,
                            const float* statistics, float* coefficients) {
    OF_CHANNELS(launch(blocks, 1, THREADS, [=] { relu_backward<C>(g, x, y, out, count, shares, counter, statistics, coefficients); }))
}
}
