// Sums over the batch, and what BatchNorm and its gradient make of them.

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
        const float spread = sums[C + channel] / pixels - mean * mean, variance = spread < 0 ? 0 : spread;
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
