/* The two entries of the kernel, for every element type. */
#include "pwl.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    TASK = 32768,   /* least elements a task: below, waking a thread costs more than it saves */
    ROW = 16,       /* inner elements from which each function's runs are read on their own */
    PENDING = 8192, /* elements after which float32 sums are added to double ones */
};

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t over(int64_t a, int64_t b) { return (a + b - 1) / b; }

static const float *load(const Call *call, const void *from, int64_t at, int64_t n, float *buffer) {
    if (call->type == FLOAT32) return (const float *)from + at;
    (call->type == BFLOAT16 ? call->blocks->from_bfloat16 : call->blocks->from_half)((const uint16_t *)from + at,
                                                                                     buffer, n);
    return buffer;
}

static void store(const Call *call, const float *from, void *to, int64_t at, int64_t n) {
    if (call->type == FLOAT32) return;
    (call->type == BFLOAT16 ? call->blocks->to_bfloat16 : call->blocks->to_half)(from, (uint16_t *)to + at, n);
}

#define REAL float
#define TABLES Tables_float
#define NAME(f) f##_float
#define LOAD load
#define TARGET_OF(call, to, at, buffer) ((call)->type == FLOAT32 ? (float *)(to) + (at) : (buffer))
#define STORE store
#define FORWARD(call) (call)->blocks->forward
#define BACKWARD(call) (call)->blocks->backward
#include "drive.h"
#undef REAL
#undef TABLES
#undef NAME
#undef LOAD
#undef TARGET_OF
#undef STORE
#undef FORWARD
#undef BACKWARD

#define REAL double
#define TABLES Tables_double
#define NAME(f) f##_double
#define LOAD(call, from, at, n, buffer) ((const double *)(from) + (at))
#define TARGET_OF(call, to, at, buffer) ((double *)(to) + (at))
#define STORE(call, from, to, at, n) ((void)0)
#define FORWARD(call) forward_double
#define BACKWARD(call) backward_double
#include "drive.h"

int run(const Call *call) { return call->type == FLOAT64 ? run_double(call) : run_float(call); }
