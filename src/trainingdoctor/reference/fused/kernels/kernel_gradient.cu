// The gradient of a layer's kernel.

// Threads of `kernel_gradient`: with 16 channels three taps for each warp and four groups of warps that share the pixels,
// else a tap for each warp. With 64 channels a block sees to half of the channels that go in.
template <int C> struct Gradient {
    static constexpr int TAPS = C == 16 ? 3 : 1, GROUPS = C == 16 ? 4 : 1, HALVES = C == 64 ? 2 : 1;
    static constexpr int IN = C / HALVES, COUNT = 32 * 9 / TAPS * GROUPS;
};

template <int C> struct GradientSums {
    typedef Gradient<C> G;
    float acc[G::TAPS][G::IN / 16][C / 8][4];
};

// Sixteen pixels from number k on: x nearby, as the taps from tap0 on see it, times g.
template <int C> DEVICE void multiply_sixteen(GradientSums<C>& sums, u32 x, u32 g, int k, int tap0, int half) {
    typedef Tile<C> T;
    typedef Gradient<C> G;
    const int lane = threadIdx.x % 32, slot = T::slot(k + lane % 8 + lane / 16 * 8);
    u32 b[C / 16][4];
    for (int n = 0; n < C / 16; n++) transposed(b[n], g + (k + lane % 16) * T::STRIDE + (n * 16 + lane / 16 * 8) * 2);
#pragma unroll
    for (int t = 0; t < G::TAPS; t++) {
        const int tap = tap0 + t;
        const u32 row = x + (slot + tap / 3 * T::WIDE + tap % 3) * T::STRIDE + (half + lane / 8 % 2 * 8) * 2;
#pragma unroll
        for (int m = 0; m < G::IN / 16; m++) {
            u32 a[4];
            transposed(a, row + m * 32);
            for (int n = 0; n < C / 16; n++) {
                product(sums.acc[t][m][2 * n], a, b[n][0], b[n][1]);
                product(sums.acc[t][m][2 * n + 1], a, b[n][2], b[n][3]);
            }
        }
    }
}

// The warps' sums to the block's share, by way of shared memory, so that whole lines go out.
template <int C> DEVICE void write_share(char* memory, const GradientSums<C>& sums, int group, int tap0, int half, float* out) {
    typedef Gradient<C> G;
    constexpr int LENGTH = G::IN * C, WHOLE = 9 * LENGTH;
    const int lane = threadIdx.x % 32;
    float* groups = (float*)memory;
#pragma unroll
    for (int t = 0; t < G::TAPS; t++)
        for (int m = 0; m < G::IN / 16; m++)
            for (int n = 0; n < C / 8; n++)
                for (int j = 0; j < 4; j++) {
                    const int in = m * 16 + lane / 4 + j / 2 * 8, at = (tap0 + t) * LENGTH + in * C + n * 8 + lane % 4 * 2 + j % 2;
                    groups[group * WHOLE + at] = sums.acc[t][m][n][j];
                }
    sync();
    float* share = out + ((long)blockIdx.x * 9 * C + half) * C;
    for (int i = threadIdx.x; i < WHOLE / 4; i += G::COUNT) {
        Four total = ((const Four*)groups)[i];
        for (int j = 1; j < G::GROUPS; j++) {
            const Four v = ((const Four*)(groups + j * WHOLE))[i];
            for (int l = 0; l < 4; l++) total.x[l] += v.x[l];
        }
        *(Four*)(share + i * 4 / LENGTH * C * C + i * 4 % LENGTH) = total;
    }
}

template <int C> DEVICE void fetch_both(u32 to, const u16* x, const u16* g, int tile) {
    fetch_rimmed<C, Gradient<C>::COUNT>(to, x, tile);
    fetch_plain<C, Tile<C>::PIXELS, Gradient<C>::COUNT>(to + Tile<C>::RIMMED, g + (long)tile * Tile<C>::PIXELS * C);
}

// This block's share of a kernel's gradient, (blocks, 9, C in, C out): the sum over its pixels of x nearby times g.
template <int C>
KERNEL((Gradient<C>::COUNT), 1)
kernel_gradient(const u16* x, const u16* g, float* out, int pixels) {
    typedef Tile<C> T;
    typedef Gradient<C> G;
    constexpr int SIZE = T::RIMMED + T::PLAIN;
    SHARED;
    let_next_start();
    const u32 base = address_of(memory);
    const int warp = threadIdx.x / 32, group = warp / (9 / G::TAPS), tap0 = warp % (9 / G::TAPS) * G::TAPS;
    const int tiles = pixels / T::PIXELS, half = blockIdx.y * G::IN;
    GradientSums<C> sums = {};
    wait_for_last();
    if (blockIdx.x < tiles) fetch_both<C>(base, x, g, blockIdx.x);
    commit();
    int current = 0;
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x, current ^= 1) {
        const u32 here = base + current * SIZE;
        if (tile + gridDim.x < tiles) fetch_both<C>(base + (current ^ 1) * SIZE, x, g, tile + gridDim.x);
        commit();
        wait<1>();
        sync();
#pragma unroll 2
        for (int k = group * 16; k < T::PIXELS; k += G::GROUPS * 16)
            multiply_sixteen<C>(sums, here, here + T::RIMMED, k, tap0, half);
        sync();
    }
    write_share<C>(memory, sums, group, tap0, half, out);
}
