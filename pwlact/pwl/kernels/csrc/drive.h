/* From tensors to block functions, for one type of computation: REAL is float or double, NAME(f) the full name.

   Work is cut into tasks by shape alone, never by the number of threads, and each task leaves its own partial sums
   for the knots, in double. Adding them up in order makes the result independent of who did what when. */

typedef struct {
    const Call *call;
    TABLES tables;
    int64_t tile, tiles;   /* functions a task covers, tasks side by side to cover them all */
    int64_t cut, cuts;     /* elements of inner a task covers, tasks side by side to cover inner */
    int64_t rows, chunks;  /* outer rows a task covers, tasks one after the other to cover outer */
    int64_t run;           /* elements a block function gets at once */
    int32_t *first;        /* NULL where a run belongs to one function; else its elements' starts in the tables */
    int64_t lane;          /* distance of the histogram's lanes */
    double *partial;       /* (chunks * cuts, functions, knots): what each task adds to the knots' gradient */
    atomic_llong next;
    atomic_int failed;
} NAME(Plan);

/* One thread's buffers. */
typedef struct {
    REAL *x, *g, *out, *sums;
    double *total;
    int64_t pending; /* elements in `sums` */
} NAME(Scratch);

static int NAME(make_tables)(NAME(Plan) *plan) {
    const Call *call = plan->call;
    TABLES *t = &plan->tables;
    int64_t segments = call->knots - 1, stride = (segments < 32 ? 32 : (segments + 15) / 16 * 16);
    REAL *y = calloc((size_t)(3 * call->functions * stride), sizeof(REAL));
    if (!y) return -1;
    REAL *rise = y + call->functions * stride, *slope = rise + call->functions * stride;
    REAL h = (REAL)((call->high - call->low) / (double)segments);
    for (int64_t f = 0; f < call->functions; f++) {
        const REAL *values = (const REAL *)call->values + f * call->knots;
        for (int64_t s = 0; s < segments; s++) {
            y[f * stride + s] = values[s];
            rise[f * stride + s] = values[s + 1] - values[s];
            slope[f * stride + s] = (values[s + 1] - values[s]) / h;
        }
    }
    *t = (TABLES){segments, stride, (REAL)call->low, h, 1 / h, (REAL)(segments - 1), y, rise, slope};
    return 0;
}

static int NAME(make_plan)(NAME(Plan) *plan, const Call *call) {
    memset(plan, 0, sizeof *plan);
    plan->call = call;
    if (NAME(make_tables)(plan)) return -1;
    int64_t stride = plan->tables.stride, inner = call->inner, functions = call->functions;
    int64_t target = larger(TASK, call->outer * functions * inner / 128);
    if (inner >= ROW || functions == 1) {
        plan->tile = 1, plan->cut = smaller(inner, target), plan->run = BLOCK;
    } else {
        /* as many functions as keep tables and histogram in the first cache */
        plan->tile = smaller(functions, larger(16, 2048 / stride)), plan->cut = inner;
        int64_t period = plan->tile * inner;
        plan->run = plan->tile == functions ? BLOCK / period * period : period;
        plan->first = malloc((size_t)plan->run * sizeof *plan->first);
        if (!plan->first) return -1;
        for (int64_t k = 0; k < plan->run; k++) plan->first[k] = (int32_t)(k / inner % plan->tile * stride);
    }
    plan->tiles = over(functions, plan->tile), plan->cuts = over(inner, plan->cut);
    plan->rows = smaller(call->outer, larger(1, target / (plan->tile * plan->cut)));
    plan->chunks = over(call->outer, plan->rows);
    /* many lanes pay only where a histogram fills; and they should fit the first cache */
    int64_t elements = plan->rows * plan->cut;
    plan->lane = plan->first || elements < 2 * LANES * stride || stride > 512 ? 0 : 2 * stride;
    if (call->gy) {
        plan->partial = malloc((size_t)(plan->chunks * plan->cuts * functions * call->knots) * sizeof(double));
        if (!plan->partial) return -1;
    }
    return 0;
}

static void NAME(free_plan)(NAME(Plan) *plan) {
    free((void *)plan->tables.y);
    free(plan->first);
    free(plan->partial);
}

/* Entries of the histogram, in REALs, with all its lanes. */
static int64_t NAME(histogram_size)(const NAME(Plan) *plan) {
    return 2 * plan->tile * plan->tables.stride + (LANES - 1) * plan->lane;
}

static void NAME(flush)(const NAME(Plan) *plan, NAME(Scratch) *scratch) {
    int64_t entries = 2 * plan->tile * plan->tables.stride;
    for (int64_t lane = 0; lane < (plan->lane ? LANES : 1); lane++)
        for (int64_t k = 0; k < entries; k++) scratch->total[k] += scratch->sums[lane * plan->lane + k];
    memset(scratch->sums, 0, (size_t)NAME(histogram_size)(plan) * sizeof(REAL));
    scratch->pending = 0;
}

/* One run of at most plan->run elements from element `at` on, of functions from `function` on. */
static void NAME(run_block)(const NAME(Plan) *plan, NAME(Scratch) *scratch, int64_t function, int64_t at, int64_t n) {
    const Call *call = plan->call;
    const TABLES *t = &plan->tables;
    const REAL *x = LOAD(call, call->x, at, n, scratch->x);
    if (call->out) {
        REAL *out = TARGET_OF(call, call->out, at, scratch->out);
        FORWARD(call)(x, out, n, t, function * t->stride, plan->first);
        STORE(call, out, call->out, at, n);
        return;
    }
    const REAL *g = LOAD(call, call->g, at, n, scratch->g);
    REAL *gx = call->gx ? TARGET_OF(call, call->gx, at, scratch->out) : NULL;
    REAL *sums = call->gy ? scratch->sums : NULL;
    BACKWARD(call)(x, g, gx, n, t, function * t->stride, plan->first, sums, plan->lane);
    if (gx) STORE(call, gx, call->gx, at, n);
    /* in float32 a sum is kept only over few elements */
    if (sums && (scratch->pending += n) >= PENDING) NAME(flush)(plan, scratch);
}

static void NAME(run_task)(const NAME(Plan) *plan, NAME(Scratch) *scratch, int64_t task) {
    const Call *call = plan->call;
    int64_t cut = task % plan->cuts, tile = task / plan->cuts % plan->tiles, chunk = task / plan->cuts / plan->tiles;
    int64_t function = tile * plan->tile, functions = smaller(plan->tile, call->functions - function);
    int64_t row = chunk * plan->rows, rows = smaller(plan->rows, call->outer - row);
    int64_t period = call->functions * call->inner;
    int64_t begin = row * period + function * call->inner + cut * plan->cut;
    int64_t piece = functions * smaller(plan->cut, call->inner - cut * plan->cut);
    if (piece == period) piece *= rows, rows = 1; /* rows without a gap are one piece */
    if (call->gy) memset(scratch->total, 0, (size_t)(2 * plan->tile * plan->tables.stride) * sizeof(double));
    for (int64_t r = 0; r < rows; r++)
        for (int64_t k = 0; k < piece; k += plan->run)
            NAME(run_block)(plan, scratch, function, begin + r * period + k, smaller(plan->run, piece - k));
    if (!call->gy) return;
    NAME(flush)(plan, scratch);
    double *partial = plan->partial + ((chunk * plan->cuts + cut) * call->functions + function) * call->knots;
    for (int64_t f = 0; f < functions; f++) {
        const double *total = scratch->total + 2 * f * plan->tables.stride;
        /* df/dy is 1 - w at the left knot of the segment and w at its right */
        for (int64_t s = 0; s < call->knots; s++) {
            double left = s < plan->tables.segments ? total[2 * s] - total[2 * s + 1] : 0;
            partial[f * call->knots + s] = left + (s > 0 ? total[2 * s - 1] : 0);
        }
    }
}

static void NAME(work)(void *data) {
    NAME(Plan) *plan = data;
    int64_t histogram = plan->call->gy ? NAME(histogram_size)(plan) : 0;
    int64_t total = plan->call->gy ? 2 * plan->tile * plan->tables.stride : 0;
    char *memory = malloc((size_t)(3 * BLOCK + histogram) * sizeof(REAL) + (size_t)total * sizeof(double) + 64);
    if (!memory) {
        atomic_store(&plan->failed, 1);
        return;
    }
    char *aligned = memory + (64 - (uintptr_t)memory % 64) % 64;
    NAME(Scratch) scratch = {.total = (double *)aligned};
    scratch.x = (REAL *)(scratch.total + total);
    scratch.g = scratch.x + BLOCK, scratch.out = scratch.g + BLOCK, scratch.sums = scratch.out + BLOCK;
    memset(scratch.sums, 0, (size_t)histogram * sizeof(REAL));
    int64_t tasks = plan->tiles * plan->cuts * plan->chunks, task;
    while ((task = atomic_fetch_add(&plan->next, 1)) < tasks) NAME(run_task)(plan, &scratch, task);
    free(memory);
}

static void NAME(add_up)(const NAME(Plan) *plan) {
    const Call *call = plan->call;
    int64_t parts = plan->chunks * plan->cuts, entries = call->functions * call->knots;
    REAL *gy = call->gy;
    for (int64_t k = 0; k < entries; k++) {
        double sum = 0;
        for (int64_t part = 0; part < parts; part++) sum += plan->partial[part * entries + k];
        gy[k] = (REAL)sum;
    }
}

static int NAME(run)(const Call *call) {
    NAME(Plan) plan;
    int failed = NAME(make_plan)(&plan, call);
    if (!failed) {
        int64_t tasks = plan.tiles * plan.cuts * plan.chunks;
        in_parallel(NAME(work), &plan, (int)smaller(call->threads, tasks));
        failed = atomic_load(&plan.failed) ? -1 : 0;
        if (!failed && call->gy) NAME(add_up)(&plan);
    }
    NAME(free_plan)(&plan);
    return failed;
}
