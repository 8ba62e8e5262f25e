/* Vectors of LANES floats, in the compiler's own vector arithmetic, so that one source serves every
 * instruction set. `a * b + c` becomes a fused multiply-add where the set has one
 * (-ffp-contract=fast); no other liberty is taken with the arithmetic.
 */
#ifndef LANES
#error "an instruction set says how many LANES it has before it includes this"
#endif

#include <string.h>

#include "instructions.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

typedef float lanes __attribute__((vector_size(LANES * 4)));
typedef uint32_t words __attribute__((vector_size(LANES * 4)));
typedef int32_t signs __attribute__((vector_size(LANES * 4)));
typedef uint16_t halves __attribute__((vector_size(LANES * 2)));
typedef _Float16 float16s __attribute__((vector_size(LANES * 2)));
typedef float four __attribute__((vector_size(16)));
typedef float eight __attribute__((vector_size(32)));

/* Weights lie at any address, so nothing here assumes alignment: memcpy is an unaligned load. */
INLINE lanes load(const float *from) {
  lanes value;
  memcpy(&value, from, sizeof value);
  return value;
}

INLINE void store(float *to, lanes value) { memcpy(to, &value, sizeof value); }

INLINE lanes all(float value) { return value - (lanes){0}; }

INLINE lanes lanes_of(words bits) {
  lanes value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

INLINE words words_of(lanes value) {
  words bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/* yes where the mask is set, no elsewhere; unlike min and max this lets a NaN through. */
INLINE lanes choose(signs mask, lanes yes, lanes no) {
  words m = (words)mask;
  return lanes_of((words_of(yes) & m) | (words_of(no) & ~m));
}

INLINE lanes f32_lanes(const uint8_t *from) {
  lanes value;
  memcpy(&value, from, sizeof value);
  return value;
}

INLINE lanes bf16_lanes(const uint8_t *from) {
  halves bits;
  memcpy(&bits, from, sizeof bits);
  return lanes_of(__builtin_convertvector(bits, words) << 16);
}

INLINE lanes f16_lanes(const uint8_t *from) {
  float16s value;
  memcpy(&value, from, sizeof value);
  return __builtin_convertvector(value, lanes);
}

/* The four partial sums of a vector: halves are added until four are left. */
INLINE four folded(lanes value) {
#if LANES == 16
  eight high = __builtin_shufflevector(value, value, 8, 9, 10, 11, 12, 13, 14, 15);
  eight sum = __builtin_shufflevector(value, value, 0, 1, 2, 3, 4, 5, 6, 7) + high;
#elif LANES == 8
  eight sum = value;
#endif
#if LANES >= 8
  return __builtin_shufflevector(sum, sum, 0, 1, 2, 3) +
         __builtin_shufflevector(sum, sum, 4, 5, 6, 7);
#else
  return value;
#endif
}

INLINE float total(lanes value) {
  four f = folded(value);
  return (f[0] + f[2]) + (f[1] + f[3]);
}

/* Four totals at once, each summed in the order of `total`: the bits are the same. */
INLINE four totals(lanes a, lanes b, lanes c, lanes d) {
  four fa = folded(a), fb = folded(b), fc = folded(c), fd = folded(d);
  four ab = __builtin_shufflevector(fa, fb, 0, 4, 1, 5) +
            __builtin_shufflevector(fa, fb, 2, 6, 3, 7);
  four cd = __builtin_shufflevector(fc, fd, 0, 4, 1, 5) +
            __builtin_shufflevector(fc, fd, 2, 6, 3, 7);
  return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

/* Add the totals of `count` vectors to y. */
INLINE void add_totals(int count, const lanes sums[], float *y) {
  if (count == 4) {
    four have, more = totals(sums[0], sums[1], sums[2], sums[3]);
    memcpy(&have, y, sizeof have);
    have += more;
    memcpy(y, &have, sizeof have);
    return;
  }
  UNROLL for (int j = 0; j < count; j++) y[j] += total(sums[j]);
}
