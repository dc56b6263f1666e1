/* Block functions for AVX2 with FMA: tables are gathered from the first cache. */
#include "pwl.h"

#ifdef PWLACT_X86
#include <immintrin.h>
#include <string.h>

#define TARGET __attribute__((target("avx2,fma,f16c")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#define WIDTH 8

INLINE __m256 infinite(__m256 value) {
    __m256 size = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), value);
    return _mm256_cmp_ps(size, _mm256_set1_ps(__builtin_inff()), _CMP_EQ_OQ);
}

/* u and its left knot; the Newton step and the order of max and min are explained in avx512.c. */
INLINE __m256 position(__m256 x, const Tables_float *t, __m256 *left) {
    __m256 d = _mm256_sub_ps(x, _mm256_set1_ps(t->low));
    __m256 q = _mm256_mul_ps(d, _mm256_set1_ps(t->inverse_h));
    __m256 residual = _mm256_fnmadd_ps(q, _mm256_set1_ps(t->h), d);
    __m256 better = _mm256_fmadd_ps(residual, _mm256_set1_ps(t->inverse_h), q);
    __m256 u = _mm256_blendv_ps(better, q, infinite(q));
    *left = _mm256_min_ps(_mm256_max_ps(_mm256_floor_ps(u), _mm256_setzero_ps()), _mm256_set1_ps(t->last));
    return u;
}

INLINE void forward_eight(const float *x, float *out, const Tables_float *t, int64_t function, const int32_t *first) {
    __m256 left, u = position(_mm256_loadu_ps(x), t, &left);
    __m256i i = _mm256_cvtps_epi32(left);
    if (first) i = _mm256_add_epi32(i, _mm256_loadu_si256((const __m256i *)first));
    __m256 y = _mm256_i32gather_ps(t->y + function, i, 4), rise = _mm256_i32gather_ps(t->rise + function, i, 4);
    /* a flat tail times an infinite distance is the value at the edge, not NaN */
    __m256 flat = _mm256_and_ps(infinite(u), _mm256_cmp_ps(rise, _mm256_setzero_ps(), _CMP_EQ_OQ));
    _mm256_storeu_ps(out, _mm256_blendv_ps(_mm256_fmadd_ps(_mm256_sub_ps(u, left), rise, y), y, flat));
}

INLINE void backward_eight(const float *x, const float *g, float *gx, const Tables_float *t, int64_t function,
                           const int32_t *first, float *sums, int64_t lane) {
    __m256 left, u = position(_mm256_loadu_ps(x), t, &left), grad = _mm256_loadu_ps(g);
    __m256i i = _mm256_cvtps_epi32(left);
    if (first) i = _mm256_add_epi32(i, _mm256_loadu_si256((const __m256i *)first));
    if (gx) _mm256_storeu_ps(gx, _mm256_mul_ps(grad, _mm256_i32gather_ps(t->slope + function, i, 4)));
    if (!sums) return;
    float pairs[2 * WIDTH] __attribute__((aligned(32)));
    int32_t index[WIDTH] __attribute__((aligned(32)));
    /* unpacking works on halves: pairs 0 1 4 5, then 2 3 6 7 */
    __m256 weighted = _mm256_mul_ps(grad, _mm256_sub_ps(u, left));
    _mm256_store_ps(pairs, _mm256_unpacklo_ps(grad, weighted));
    _mm256_store_ps(pairs + WIDTH, _mm256_unpackhi_ps(grad, weighted));
    _mm256_store_si256((__m256i *)index, i);
    static const int place[WIDTH] = {0, 1, 4, 5, 2, 3, 6, 7};
#pragma GCC unroll 8
    for (int j = 0; j < WIDTH; j++) {
        double *to = (double *)(sums + place[j] * lane + 2 * (int64_t)index[place[j]]);
        __m128 more = _mm_castpd_ps(_mm_load_sd((const double *)(pairs + 2 * j)));
        _mm_store_sd(to, _mm_castps_pd(_mm_add_ps(_mm_castpd_ps(_mm_load_sd(to)), more)));
    }
}

/* What is left behind the last full vector goes through buffers, so that no result depends on where its x lies. */
TARGET static void forward(const float *x, float *out, int64_t n, const Tables_float *t, int64_t function,
                           const int32_t *first) {
    int64_t k = 0;
    for (; k + WIDTH <= n; k += WIDTH) forward_eight(x + k, out + k, t, function, first ? first + k : NULL);
    if (k == n) return;
    float xs[WIDTH] = {0}, outs[WIDTH];
    int32_t firsts[WIDTH] = {0};
    size_t left = (size_t)(n - k);
    memcpy(xs, x + k, left * sizeof *xs);
    if (first) memcpy(firsts, first + k, left * sizeof *firsts);
    forward_eight(xs, outs, t, function, first ? firsts : NULL);
    memcpy(out + k, outs, left * sizeof *outs);
}

TARGET static void backward(const float *x, const float *g, float *gx, int64_t n, const Tables_float *t,
                            int64_t function, const int32_t *first, float *sums, int64_t lane) {
    int64_t k = 0;
    for (; k + WIDTH <= n; k += WIDTH)
        backward_eight(x + k, g + k, gx ? gx + k : NULL, t, function, first ? first + k : NULL, sums, lane);
    if (k == n) return;
    /* the lanes behind the end add zero to a knot near x = 0 */
    float xs[WIDTH] = {0}, gs[WIDTH] = {0}, gxs[WIDTH];
    int32_t firsts[WIDTH] = {0};
    size_t left = (size_t)(n - k);
    memcpy(xs, x + k, left * sizeof *xs);
    memcpy(gs, g + k, left * sizeof *gs);
    if (first) memcpy(firsts, first + k, left * sizeof *firsts);
    backward_eight(xs, gs, gx ? gxs : NULL, t, function, first ? firsts : NULL, sums, lane);
    if (gx) memcpy(gx + k, gxs, left * sizeof *gxs);
}

TARGET static void from_bfloat16(const uint16_t *in, float *out, int64_t n) {
    int64_t k = 0;
    for (; k + WIDTH <= n; k += WIDTH) {
        __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(in + k)));
        _mm256_storeu_si256((__m256i *)(out + k), _mm256_slli_epi32(wide, 16));
    }
    if (k < n) blocks_plain.from_bfloat16(in + k, out + k, n - k);
}

TARGET static void to_bfloat16(const float *in, uint16_t *out, int64_t n) {
    int64_t k = 0;
    for (; k + WIDTH <= n; k += WIDTH) {
        __m256 value = _mm256_loadu_ps(in + k);
        __m256i bits = _mm256_castps_si256(value);
        __m256i last = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
        __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(last, _mm256_set1_epi32(0x7fff)));
        __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(value, value, _CMP_UNORD_Q));
        __m256i half = _mm256_blendv_epi8(_mm256_srli_epi32(rounded, 16), _mm256_set1_epi32(0x7fc0), nan);
        __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(half, half), 0x08);
        _mm_storeu_si128((__m128i *)(out + k), _mm256_castsi256_si128(packed));
    }
    if (k < n) blocks_plain.to_bfloat16(in + k, out + k, n - k);
}

TARGET static void from_half(const uint16_t *in, float *out, int64_t n) {
    int64_t k = 0;
    for (; k + WIDTH <= n; k += WIDTH)
        _mm256_storeu_ps(out + k, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(in + k))));
    if (k < n) blocks_plain.from_half(in + k, out + k, n - k);
}

TARGET static void to_half(const float *in, uint16_t *out, int64_t n) {
    int64_t k = 0;
    for (; k + WIDTH <= n; k += WIDTH)
        _mm_storeu_si128((__m128i *)(out + k), _mm256_cvtps_ph(_mm256_loadu_ps(in + k), _MM_FROUND_TO_NEAREST_INT));
    if (k < n) blocks_plain.to_half(in + k, out + k, n - k);
}

const Blocks blocks_avx2 = {forward, backward, from_bfloat16, to_bfloat16, from_half, to_half};
#endif
