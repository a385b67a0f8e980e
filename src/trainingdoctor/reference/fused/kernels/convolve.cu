// The convolution of one layer, forward or backward, and what its result meets on its way out.

// Kinds of it. The last two are gradients; w is mirrored and transposed then.
constexpr int FORWARD = 0;            // and the statistics of the BatchNorm behind it
constexpr int THROUGH_BATCHNORM = 1;  // times ReLU's slope, which y and its statistics tell
constexpr int THROUGH_BLOCK = 2;      // plus the shortcut's gradient `extra`, times the slope that the block's input x0 tells

// What a warp sees to: M sixteens of pixels, one below the other, from (row, column) on, and N channels from n on.
// The sixteen pixels of a product are of a row, or with 64 channels eight of the same row in both images.
template <int C> struct Part {
    typedef Tile<C> T;
    static constexpr int COUNT = 32 * T::WARPS, GROUPS = T::PIXELS / 16 / T::M, ACROSS = C == 16 ? 2 : 1;
    // Kernels of 16 channels stay in registers.
    static constexpr bool HELD = C == 16;
    int lane, row, column, n;
    u32 pixel, kernel;  // where the thread's row of a matrix begins, of the tile and of the kernels
    DEVICE Part() {
        const int warp = threadIdx.x / 32, group = warp % GROUPS;
        lane = threadIdx.x % 32, row = group / ACROSS * T::M, column = group % ACROSS * 16, n = warp / GROUPS * T::N;
        const int image = C == 64 ? lane % 16 / 8 : 0, own = C == 64 ? lane % 8 : column + lane % 16;
        pixel = ((image * T::HIGH + row) * T::WIDE + own) * T::STRIDE + lane / 16 * 16;
        kernel = lane % 16 * T::STRIDE + (n + lane / 16 * 8) * 2;
    }
};

template <int C> struct Sums {
    float acc[Tile<C>::M][Tile<C>::N / 8][4];
};

// Kernels that stay in registers, by tap.
template <int C> struct Held {
    u32 of[Part<C>::HELD ? 9 : 1][4];
    DEVICE void fetch(u32 kernels) {
#pragma unroll
        for (int tap = 0; tap < 9; tap++) transposed(of[Part<C>::HELD ? tap : 0], kernels + tap * C * Tile<C>::STRIDE);
    }
};

// One column of taps, of sixteen channels that go in. A row of pixels is above one sixteen's centre, at another one's and below
// a third one's: it is read once.
template <int C>
DEVICE void multiply_column(Sums<C>& sums, u32 pixels, u32 kernels, const Held<C>& held, int right) {
    typedef Tile<C> T;
    u32 b[3][T::N / 16][4];
#pragma unroll
    for (int down = 0; down < 3; down++)
#pragma unroll
        for (int n = 0; n < T::N / 16; n++)
            if (!Part<C>::HELD) transposed(b[down][n], kernels + (down * 3 + right) * C * T::STRIDE + n * 32);
            else for (int j = 0; j < 4; j++) b[down][n][j] = held.of[Part<C>::HELD ? down * 3 + right : 0][j];
#pragma unroll
    for (int row = 0; row < T::M + 2; row++) {
        u32 a[4];
        matrix(a, pixels + (row * T::WIDE + right) * T::STRIDE);
#pragma unroll
        for (int down = 0; down < 3; down++)
            if (row - down >= 0 && row - down < T::M)
#pragma unroll
                for (int n = 0; n < T::N / 16; n++) {
                    product(sums.acc[row - down][2 * n], a, b[down][n][0], b[down][n][1]);
                    product(sums.acc[row - down][2 * n + 1], a, b[down][n][2], b[down][n][3]);
                }
    }
}

template <int C> DEVICE void multiply(Sums<C>& sums, const Part<C>& part, u32 tile, u32 kernels, const Held<C>& held) {
    for (int m = 0; m < Tile<C>::M; m++)
        for (int n = 0; n < Tile<C>::N / 8; n++)
            for (int j = 0; j < 4; j++) sums.acc[m][n][j] = 0;
#pragma unroll
    for (int k = 0; k < C / 16; k++)
#pragma unroll
        for (int right = 0; right < 3; right++)
            multiply_column<C>(sums, tile + part.pixel + k * 32, kernels + part.kernel + k * 16 * Tile<C>::STRIDE, held, right);
}

// The result, as bfloat16, to where the tile was.
template <int C> DEVICE void put_down(char* tile, const Part<C>& part, const Sums<C>& sums) {
    typedef Tile<C> T;
    constexpr int LOWER = C == 64 ? T::SIDE * T::SIDE : 8;
#pragma unroll
    for (int m = 0; m < T::M; m++)
#pragma unroll
        for (int n = 0; n < T::N / 8; n++) {
            const int pixel = (part.row + m) * T::SIDE + part.column + part.lane / 4;
            char* to = tile + pixel * T::STRIDE + (part.n + n * 8 + part.lane % 4 * 2) * 2;
            *(u32*)to = packed(sums.acc[m][n][0], sums.acc[m][n][1]);
            *(u32*)(to + LOWER * T::STRIDE) = packed(sums.acc[m][n][2], sums.acc[m][n][3]);
        }
}

// The way out of a tile, by eights of channels: a thread has always the same eight.
template <int C, int KIND> struct WayOut {
    typedef Tile<C> T;
    static constexpr int COUNT = Part<C>::COUNT, TURNS = T::PIXELS * T::CHUNKS / COUNT, STEP = COUNT / T::CHUNKS;
    static constexpr bool SEEN = KIND != FORWARD;
    int chunk, place;
    float scale[8], shift[8], first[8], second[8];
    Eight added[TURNS], inputs[TURNS], seen[TURNS];

    DEVICE WayOut(const float* statistics) {
        chunk = threadIdx.x % T::CHUNKS, place = threadIdx.x / T::CHUNKS;
        for (int j = 0; j < 8; j++) {
            first[j] = second[j] = 0;
            if (KIND == THROUGH_BATCHNORM) scale[j] = statistics[2 * C + chunk * 8 + j], shift[j] = statistics[3 * C + chunk * 8 + j];
        }
    }
    DEVICE void fetch(int tile, const u16* extra, const u16* x0, const u16* y) {
#pragma unroll
        for (int i = 0; i < TURNS; i++) {
            const long at = ((long)tile * T::PIXELS + place + i * STEP) * T::CHUNKS + chunk;
            if (KIND == THROUGH_BLOCK) added[i] = eight_at(extra, at), inputs[i] = eight_at(x0, at);
            if (SEEN) seen[i] = eight_at(y, at);
        }
    }
    DEVICE void finish(float (&v)[8], int i) {
        float other[8];
        if (KIND == THROUGH_BLOCK) {
            spread(added[i], other);
            for (int j = 0; j < 8; j++) v[j] += other[j];
            spread(inputs[i], other);
            for (int j = 0; j < 8; j++) v[j] = other[j] <= 0 ? 0 : v[j];
        }
        if (SEEN) spread(seen[i], other);
        for (int j = 0; j < 8; j++) {
            if (KIND == THROUGH_BATCHNORM) v[j] = other[j] * scale[j] + shift[j] <= 0 ? 0 : v[j];
            first[j] += v[j];
            second[j] += v[j] * (KIND == FORWARD ? v[j] : other[j]);
        }
    }
    DEVICE void write(u16* out, const char* staged, int tile) {
#pragma unroll
        for (int i = 0; i < TURNS; i++) {
            const int pixel = place + i * STEP;
            float v[8];
            spread(*(const Eight*)(staged + pixel * T::STRIDE + chunk * 16), v);
            finish(v, i);
            ((Eight*)out)[((long)tile * T::PIXELS + pixel) * T::CHUNKS + chunk] = gathered(v);
        }
    }
};

// out = x convolved with w. statistics: of the layer behind (FORWARD) or of the one whose gradient comes out, which y belongs to.
template <int C, int KIND>
KERNEL(32 * Tile<C>::WARPS, C == 64 ? 1 : 2)
convolve(const u16* x, const u16* w, u16* out, const u16* extra, const u16* x0, const u16* y, int pixels, float* shares, int* counter,
         const float* affine, float* statistics, float* coefficients, float eps) {
    typedef Tile<C> T;
    constexpr int COUNT = Part<C>::COUNT;
    SHARED;
    let_next_start();
    const u32 kernels = address_of(memory), buffers = kernels + T::KERNELS;
    const int tiles = pixels / T::PIXELS;
    const Part<C> part;
    fetch_plain<C, 9 * C, COUNT>(kernels, w);
    commit();
    wait_for_last();
    WayOut<C, KIND> way(statistics);
    if (blockIdx.x < tiles) fetch_rimmed<C, COUNT>(buffers, x, blockIdx.x);
    commit();
    Held<C> held;
    if (Part<C>::HELD) {
        wait<1>();
        sync();
        held.fetch(kernels + part.kernel);
    }
    int current = 0;
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x, current ^= 1) {
        if (tile + gridDim.x < tiles) fetch_rimmed<C, COUNT>(buffers + (current ^ 1) * T::RIMMED, x, tile + gridDim.x);
        commit();
        wait<1>();
        sync();
        Sums<C> sums;
        multiply<C>(sums, part, buffers + current * T::RIMMED, kernels, held);
        way.fetch(tile, extra, x0, y);
        // The tile has been read: its memory takes the result, from where whole rows go out.
        char* staged = memory + T::KERNELS + current * T::RIMMED;
        sync();
        put_down<C>(staged, part, sums);
        sync();
        way.write(out, staged, tile);
        sync();
    }
    if (!all_shared<C, COUNT>(memory, way.first, way.second, shares, counter)) return;
    if (KIND == FORWARD) finish_forward<C, COUNT>(memory, shares, counter, affine, statistics, pixels, eps);
    else finish_backward<C, COUNT>(memory, shares, counter, statistics, coefficients, pixels);
}
