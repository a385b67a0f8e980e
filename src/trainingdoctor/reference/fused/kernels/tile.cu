// What a block takes at a time, and how it comes to shared memory.

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
