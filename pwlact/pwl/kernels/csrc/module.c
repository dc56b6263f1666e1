/* The Python module pwlact.pwl.kernels._native: addresses and sizes in, memory filled.

   Only the stable ABI of Python is used and none of torch's, so one build serves every version of both. */
#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include "pwl.h"
#include "sparse.h"

static const Blocks *find_blocks(const char *name) {
    if (!strcmp(name, "plain")) return &blocks_plain;
#ifdef PWLACT_X86
    __builtin_cpu_init();
    if (!strcmp(name, "avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("f16c"))
        return &blocks_avx2;
    if (!strcmp(name, "avx512") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("f16c"))
        return &blocks_avx512;
#endif
    return NULL;
}

static PyObject *supports(PyObject *self, PyObject *arguments) {
    const char *name;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "s", &name)) return NULL;
    return PyBool_FromLong(find_blocks(name) != NULL);
}

static PyObject *threads(PyObject *self, PyObject *arguments) {
    (void)self, (void)arguments;
    return PyBool_FromLong(has_threads());
}

static PyObject *finish(const Call *call) {
    int failed;
    Py_BEGIN_ALLOW_THREADS
    failed = run(call);
    Py_END_ALLOW_THREADS
    if (failed) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static int check(Call *call, const char *blocks) {
    call->blocks = find_blocks(blocks);
    if (!call->blocks) {
        PyErr_Format(PyExc_ValueError, "this processor has no %s", blocks);
        return -1;
    }
    if (call->knots < 2 || call->outer < 0 || call->functions < 1 || call->inner < 0) {
        PyErr_SetString(PyExc_ValueError, "sizes do not describe a tensor and its functions");
        return -1;
    }
    return 0;
}

#define ADDRESS(value) ((void *)(uintptr_t)(value))

static PyObject *forward(PyObject *self, PyObject *arguments) {
    Call call = {0};
    const char *blocks;
    unsigned long long x, out, values;
    long long outer, functions, inner, knots;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "siKKKLLLLddi", &blocks, &call.type, &x, &out, &values, &outer, &functions, &inner,
                          &knots, &call.low, &call.high, &call.threads))
        return NULL;
    call.x = ADDRESS(x), call.out = ADDRESS(out), call.values = ADDRESS(values);
    call.outer = outer, call.functions = functions, call.inner = inner, call.knots = knots;
    if (check(&call, blocks)) return NULL;
    if (outer == 0 || inner == 0) Py_RETURN_NONE;
    return finish(&call);
}

static PyObject *backward(PyObject *self, PyObject *arguments) {
    Call call = {0};
    const char *blocks;
    unsigned long long x, g, gx, gy, values;
    long long outer, functions, inner, knots;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "siKKKKKLLLLddi", &blocks, &call.type, &x, &g, &gx, &gy, &values, &outer,
                          &functions, &inner, &knots, &call.low, &call.high, &call.threads))
        return NULL;
    call.x = ADDRESS(x), call.g = ADDRESS(g), call.gx = ADDRESS(gx), call.gy = ADDRESS(gy);
    call.values = ADDRESS(values);
    call.outer = outer, call.functions = functions, call.inner = inner, call.knots = knots;
    if (check(&call, blocks)) return NULL;
    if (outer == 0 || inner == 0) Py_RETURN_NONE;
    return finish(&call);
}

static int check_rows(const SparseCall *call) {
    if (call->map >= SOFTMAX && call->map <= ENTMAX15 && call->rows >= 0 && call->size >= 1) return 0;
    PyErr_SetString(PyExc_ValueError, "map, rows or size out of range");
    return -1;
}

static PyObject *forward_sparse(PyObject *self, PyObject *arguments) {
    SparseCall call = {0};
    unsigned long long z, out;
    long long rows, size;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "iKKLLi", &call.map, &z, &out, &rows, &size, &call.threads)) return NULL;
    call.z = ADDRESS(z), call.out = ADDRESS(out), call.rows = rows, call.size = size;
    if (check_rows(&call)) return NULL;
    Py_BEGIN_ALLOW_THREADS
    sparse_forward(&call);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *product_sparse(PyObject *self, PyObject *arguments) {
    SparseCall call = {0};
    unsigned long long p, g, out;
    long long rows, size;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "iKKKLLi", &call.map, &p, &g, &out, &rows, &size, &call.threads)) return NULL;
    call.p = ADDRESS(p), call.g = ADDRESS(g), call.out = ADDRESS(out), call.rows = rows, call.size = size;
    if (check_rows(&call)) return NULL;
    Py_BEGIN_ALLOW_THREADS
    sparse_product(&call);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"supports", supports, METH_VARARGS, "supports(name): whether this processor runs the block functions `name`."},
    {"threads", threads, METH_NOARGS, "threads(): whether torch's threads were found."},
    {"forward", forward, METH_VARARGS,
     "forward(blocks, type, x, out, values, outer, functions, inner, knots, low, high, threads)"},
    {"backward", backward, METH_VARARGS,
     "backward(blocks, type, x, g, gx or 0, gy or 0, values, outer, functions, inner, knots, low, high, threads)"},
    {"forward_sparse", forward_sparse, METH_VARARGS, "forward_sparse(map, z, out, rows, size, threads)"},
    {"product_sparse", product_sparse, METH_VARARGS, "product_sparse(map, p, g, out, rows, size, threads)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", "The compiled kernel of the piecewise-linear operation.", -1, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModule_Create(&definition); }
