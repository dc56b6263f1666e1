/* Sparse maps onto the simplex, float32 rows: sparsemax, 1.5-entmax, and products with their Jacobians.

   Newton's method on each row while it lies in the first cache. Sums run in lanes side by side, which the compiler
   turns into vectors, and end in double. */
#include <math.h>
#include <stdatomic.h>
#include <stdint.h>


#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-math-errno") /* a square root is one instruction */
#endif

/* one copy of a function for each kind of vectors, picked when the library is loaded */
#if defined(PWLACT_X86) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__) && defined(__GLIBC__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif
#if defined(_MSC_VER)
#define INLINE static __forceinline
#else
#define INLINE static inline __attribute__((always_inline))
#endif

enum { SOFTMAX, SPARSEMAX, ENTMAX15 };

/* One call: z and out, or p, g and out, are dense (rows, size). */
typedef struct {
    int map;
    const float *z, *p, *g;
    float *out;
    int64_t rows, size;
    int threads;
} SparseCall;

enum {
    WIDE = 32,  /* lanes */
    TASK = 32,  /* rows that a thread takes at a time */
    STEPS = 100 /* far more than Newton's method takes */
};

typedef struct {
    double total, second; /* sum x, and the size of the support or sum x^2 */
} Sums;

INLINE double add_up(const float *lanes) {
    double half[WIDE / 2];
    for (int l = 0; l < WIDE / 2; l++) half[l] = (double)lanes[l] + lanes[l + WIDE / 2];
    for (int wide = WIDE / 4; wide; wide /= 2)
        for (int l = 0; l < wide; l++) half[l] += half[l + wide];
    return half[0];
}

/* Largest of the row; NaN where one is NaN. */
INLINE float largest(const float *z, int64_t size) {
    float top[WIDE];
    int32_t bad[WIDE] = {0};
    for (int l = 0; l < WIDE; l++) top[l] = -INFINITY;
    int64_t i = 0;
    for (; i + WIDE <= size; i += WIDE)
        for (int l = 0; l < WIDE; l++) {
            float value = z[i + l];
            top[l] = top[l] > value ? top[l] : value;
            bad[l] |= value != value;
        }
    float found = -INFINITY;
    int nan = 0;
    for (; i < size; i++) found = found > z[i] ? found : z[i], nan |= z[i] != z[i];
    for (int l = 0; l < WIDE; l++) found = found > top[l] ? found : top[l], nan |= bad[l];
    return nan ? NAN : found;
}

/* x = relu(v - tau): its sum, and how many are above 0. */
INLINE Sums sums_and_size(const float *v, int64_t size, float tau) {
    float total[WIDE] = {0};
    int32_t count[WIDE] = {0};
    int64_t i = 0;
    for (; i + WIDE <= size; i += WIDE)
        for (int l = 0; l < WIDE; l++) {
            float x = v[i + l] - tau;
            total[l] += x > 0 ? x : 0;
            count[l] += x > 0;
        }
    int64_t inside = 0;
    for (int l = 0; l < WIDE; l++) inside += count[l];
    Sums sum = {add_up(total), 0};
    for (; i < size; i++) {
        float x = v[i] - tau;
        sum.total += x > 0 ? x : 0, inside += x > 0;
    }
    sum.second = (double)inside;
    return sum;
}

/* x = relu(v - tau): its sum, and the sum of its squares. */
INLINE Sums sums_and_squares(const float *v, int64_t size, float tau) {
    float total[WIDE] = {0}, squares[WIDE] = {0};
    int64_t i = 0;
    for (; i + WIDE <= size; i += WIDE)
        for (int l = 0; l < WIDE; l++) {
            float x = v[i + l] - tau;
            x = x > 0 ? x : 0;
            total[l] += x;
            squares[l] += x * x;
        }
    Sums sum = {add_up(total), add_up(squares)};
    for (; i < size; i++) {
        float x = v[i] - tau;
        x = x > 0 ? x : 0;
        sum.total += x, sum.second += x * x;
    }
    return sum;
}

/* tau of the units above the last tau, till these stay the same. */
INLINE float tau_sparsemax(const float *v, int64_t size) {
    float tau = -1;
    double before = INFINITY;
    for (;;) {
        Sums sum = sums_and_size(v, size, tau);
        tau = (float)(tau + (sum.total - 1) / sum.second);
        if (sum.second >= before) return tau;
        before = sum.second;
    }
}

/* Newton's method on the norm of x, then the root for its support: n d^2 - 2 d sum x + sum x^2 = 1. */
INLINE float tau_entmax15(const float *v, int64_t size) {
    float tau = -1;
    for (int i = 0; i < STEPS; i++) {
        Sums sum = sums_and_squares(v, size, tau);
        double norm = sqrt(sum.second), step = (norm - 1) * norm / sum.total;
        tau = (float)(tau + step);
        if (step <= 3e-4) break;
    }
    Sums sum = sums_and_squares(v, size, tau);
    double n = sums_and_size(v, size, tau).second, rest = sum.total * sum.total - n * (sum.second - 1);
    return (float)(tau + (sum.second - 1) / (sum.total + sqrt(rest > 0 ? rest : 0)));
}

INLINE void forward_row(int map, const float *z, float *p, int64_t size) {
    float top = largest(z, size);
    if (!(top < INFINITY && top > -INFINITY)) {
        for (int64_t i = 0; i < size; i++) p[i] = NAN;
        return;
    }
    float scale = map == SPARSEMAX ? 1.0f : 0.5f;
    for (int64_t i = 0; i < size; i++) p[i] = (z[i] - top) * scale;
    float tau = map == SPARSEMAX ? tau_sparsemax(p, size) : tau_entmax15(p, size);
    for (int64_t i = 0; i < size; i++) {
        float x = p[i] - tau;
        x = x > 0 ? x : 0;
        x = x < 1 ? x : 1;
        p[i] = map == SPARSEMAX ? x : x * x;
    }
}

/* s; NaN where p is. */
INLINE float weight(int map, float p) {
    if (map == SPARSEMAX) return p > 0 ? 1.0f : p;
    /* the smallest number of full precision is nothing to a root, and spares it zeros, on which it may be slow */
    return map == ENTMAX15 ? p == 0 ? 0.0f : sqrtf(p + 1.17549435e-38f) : p;
}

INLINE void product_row(int map, const float *p, const float *g, float *out, int64_t size) {
    float total[WIDE] = {0}, dot[WIDE] = {0};
    int64_t i = 0;
    for (; i + WIDE <= size; i += WIDE)
        for (int l = 0; l < WIDE; l++) {
            float s = weight(map, p[i + l]), sg = s * g[i + l];
            total[l] += s;
            dot[l] += s == 0 ? 0 : sg;
        }
    double sum = add_up(total), inner = add_up(dot);
    for (; i < size; i++) {
        float s = weight(map, p[i]);
        sum += s, inner += s == 0 ? 0 : s * g[i];
    }
    /* a row without support is all zeros, and so is its Jacobian */
    float mean = (float)(sum == 0 ? 0 : inner / sum);
    for (i = 0; i < size; i++) {
        float s = weight(map, p[i]), value = s * (g[i] - mean);
        out[i] = s == 0 ? 0 : value;
    }
}

typedef struct {
    const SparseCall *call;
    atomic_llong next;
} Plan;

FOR_EACH_PROCESSOR static void forward_rows(const SparseCall *call, int64_t from, int64_t to) {
    for (int64_t row = from; row < to; row++)
        forward_row(call->map, call->z + row * call->size, call->out + row * call->size, call->size);
}

FOR_EACH_PROCESSOR static void product_rows(const SparseCall *call, int64_t from, int64_t to) {
    for (int64_t row = from; row < to; row++) {
        int64_t at = row * call->size;
        product_row(call->map, call->p + at, call->g + at, call->out + at, call->size);
    }
}

static void share_out(Plan *plan, void (*rows)(const SparseCall *, int64_t, int64_t)) {
    int64_t from;
    while ((from = atomic_fetch_add(&plan->next, TASK)) < plan->call->rows) {
        int64_t to = from + TASK;
        rows(plan->call, from, to < plan->call->rows ? to : plan->call->rows);
    }
}

static void forward_work(void *plan) { share_out(plan, forward_rows); }
static void product_work(void *plan) { share_out(plan, product_rows); }

static void run_rows(const SparseCall *call, void (*work)(void *)) {
    Plan plan = {.call = call};
    atomic_init(&plan.next, 0);
    int64_t tasks = (call->rows + TASK - 1) / TASK;
    in_parallel(work, &plan, (int)(call->threads < tasks ? call->threads : tasks));
}

/* p of each row; rows whose largest z is not finite, or that hold a NaN, are filled with NaN. */
static void sparse_forward(const SparseCall *call) { run_rows(call, forward_work); }
/* J g = s (g - sum s g / sum s) of each row, s a function of p; g is not read where s = 0. */
static void sparse_product(const SparseCall *call) { run_rows(call, product_work); }
