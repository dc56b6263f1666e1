/* The block functions in plain C, for one type: REAL is float or double, NAME(f) the function's full name. */

static inline REAL NAME(position)(REAL x, const TABLES *t, int64_t *segment) {
    REAL u = (x - t->low) / t->h;
    /* compared so that NaN goes to segment 0 */
    REAL low = u > 0 ? u : 0;
    REAL inside = low < t->last ? low : t->last;
    int64_t i = (int64_t)inside; /* not negative, so truncation is floor */
    *segment = i;
    return u - (REAL)i;
}

static inline REAL NAME(tail)(REAL w, REAL y, REAL rise) {
    /* a flat tail times an infinite distance is the value at the edge, not NaN */
    return rise == 0 && w == w ? y : y + w * rise; /* w == w: NaN stays NaN */
}

void NAME(forward)(const REAL *x, REAL *out, int64_t n, const TABLES *t, int64_t function, const int32_t *first) {
    for (int64_t k = 0; k < n; k++) {
        int64_t i;
        REAL w = NAME(position)(x[k], t, &i);
        int64_t at = function + i + (first ? first[k] : 0);
        out[k] = NAME(tail)(w, t->y[at], t->rise[at]);
    }
}

void NAME(backward)(const REAL *x, const REAL *g, REAL *gx, int64_t n, const TABLES *t, int64_t function,
                    const int32_t *first, REAL *sums, int64_t lane) {
    for (int64_t k = 0; k < n; k++) {
        int64_t i;
        REAL w = NAME(position)(x[k], t, &i);
        if (first) i += first[k];
        if (gx) gx[k] = g[k] * t->slope[function + i];
        if (sums) {
            REAL *pair = sums + (k % LANES) * lane + 2 * i;
            pair[0] += g[k];
            pair[1] += g[k] * w;
        }
    }
}
