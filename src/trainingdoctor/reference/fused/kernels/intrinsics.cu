// Kernels for chains of residual blocks on CIFAR's images: 3x3 convolutions of 16, 32 and 64 channels at 32, 16 and 8 pixels a
// side, with BatchNorm's sums in their epilogue, in bfloat16 with float32 sums. From compute capability 8.0 on.
//
// Activations are (pixels, C) of a channels-last batch; kernels are (9 taps, C in, C out). A convolution's tile of pixels lies in
// shared memory once, with its rim, and its nine taps are read from there: cuDNN's kernels for 16 channels move their data seven times.
//
// Sums over the batch are deterministic: each block writes its own share, and the last one to finish adds them in their order.

//
// This file: what only a GPU can do, by name; the tests have the same names for a CPU.

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
