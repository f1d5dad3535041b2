/* Vectors of floats by the compiler's own extension (GCC 9 and Clang 11 on), and what is done with a few of them. */

#ifndef LIT_AN_VECTORS_H
#define LIT_AN_VECTORS_H

#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif

/* A block is BLOCK positions: three vectors, so that four rows of it are twelve sums and fit 16 registers. */
#define VECTORS 3
#define BLOCK (VECTORS * LANES)

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));
typedef float vec4 __attribute__((vector_size(16)));

#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE4(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
typedef int32_t ivec4 __attribute__((vector_size(16)));
#define SHUFFLE4(a, b, i, j, k, l) __builtin_shuffle(a, b, (ivec4){i, j, k, l})
#endif

INLINE vec load(const float *from) {
    vec found;
    memcpy(&found, from, sizeof found);
    return found;
}

INLINE void store(float *to, vec values) { memcpy(to, &values, sizeof values); }

INLINE vec4 load4(const float *from) {
    vec4 found;
    memcpy(&found, from, sizeof found);
    return found;
}

INLINE void store4(float *to, vec4 values) { memcpy(to, &values, sizeof values); }

/* Compilers would rather load a vector again for each use of it than hold it, and loads are what the products run out
   of. */
#if defined(__x86_64__)
#define HOLD(vector) __asm__("" : "+x"(vector))
#elif defined(__aarch64__)
#define HOLD(vector) __asm__("" : "+w"(vector))
#else
#define HOLD(vector) (void)0
#endif

INLINE vec all(float value) { return value - (vec){0}; }

/* The larger one; b where either is not a number. */
INLINE vec larger(vec a, vec b) {
    ivec first = a > b;
    return (vec)(((ivec)a & first) | ((ivec)b & ~first));
}

/* exp of values ≤ 0, relative error below 2e-7; what is below the smallest normal number is that number.
   2^n · exp(r) with |r| ≤ ln 2 / 2, and the polynomial of Cephes' expf. */
INLINE vec exponential(vec x) {
    const float round = 12582912.0f; /* 1.5 · 2^23: beside it, the last bits of a float are an integer */
    x = larger(all(-87.0f), x);
    vec shifted = x * 1.44269504088896341f + round;
    vec n = shifted - round;
    vec r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    vec p = all(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    return (vec)((ivec)p + ((ivec)shifted << 23));
}

/* 4×4 values from rows `from_step` apart, to columns as rows `to_step` apart. */
INLINE void transpose4(const float *from, long from_step, float *to, long to_step) {
    vec4 a = load4(from), b = load4(from + from_step), c = load4(from + 2 * from_step), d = load4(from + 3 * from_step);
    vec4 ab = SHUFFLE4(a, b, 0, 4, 1, 5), cd = SHUFFLE4(c, d, 0, 4, 1, 5);
    vec4 ef = SHUFFLE4(a, b, 2, 6, 3, 7), gh = SHUFFLE4(c, d, 2, 6, 3, 7);
    store4(to, SHUFFLE4(ab, cd, 0, 1, 4, 5));
    store4(to + to_step, SHUFFLE4(ab, cd, 2, 3, 6, 7));
    store4(to + 2 * to_step, SHUFFLE4(ef, gh, 0, 1, 4, 5));
    store4(to + 3 * to_step, SHUFFLE4(ef, gh, 2, 3, 6, 7));
}

#endif
