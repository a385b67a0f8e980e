// What is made of each number by itself: BatchNorm and ReLU, and their gradients.

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
            v[j] = value < 0 ? 0 : value;  // NaN stays
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
        for (int j = 0; j < 8; j++) v[j] = other[j] <= 0 ? 0 : v[j];
        spread(eight_at(y, i), other);
        for (int j = 0; j < 8; j++) first[j] += v[j], second[j] += v[j] * other[j];
        ((Eight*)out)[i] = gathered(v);
    }
    if (all_shared<C, THREADS>(memory, first, second, shares, counter))
        finish_backward<C, THREADS>(memory, shares, counter, statistics, coefficients, count / (C / 8));
}
