/* What the parts of the CPU kernel share.

   f(x) = y_i + w (y_{i+1} - y_i), u = (x - low) / h, i = clamp(floor(u), 0, N - 2), w = u - i.

   Memory is read as (outer, functions, inner): element e has function (e / inner) % functions. A set of block
   functions, one set an instruction set, does the arithmetic on short runs of float32; drive.h cuts tensors into
   such runs, spreads them over threads and sums their knot gradients in a fixed order. */
#ifndef PWLACT_PWL_H
#define PWLACT_PWL_H

#include <stdint.h>

#if defined(_MSC_VER)
#define RESTRICT __restrict
#else
#define RESTRICT __restrict__
#endif

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
#define PWLACT_X86 1
#endif

/* Runs handed to block functions are at most this long: three buffers of it lie in the first cache. */
#define BLOCK 2048

/* Copies of a histogram that take turns, so that an addition need not wait for the one before it. */
#define LANES 8

/* The grid, and tables of `stride` entries a function; entries behind the last segment are zero. */
typedef struct {
    int64_t segments, stride;
    float low, h, inverse_h, last;
    const float *y, *rise;  /* y_i and y_{i+1} - y_i, for forward */
    const float *slope;     /* (y_{i+1} - y_i) / h, for backward */
} Tables_float;

typedef struct {
    int64_t segments, stride;
    double low, h, inverse_h, last;
    const double *y, *rise, *slope;
} Tables_double;

/* Block functions. `function` is where the table row begins, counted in entries; `first`, where not NULL, moves
   each element on to a row of its own. In backward, `gx` or `sums` may be NULL; `sums` holds pairs (sum g, sum g w)
   an entry, counted from `function`; element j adds to lane j % LANES, and lanes lie `lane` floats apart (0: they
   are one). */
typedef struct {
    void (*forward)(const float *x, float *out, int64_t n, const Tables_float *t, int64_t function,
                    const int32_t *first);
    void (*backward)(const float *x, const float *g, float *gx, int64_t n, const Tables_float *t, int64_t function,
                     const int32_t *first, float *sums, int64_t lane);
    void (*from_bfloat16)(const uint16_t *in, float *out, int64_t n);
    void (*to_bfloat16)(const float *in, uint16_t *out, int64_t n);
    void (*from_half)(const uint16_t *in, float *out, int64_t n);
    void (*to_half)(const float *in, uint16_t *out, int64_t n);
} Blocks;

extern const Blocks blocks_plain;
#ifdef PWLACT_X86
extern const Blocks blocks_avx2, blocks_avx512;
#endif

/* The float64 block functions; plain C serves every machine. */
void forward_double(const double *x, double *out, int64_t n, const Tables_double *t, int64_t function,
                    const int32_t *first);
void backward_double(const double *x, const double *g, double *gx, int64_t n, const Tables_double *t,
                     int64_t function, const int32_t *first, double *sums, int64_t lane);

enum { FLOAT32, BFLOAT16, FLOAT16, FLOAT64 };

/* One call, as Python asks for it. Pointers are to dense memory; gx or gy is NULL where not wanted. */
typedef struct {
    const Blocks *blocks;
    int type;
    const void *x, *g, *values;
    void *out, *gx, *gy;
    int64_t outer, functions, inner, knots;
    double low, high;
    int threads;
} Call;

/* Forward where `out` is given, else backward; 0, or -1 without memory. */
int run(const Call *call);

/* Whether threads are the ones that torch computes with. */
int has_threads(void);
void in_parallel(void (*work)(void *), void *data, int threads);

#endif
