/* Block functions for AVX-512: tables of up to 32 segments stay in two registers a table. */
#include "pwl.h"

#ifdef PWLACT_X86
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#define WIDTH 16

/* A table in two registers, looked up by the low five bits of each index. */
typedef struct {
    __m512 low, high;
} Register_table;

INLINE Register_table load_table(const float *entries) {
    return (Register_table){_mm512_loadu_ps(entries), _mm512_loadu_ps(entries + WIDTH)};
}

INLINE __m512 look_up(Register_table table, __m512i index) {
    return _mm512_permutex2var_ps(table.low, index, table.high);
}

INLINE __mmask16 infinite(__m512 value) { return _mm512_fpclass_ps_mask(value, 0x18); }

/* u = (x - low) / h, rounded once: a Newton step on the product with 1 / h (Markstein, 1990), 4 operations instead
   of a division. An infinite product has no residual and stays as it is. */
INLINE __m512 position(__m512 x, const Tables_float *t) {
    __m512 d = _mm512_sub_ps(x, _mm512_set1_ps(t->low));
    __m512 q = _mm512_mul_ps(d, _mm512_set1_ps(t->inverse_h));
    __m512 residual = _mm512_fnmadd_ps(q, _mm512_set1_ps(t->h), d);
    __mmask16 finite = (__mmask16)~infinite(q);
    return _mm512_mask3_fmadd_ps(residual, _mm512_set1_ps(t->inverse_h), q, finite);
}

/* Left knot of each u, as a float; NaN goes to segment 0 because max returns its second operand then. */
INLINE __m512 segment(__m512 u, const Tables_float *t) {
    __m512 floor = _mm512_roundscale_ps(u, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    return _mm512_min_ps(_mm512_max_ps(floor, _mm512_setzero_ps()), _mm512_set1_ps(t->last));
}

INLINE __mmask16 lanes_left(int64_t n) { return n >= WIDTH ? 0xffff : (__mmask16)((1u << n) - 1); }

INLINE void forward_run(const float *x, float *out, int64_t n, const Tables_float *t, int64_t function,
                        const int32_t *first, int in_registers) {
    Register_table ys = {0}, rises = {0};
    if (in_registers) ys = load_table(t->y + function), rises = load_table(t->rise + function);
    for (int64_t k = 0; k < n; k += WIDTH) {
        __mmask16 lanes = lanes_left(n - k);
        __m512 u = position(_mm512_maskz_loadu_ps(lanes, x + k), t), left = segment(u, t), y, rise;
        __m512i i = _mm512_cvtps_epi32(left);
        if (in_registers) {
            y = look_up(ys, i), rise = look_up(rises, i);
        } else {
            if (first) i = _mm512_add_epi32(i, _mm512_maskz_loadu_epi32(lanes, first + k));
            y = _mm512_i32gather_ps(i, t->y + function, 4), rise = _mm512_i32gather_ps(i, t->rise + function, 4);
        }
        __m512 w = _mm512_sub_ps(u, left);
        /* a flat tail times an infinite distance is the value at the edge, not NaN */
        __mmask16 flat = infinite(u) & _mm512_cmp_ps_mask(rise, _mm512_setzero_ps(), _CMP_EQ_OQ);
        _mm512_mask_storeu_ps(out + k, lanes, _mm512_mask_mov_ps(_mm512_fmadd_ps(w, rise, y), flat, y));
    }
}

INLINE void add_pairs(const float *pairs, const int32_t *index, float *sums, int64_t lane) {
    for (int j = 0; j < WIDTH; j++) {
        double *to = (double *)(sums + (j % LANES) * lane + 2 * (int64_t)index[j]);
        __m128 sum = _mm_castpd_ps(_mm_load_sd(to));
        __m128 more = _mm_castpd_ps(_mm_load_sd((const double *)(pairs + 2 * j)));
        _mm_store_sd(to, _mm_castps_pd(_mm_add_ps(sum, more)));
    }
}

INLINE void backward_run(const float *x, const float *g, float *gx, int64_t n, const Tables_float *t,
                         int64_t function, const int32_t *first, float *sums, int64_t lane, int in_registers) {
    Register_table slopes = {0};
    if (in_registers && gx) slopes = load_table(t->slope + function);
    const __m512i even = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(8));
    float pairs[2 * WIDTH] __attribute__((aligned(64)));
    int32_t index[WIDTH] __attribute__((aligned(64)));
    for (int64_t k = 0; k < n; k += WIDTH) {
        __mmask16 lanes = lanes_left(n - k);
        __m512 u = position(_mm512_maskz_loadu_ps(lanes, x + k), t), left = segment(u, t);
        __m512 grad = _mm512_maskz_loadu_ps(lanes, g + k);
        __m512i i = _mm512_cvtps_epi32(left);
        if (first) i = _mm512_add_epi32(i, _mm512_maskz_loadu_epi32(lanes, first + k));
        if (gx) {
            __m512 slope = in_registers ? look_up(slopes, i) : _mm512_i32gather_ps(i, t->slope + function, 4);
            _mm512_mask_storeu_ps(gx + k, lanes, _mm512_mul_ps(grad, slope));
        }
        if (sums) {
            /* lanes behind the end add zero to a knot near x = 0 */
            __m512 weighted = _mm512_mul_ps(grad, _mm512_sub_ps(u, left));
            _mm512_store_ps(pairs, _mm512_permutex2var_ps(grad, even, weighted));
            _mm512_store_ps(pairs + WIDTH, _mm512_permutex2var_ps(grad, odd, weighted));
            _mm512_store_si512(index, i);
            add_pairs(pairs, index, sums, lane);
        }
    }
}

TARGET static void forward(const float *x, float *out, int64_t n, const Tables_float *t, int64_t function,
                           const int32_t *first) {
    if (!first && t->segments <= 2 * WIDTH)
        forward_run(x, out, n, t, function, NULL, 1);
    else
        forward_run(x, out, n, t, function, first, 0);
}

TARGET static void backward(const float *x, const float *g, float *gx, int64_t n, const Tables_float *t,
                            int64_t function, const int32_t *first, float *sums, int64_t lane) {
    if (!first && t->segments <= 2 * WIDTH)
        backward_run(x, g, gx, n, t, function, NULL, sums, lane, 1);
    else
        backward_run(x, g, gx, n, t, function, first, sums, lane, 0);
}

TARGET static void from_bfloat16(const uint16_t *in, float *out, int64_t n) {
    for (int64_t k = 0; k < n; k += WIDTH) {
        __mmask16 lanes = lanes_left(n - k);
        __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, in + k));
        _mm512_mask_storeu_ps(out + k, lanes, _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16)));
    }
}

TARGET static void to_bfloat16(const float *in, uint16_t *out, int64_t n) {
    for (int64_t k = 0; k < n; k += WIDTH) {
        __mmask16 lanes = lanes_left(n - k);
        __m512 value = _mm512_maskz_loadu_ps(lanes, in + k);
        __m512i bits = _mm512_castps_si512(value);
        /* to nearest, ties to even; NaN stays NaN */
        __m512i last = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
        __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(last, _mm512_set1_epi32(0x7fff)));
        __mmask16 nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
        __m512i half = _mm512_mask_mov_epi32(_mm512_srli_epi32(rounded, 16), nan, _mm512_set1_epi32(0x7fc0));
        _mm256_mask_storeu_epi16(out + k, lanes, _mm512_cvtepi32_epi16(half));
    }
}

TARGET static void from_half(const uint16_t *in, float *out, int64_t n) {
    for (int64_t k = 0; k < n; k += WIDTH) {
        __mmask16 lanes = lanes_left(n - k);
        _mm512_mask_storeu_ps(out + k, lanes, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes, in + k)));
    }
}

TARGET static void to_half(const float *in, uint16_t *out, int64_t n) {
    for (int64_t k = 0; k < n; k += WIDTH) {
        __mmask16 lanes = lanes_left(n - k);
        __m256i half = _mm512_cvtps_ph(_mm512_maskz_loadu_ps(lanes, in + k), _MM_FROUND_TO_NEAREST_INT);
        _mm256_mask_storeu_epi16(out + k, lanes, half);
    }
}

const Blocks blocks_avx512 = {forward, backward, from_bfloat16, to_bfloat16, from_half, to_half};
#endif
