// Kernels for chains of residual blocks on CIFAR's images: 3x3 convolutions of 16, 32 and 64 channels at 32, 16 and 8 pixels a
// side, with BatchNorm's sums in their epilogue, in bfloat16 with float32 sums. From compute capability 8.0 on.
//
// Activations are (pixels, C) of a channels-last batch; kernels are (9 taps, C in, C out). A convolution's tile of pixels lies in
// shared memory once, with its rim, and its nine taps are read from there: cuDNN's kernels for 16 channels move their data seven times.
//
// Sums over the batch are deterministic: each block writes its own share, and the last one to finish adds them in their order.

typedef unsigned int u32;
typedef unsigned short u16;

#ifndef EMULATED
#define KERNEL(threads, blocks) __global__ void __launch_bounds__(threads, blocks)
#define DEVICE __device__ __forceinline__
#define SHARED extern __shared__ __align__(16) char memory[]
struct alignas(16) Eight { u32 pair[4]; };
struct alignas(16) Four { float x[4]; };

DEVICE u32 address_of(const void* pointer) { return (u32)__cvta_generic_to_shared(pointer); }
// 16 bytes to shared memory, behind the thread's back; zeros where there is nothing.
DEVICE void copy16(u32 to, const void* from, bool there) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(there ? 16 : 0) : "memory");
}
DEVICE void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int LEFT> DEVICE void wait() { asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory"); }
DEVICE void sync() { __syncthreads(); }
DEVICE void matrix(u32 (&r)[4], u32 row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(row) : "memory");
}
DEVICE void transposed(u32 (&r)[4], u32 row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(row) : "memory");
}
// c (16, 8) += a (16, 16) b (16, 8)
DEVICE void product(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
DEVICE u32 packed(float low, float high) {
    u32 both;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
    return both;
}
DEVICE float float_of(u32 bits) { return __uint_as_float(bits); }
DEVICE float neighbour(float value, int lanes) { return __shfl_xor_sync(0xffffffffu, value, lanes); }
DEVICE float inverse_root(float value) { return rsqrtf(value); }
DEVICE int ticket(int* counter) {
    __threadfence();
    const int drawn = atomicAdd(counter, 1);
    __threadfence();
    return drawn;
}
DEVICE void publish() { __threadfence(); }
// On Hopper a kernel starts while the one before it still runs: it may fetch what that one does not write, and waits for its end.
DEVICE void let_next_start() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;");
#endif
}
DEVICE void wait_for_last() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
DEVICE Four fresh(const float* from) {
    Four v;
    asm volatile("ld.global.cg.v4.f32 {%0,%1,%2,%3}, [%4];" : "=f"(v.x[0]), "=f"(v.x[1]), "=f"(v.x[2]), "=f"(v.x[3]) : "l"(from));
    return v;
}
#endif

constexpr int THREADS = 256;

// Of a tile: some rows of an image, or whole images. STRIDE: bytes from one pixel to the next in shared memory, so that eight
// pixels' rows of a matrix lie in eight different groups of banks.
template <int C> struct Tile {
    static constexpr int SIDE = 512 / C;
    static constexpr int ROWS = C == 16 ? 8 : SIDE, IMAGES = C == 64 ? 2 : 1;
    static constexpr int PIXELS = IMAGES * ROWS * SIDE, WIDE = SIDE + 2, HIGH = ROWS + 2;
    static constexpr int SLOTS = IMAGES * HIGH * WIDE, STRIDE = 2 * C + 16, CHUNKS = C / 8;
    static constexpr int RIMMED = SLOTS * STRIDE, PLAIN = PIXELS * STRIDE, KERNELS = 9 * C * STRIDE;
    // Of `convolve`: a warp sees to M sixteens of pixels, one below the other, and to N of the channels.
    static constexpr int M = C == 16 ? 2 : 4, N = 16, WARPS = PIXELS / 16 / M * (C / N);
    // The slot, at the upper left tap, of a pixel.
    static DEVICE int slot(int pixel) {
        return (pixel / (ROWS * SIDE) * HIGH + pixel / SIDE % ROWS) * WIDE + pixel % SIDE;
    }
};

// A tile with its rim; zeros outside of the image.
template <int C, int COUNT> DEVICE void fetch_rimmed(u32 to, const u16* from, int tile) {
    typedef Tile<C> T;
    const int top = tile % (T::SIDE / T::ROWS) * T::ROWS;
    for (int i = threadIdx.x; i < T::SLOTS * T::CHUNKS; i += COUNT) {
        const int slot = i / T::CHUNKS, chunk = i % T::CHUNKS, column = slot % T::WIDE - 1;
        const int image = slot / (T::HIGH * T::WIDE), row = slot / T::WIDE % T::HIGH - 1;
        const bool there = column >= 0 && column < T::SIDE && top + row >= 0 && top + row < T::SIDE;
        const long pixel = (long)tile * T::PIXELS + (image * T::ROWS + row) * T::SIDE + column;
        copy16(to + slot * T::STRIDE + chunk * 16, there ? from + pixel * C + chunk * 8 : from, there);
    }
}

// Rows of C numbers, one after another.
template <int C, int ROWS, int COUNT> DEVICE void fetch_plain(u32 to, const u16* from) {
    for (int i = threadIdx.x; i < ROWS * Tile<C>::CHUNKS; i += COUNT)
        copy16(to + i / Tile<C>::CHUNKS * Tile<C>::STRIDE + i % Tile<C>::CHUNKS * 16, from + (long)i * 8, true);
}

DEVICE void spread(const Eight& from, float (&to)[8]) {
    for (int i = 0; i < 4; i++) to[2 * i] = float_of(from.pair[i] << 16), to[2 * i + 1] = float_of(from.pair[i] & 0xffff0000u);
}
DEVICE Eight gathered(const float (&from)[8]) {
    Eight to;
    for (int i = 0; i < 4; i++) to.pair[i] = packed(from[2 * i], from[2 * i + 1]);
    return to;
}
DEVICE Eight eight_at(const u16* from, long chunk) { return ((const Eight*)from)[chunk]; }

// Adds up what the threads hold of eight channels each, writes it to this block's share, and tells whether all others have.
template <int C, int COUNT> DEVICE bool all_shared(char* memory, float (&first)[8], float (&second)[8], float* shares, int* counter) {
    constexpr int CHUNKS = C / 8, WARPS = COUNT / 32;
    float* sums = (float*)memory;
    int* drawn = (int*)(sums + WARPS * 2 * C);
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    for (int j = 0; j < 8; j++)
        for (int lanes = CHUNKS; lanes < 32; lanes *= 2) {
            first[j] += neighbour(first[j], lanes);
            second[j] += neighbour(second[j], lanes);
        }
    sync();
    if (lane < CHUNKS)
        for (int j = 0; j < 8; j++) {
            sums[warp * 2 * C + lane * 8 + j] = first[j];
            sums[warp * 2 * C + C + lane * 8 + j] = second[j];
        }
    sync();
    if (threadIdx.x < 2 * C) {
        float total = 0;
#pragma unroll
        for (int i = 0; i < WARPS; i++) total += sums[i * 2 * C + threadIdx.x];
        shares[blockIdx.x * 2 * C + threadIdx.x] = total;
        publish();
    }
    sync();
    if (threadIdx.x == 0) *drawn = ticket(counter);
    sync();
    return *drawn == gridDim.x - 1;
}

// The two sums over all shares, of the channel that is this thread's number: the first 2 * C threads get theirs.
template <int C, int COUNT> DEVICE float* totals(char* memory, const float* shares) {
    constexpr int QUARTERS = C / 2, PARTS = COUNT / QUARTERS;
    float* sums = (float*)memory;
    const int quarter = threadIdx.x % QUARTERS, part = threadIdx.x / QUARTERS;
    Four total = {{0, 0, 0, 0}};
#pragma unroll 8
    for (int i = part; i < gridDim.x; i += PARTS) {
        const Four v = fresh(shares + i * 2 * C + quarter * 4);
        for (int j = 0; j < 4; j++) total.x[j] += v.x[j];
    }
    sync();
    for (int j = 0; j < 4; j++) sums[part * 2 * C + quarter * 4 + j] = total.x[j];
    sync();
    float whole = 0;
    if (threadIdx.x < 2 * C)
#pragma unroll
        for (int i = 0; i < PARTS; i++) whole += sums[i * 2 * C + threadIdx.x];
    sync();
    if (threadIdx.x < 2 * C) sums[threadIdx.x] = whole;
    sync();
    return sums;
}

// From sums of y and y^2 to mean, 1 / deviation, scale, shift, and the unbiased variance for the running one.
template <int C, int COUNT>
DEVICE void finish_forward(char* memory, const float* shares, int* counter, const float* affine, float* statistics, int pixels, float eps) {
    const float* sums = totals<C, COUNT>(memory, shares);
    const int channel = threadIdx.x;
    if (channel < C) {
        const float mean = sums[channel] / pixels;
        const float spread = sums[C + channel] / pixels - mean * mean, variance = spread > 0 ? spread : 0;
        const float rstd = inverse_root(variance + eps), scale = affine[channel] * rstd;
        statistics[channel] = mean;
        statistics[C + channel] = rstd;
        statistics[2 * C + channel] = scale;
        statistics[3 * C + channel] = affine[C + channel] - mean * scale;
        statistics[4 * C + channel] = variance * ((float)pixels / (pixels - 1));
    }
    if (channel == 0) *counter = 0;
}

// From sums of g and g y to BatchNorm's gradient as a g + b y + c, and to those of its weight and bias.
// Ioffe & Szegedy 2015, arXiv:1502.03167, section 3, the chain rule put together for each channel.
template <int C, int COUNT>
DEVICE void finish_backward(char* memory, const float* shares, int* counter, const float* statistics, float* coefficients, int pixels) {
    const float* sums = totals<C, COUNT>(memory, shares);
    const int channel = threadIdx.x;
    if (channel < C) {
        const float mean = statistics[channel], rstd = statistics[C + channel], scale = statistics[2 * C + channel];
        const float bias = sums[channel], weight = rstd * (sums[C + channel] - mean * bias), b = -scale * rstd * weight / pixels;
        coefficients[channel] = scale;
        coefficients[C + channel] = b;
        coefficients[2 * C + channel] = -scale * bias / pixels - b * mean;
        coefficients[3 * C + channel] = weight;
        coefficients[4 * C + channel] = bias;
    }
    if (channel == 0) *counter = 0;
}

// What a convolution's result is on its way out. The last three are gradients; w is mirrored and transposed then.
constexpr int FORWARD = 0;            // and the statistics of the BatchNorm behind it
constexpr int THROUGH_BATCHNORM = 1;  // times ReLU's slope, which y and its statistics tell
constexpr int THROUGH_BLOCK = 2;      // plus the shortcut's gradient `extra`, times the slope that the block's input x0 tells
constexpr int OUT_OF_CHAIN = 3;       // plus the shortcut's gradient

// out = x convolved with w. statistics: of the layer behind (FORWARD) or of the one whose gradient comes out, which y belongs to.
template <int C, int KIND>
KERNEL(32 * Tile<C>::WARPS, C == 64 ? 1 : 2)
convolve(const u16* x, const u16* w, u16* out, const u16* extra, const u16* x0, const u16* y, int pixels, float* shares, int* counter,
         const float* affine, float* statistics, float* coefficients, float eps) {
    typedef Tile<C> T;
    constexpr int COUNT = 32 * T::WARPS, GROUPS = T::PIXELS / 16 / T::M, TURNS = T::PIXELS * T::CHUNKS / COUNT, KS = C / 16;
    // Kernels of 16 channels stay in registers.
    constexpr bool HELD = C == 16;
    SHARED;
    let_next_start();
    const u32 kernels = address_of(memory);
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = warp % GROUPS, n0 = warp / GROUPS * T::N;
    const int tiles = pixels / T::PIXELS, chunk = threadIdx.x % T::CHUNKS, place = threadIdx.x / T::CHUNKS;
    // The sixteen pixels of a product: of a row, or with 64 channels eight of the same row in both images.
    const int across = C == 16 ? 2 : 1, row0 = group / across * T::M, column0 = group % across * 16;
    const int image = C == 64 ? lane % 16 / 8 : 0, column = C == 64 ? lane % 8 : column0 + lane % 16;
    const u32 upper_left = ((image * T::HIGH + row0) * T::WIDE + column) * T::STRIDE + lane / 16 * 16;
    const u32 kernel = kernels + lane % 16 * T::STRIDE + (n0 + lane / 16 * 8) * 2;

    fetch_plain<C, 9 * C, COUNT>(kernels, w);
    commit();
    wait_for_last();
    float first[8] = {0}, second[8] = {0}, scale[8], shift[8];
    if (KIND == THROUGH_BATCHNORM)
        for (int j = 0; j < 8; j++) {
            scale[j] = statistics[2 * C + chunk * 8 + j];
            shift[j] = statistics[3 * C + chunk * 8 + j];
        }
    if (blockIdx.x < tiles) fetch_rimmed<C, COUNT>(kernels + T::KERNELS, x, blockIdx.x);
    commit();
    u32 held[HELD ? 9 : 1][4];
    if (HELD) {
        wait<1>();
        sync();
#pragma unroll
        for (int tap = 0; tap < 9; tap++) transposed(held[HELD ? tap : 0], kernel + tap * C * T::STRIDE);
    }
    int current = 0;
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x, current ^= 1) {
        const u32 here = kernels + T::KERNELS + current * T::RIMMED;
        char* staged = memory + T::KERNELS + current * T::RIMMED;
        if (tile + gridDim.x < tiles)
            fetch_rimmed<C, COUNT>(kernels + T::KERNELS + (current ^ 1) * T::RIMMED, x, tile + gridDim.x);
        commit();
        wait<1>();
        sync();
        float acc[T::M][T::N / 8][4] = {0};
#pragma unroll
        for (int k = 0; k < KS; k++)
#pragma unroll
            for (int right = 0; right < 3; right++) {
                u32 b[3][T::N / 16][4];
#pragma unroll
                for (int down = 0; down < 3; down++)
#pragma unroll
                    for (int n = 0; n < T::N / 16; n++) {
                        if (!HELD) transposed(b[down][n], kernel + ((down * 3 + right) * C + k * 16) * T::STRIDE + n * 32);
                        else for (int j = 0; j < 4; j++) b[down][n][j] = held[HELD ? down * 3 + right : 0][j];
                    }
                // A row of pixels is above one sixteen's centre, at another one's and below a third one's: it is read once.
#pragma unroll
                for (int row = 0; row < T::M + 2; row++) {
                    u32 a[4];
                    matrix(a, here + upper_left + (row * T::WIDE + right) * T::STRIDE + k * 32);
#pragma unroll
                    for (int down = 0; down < 3; down++)
                        if (row - down >= 0 && row - down < T::M)
#pragma unroll
                            for (int n = 0; n < T::N / 16; n++) {
                                product(acc[row - down][2 * n], a, b[down][n][0], b[down][n][1]);
                                product(acc[row - down][2 * n + 1], a, b[down][n][2], b[down][n][3]);
                            }
                }
            }
        Eight added[TURNS], inputs[TURNS], seen[TURNS];
#pragma unroll
        for (int i = 0; i < TURNS; i++) {
            const long at = ((long)tile * T::PIXELS + place + i * (COUNT / T::CHUNKS)) * T::CHUNKS + chunk;
            if (KIND == THROUGH_BLOCK || KIND == OUT_OF_CHAIN) added[i] = eight_at(extra, at);
            if (KIND == THROUGH_BLOCK) inputs[i] = eight_at(x0, at);
            if (KIND == THROUGH_BLOCK || KIND == THROUGH_BATCHNORM) seen[i] = eight_at(y, at);
        }
        // The tile has been read: its memory takes the result, from where whole rows go out.
        sync();
        constexpr int LOWER = C == 64 ? T::SIDE * T::SIDE : 8;
#pragma unroll
        for (int m = 0; m < T::M; m++)
#pragma unroll
            for (int n = 0; n < T::N / 8; n++) {
                const int pixel = (row0 + m) * T::SIDE + column0 + lane / 4;
                char* to = staged + pixel * T::STRIDE + (n0 + n * 8 + lane % 4 * 2) * 2;
                *(u32*)to = packed(acc[m][n][0], acc[m][n][1]);
                *(u32*)(to + LOWER * T::STRIDE) = packed(acc[m][n][2], acc[m][n][3]);
            }
        sync();
#pragma unroll
        for (int i = 0; i < TURNS; i++) {
            const int pixel = place + i * (COUNT / T::CHUNKS);
            float v[8], other[8];
            spread(*(const Eight*)(staged + pixel * T::STRIDE + chunk * 16), v);
            if (KIND == THROUGH_BLOCK || KIND == OUT_OF_CHAIN) {
                spread(added[i], other);
                for (int j = 0; j < 8; j++) v[j] += other[j];
            }
            if (KIND == THROUGH_BLOCK) {
                spread(inputs[i], other);
                for (int j = 0; j < 8; j++) v[j] = other[j] > 0 ? v[j] : 0;
            }
            if (KIND == THROUGH_BLOCK || KIND == THROUGH_BATCHNORM) spread(seen[i], other);
            for (int j = 0; j < 8; j++) {
                if (KIND == THROUGH_BATCHNORM) v[j] = other[j] * scale[j] + shift[j] > 0 ? v[j] : 0;
                if (KIND != OUT_OF_CHAIN) {
                    first[j] += v[j];
                    second[j] += v[j] * (KIND == FORWARD ? v[j] : other[j]);
                }
            }
            ((Eight*)out)[((long)tile * T::PIXELS + pixel) * T::CHUNKS + chunk] = gathered(v);
        }
        sync();
    }
    if (KIND == OUT_OF_CHAIN || !all_shared<C, COUNT>(memory, first, second, shares, counter)) return;
    if (KIND == FORWARD) finish_forward<C, COUNT>(memory, shares, counter, affine, statistics, pixels, eps);
    else finish_backward<C, COUNT>(memory, shares, counter, statistics, coefficients, pixels);
}

// Threads of `kernel_gradient`: with 16 channels three taps for each warp and four groups of warps that share the pixels,
// else a tap for each warp. With 64 channels a block sees to half of the channels that go in.
template <int C> struct Gradient {
    static constexpr int TAPS = C == 16 ? 3 : 1, GROUPS = C == 16 ? 4 : 1, HALVES = C == 64 ? 2 : 1;
    static constexpr int IN = C / HALVES, COUNT = 32 * 9 / TAPS * GROUPS;
};

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
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = warp / (9 / G::TAPS), tap0 = warp % (9 / G::TAPS) * G::TAPS;
    const int tiles = pixels / T::PIXELS, half = blockIdx.y * G::IN;
    float acc[G::TAPS][G::IN / 16][C / 8][4] = {0};
    wait_for_last();
    if (blockIdx.x < tiles) {
        fetch_rimmed<C, G::COUNT>(base, x, blockIdx.x);
        fetch_plain<C, T::PIXELS, G::COUNT>(base + T::RIMMED, g + (long)blockIdx.x * T::PIXELS * C);
    }
    commit();
    int current = 0;
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x, current ^= 1) {
        const u32 here = base + current * SIZE;
        if (tile + gridDim.x < tiles) {
            fetch_rimmed<C, G::COUNT>(base + (current ^ 1) * SIZE, x, tile + gridDim.x);
            fetch_plain<C, T::PIXELS, G::COUNT>(base + (current ^ 1) * SIZE + T::RIMMED, g + (long)(tile + gridDim.x) * T::PIXELS * C);
        }
        commit();
        wait<1>();
        sync();
#pragma unroll 2
        for (int k = group * 16; k < T::PIXELS; k += G::GROUPS * 16) {
            u32 b[C / 16][4];
            for (int n = 0; n < C / 16; n++)
                transposed(b[n], here + T::RIMMED + (k + lane % 16) * T::STRIDE + (n * 16 + lane / 16 * 8) * 2);
            const int slot = T::slot(k + lane % 8 + lane / 16 * 8);
#pragma unroll
            for (int t = 0; t < G::TAPS; t++) {
                const int tap = tap0 + t;
                const u32 row = here + (slot + tap / 3 * T::WIDE + tap % 3) * T::STRIDE + (half + lane / 8 % 2 * 8) * 2;
#pragma unroll
                for (int m = 0; m < G::IN / 16; m++) {
                    u32 a[4];
                    transposed(a, row + m * 32);
                    for (int n = 0; n < C / 16; n++) {
                        product(acc[t][m][2 * n], a, b[n][0], b[n][1]);
                        product(acc[t][m][2 * n + 1], a, b[n][2], b[n][3]);
                    }
                }
            }
        }
        sync();
    }
    // By way of shared memory, so that whole lines go out.
    constexpr int LENGTH = G::IN * C, WHOLE = 9 * LENGTH;
    float* sums = (float*)memory;
#pragma unroll
    for (int t = 0; t < G::TAPS; t++)
        for (int m = 0; m < G::IN / 16; m++)
            for (int n = 0; n < C / 8; n++)
                for (int j = 0; j < 4; j++) {
                    const int in = m * 16 + lane / 4 + j / 2 * 8, at = (tap0 + t) * LENGTH + in * C + n * 8 + lane % 4 * 2 + j % 2;
                    sums[group * WHOLE + at] = acc[t][m][n][j];
                }
    sync();
    float* share = out + ((long)blockIdx.x * 9 * C + half) * C;
    for (int i = threadIdx.x; i < WHOLE / 4; i += G::COUNT) {
        Four total = ((const Four*)sums)[i];
        for (int j = 1; j < G::GROUPS; j++) {
            const Four v = ((const Four*)(sums + j * WHOLE))[i];
            for (int l = 0; l < 4; l++) total.x[l] += v.x[l];
        }
        *(Four*)(share + i * 4 / LENGTH * C * C + i * 4 % LENGTH) = total;
    }
}

// out = relu(scale * y + shift), and with ADD relu(scale * y + shift + shortcut). count: of eights.
template <int C, bool ADD> KERNEL(THREADS, 4) normalize(const u16* y, const u16* shortcut, u16* out, int count, const float* statistics) {
    const int chunk = threadIdx.x % (C / 8);
    let_next_start();
    wait_for_last();
    float scale[8], shift[8], v[8], other[8];
    for (int j = 0; j < 8; j++) scale[j] = statistics[2 * C + chunk * 8 + j], shift[j] = statistics[3 * C + chunk * 8 + j];
    for (int i = blockIdx.x * THREADS + threadIdx.x; i < count; i += gridDim.x * THREADS) {
        spread(eight_at(y, i), v);
        if (ADD) spread(eight_at(shortcut, i), other);
        for (int j = 0; j < 8; j++) {
            const float value = v[j] * scale[j] + shift[j] + (ADD ? other[j] : 0);
            v[j] = value > 0 ? value : 0;
        }
        ((Eight*)out)[i] = gathered(v);
    }
}

// The gradient before BatchNorm from that behind it, g: out = a g + b y + c.
template <int C> KERNEL(THREADS, 4) normalize_backward(const u16* g, const u16* y, u16* out, int count, const float* coefficients) {
    const int chunk = threadIdx.x % (C / 8);
    let_next_start();
    wait_for_last();
    float a[8], b[8], c[8], v[8], seen[8];
    for (int j = 0; j < 8; j++) {
        a[j] = coefficients[chunk * 8 + j];
        b[j] = coefficients[C + chunk * 8 + j];
        c[j] = coefficients[2 * C + chunk * 8 + j];
    }
    for (int i = blockIdx.x * THREADS + threadIdx.x; i < count; i += gridDim.x * THREADS) {
        spread(eight_at(g, i), v);
        spread(eight_at(y, i), seen);
        for (int j = 0; j < 8; j++) v[j] = a[j] * v[j] + b[j] * seen[j] + c[j];
        ((Eight*)out)[i] = gathered(v);
    }
}

// The statistics of a y that another kernel made.
template <int C>
KERNEL(THREADS, 2)
statistics_of(const u16* y, int count, float* shares, int* counter, const float* affine, float* statistics, float eps) {
    SHARED;
    let_next_start();
    wait_for_last();
    float first[8] = {0}, second[8] = {0}, v[8];
    for (int i = blockIdx.x * THREADS + threadIdx.x; i < count; i += gridDim.x * THREADS) {
        spread(eight_at(y, i), v);
        for (int j = 0; j < 8; j++) first[j] += v[j], second[j] += v[j] * v[j];
    }
    if (all_shared<C, THREADS>(memory, first, second, shares, counter))
        finish_forward<C, THREADS>(memory, shares, counter, affine, statistics, count / (C / 8), eps);
}

// The gradient before the chain's last ReLU, whose result is x, and the coefficients of the BatchNorm before it, whose input is y.
template <int C>
KERNEL(THREADS, 2)
relu_backward(const u16* g, const u16* x, const u16* y, u16* out, int count, float* shares, int* counter, const float* statistics, float* coefficients) {
    SHARED;
    let_next_start();
    wait_for_last();
    float first[8] = {0}, second[8] = {0}, v[8], other[8];
    for (int i = blockIdx.x * THREADS + threadIdx.x; i < count; i += gridDim.x * THREADS) {
        spread(eight_at(g, i), v);
        spread(eight_at(x, i), other);
        for (int j = 0; j < 8; j++) v[j] = other[j] > 0 ? v[j] : 0;
        spread(eight_at(y, i), other);
        for (int j = 0; j < 8; j++) first[j] += v[j], second[j] += v[j] * other[j];
        ((Eight*)out)[i] = gathered(v);
    }
    if (all_shared<C, THREADS>(memory, first, second, shares, counter))
        finish_backward<C, THREADS>(memory, shares, counter, statistics, coefficients, count / (C / 8));
}
