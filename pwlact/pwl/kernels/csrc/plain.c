/* Block functions for any processor and for float64, and the conversions of 16-bit types. */
#include "pwl.h"

#include <string.h>

#define REAL double
#define TABLES Tables_double
#define NAME(f) f##_double
#include "plain.h"
#undef REAL
#undef TABLES
#undef NAME

#define REAL float
#define TABLES Tables_float
#define NAME(f) f##_float
#include "plain.h"

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void from_bfloat16(const uint16_t *in, float *out, int64_t n) {
    for (int64_t k = 0; k < n; k++) out[k] = float_of((uint32_t)in[k] << 16);
}

static void to_bfloat16(const float *in, uint16_t *out, int64_t n) {
    for (int64_t k = 0; k < n; k++) {
        uint32_t bits = bits_of(in[k]);
        /* to nearest, ties to even; NaN stays NaN */
        uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
        out[k] = in[k] == in[k] ? (uint16_t)rounded : 0x7fc0;
    }
}

static void from_half(const uint16_t *in, float *out, int64_t n) {
    for (int64_t k = 0; k < n; k++) {
        uint32_t sign = (uint32_t)(in[k] & 0x8000) << 16, exponent = (in[k] >> 10) & 31, fraction = in[k] & 1023;
        if (exponent == 31) {
            out[k] = float_of(sign | 0x7f800000 | fraction << 13);
        } else {
            /* 2^112 moves the exponent's bias from 15 to 127, and normalises what is subnormal */
            out[k] = float_of(bits_of(float_of((exponent << 10 | fraction) << 13) * 0x1p112f) | sign);
        }
    }
}

static void to_half(const float *in, uint16_t *out, int64_t n) {
    for (int64_t k = 0; k < n; k++) {
        uint32_t bits = bits_of(in[k]), sign = (bits >> 16) & 0x8000;
        float size = float_of(bits & 0x7fffffff);
        uint32_t half;
        if (size != size) {
            half = 0x7e00;
        } else if (size >= 65520.0f) {
            half = 0x7c00;
        } else if (size < 0x1p-14f) {
            /* added to 0.5, the unit in the last place is 2^-24, that of a subnormal half: float32 rounds for us */
            half = bits_of(size + 0.5f) - bits_of(0.5f);
        } else {
            uint32_t b = bits_of(size) - (112u << 23);
            half = (b + 0xfff + ((b >> 13) & 1)) >> 13;
        }
        out[k] = (uint16_t)(sign | half);
    }
}

const Blocks blocks_plain = {
    forward_float, backward_float, from_bfloat16, to_bfloat16, from_half, to_half,
};
