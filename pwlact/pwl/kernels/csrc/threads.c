/* Threads: those of torch's own OpenMP runtime, found in the process, so that two pools never fight for the cores. */
#include "pwl.h"

#include <stddef.h>

#if defined(_WIN32)
typedef void (*Parallel)(void (*)(void *), void *, unsigned, unsigned);
static Parallel find(void) { return NULL; }
#else
#include <dlfcn.h>
typedef void (*Parallel)(void (*)(void *), void *, unsigned, unsigned);

static Parallel find(void) {
    /* torch loads its runtime for all to see; GNU's has this entry, and LLVM's has it too */
    Parallel found = NULL;
    *(void **)&found = dlsym(RTLD_DEFAULT, "GOMP_parallel");
    return found;
}
#endif

int has_threads(void) { return find() != NULL; }

void in_parallel(void (*work)(void *), void *data, int threads) {
    static Parallel parallel;
    if (threads > 1 && !parallel) parallel = find();
    if (threads > 1 && parallel)
        parallel(work, data, (unsigned)threads, 0);
    else
        work(data);
}
