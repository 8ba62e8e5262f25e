/* Rows made ready to be multiplied: to float, bfloat16 or digits, cut into blocks, padded with
 * zeros. */
#ifndef REMOE_ACTIVATIONS_H
#define REMOE_ACTIVATIONS_H

#include <string.h>

#include "digits.h"
#include "instructions.h"

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static inline int64_t up_to(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

static inline float half_to_float(uint16_t half) {
  uint32_t bits = (uint32_t)half << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* To nearest, ties to even; a NaN stays one. */
static inline uint16_t float_to_half(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (value != value)
    return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* Bytes of so many numbers as weights and caches hold them: in bfloat16 or float. */
static inline int64_t bytes_of_kept(int32_t format, int64_t count) {
  return count * (format == REMOE_BF16 ? 2 : 4);
}

static inline void narrow_row(const float *from, uint8_t *to, int32_t count) {
  for (int32_t i = 0; i < count; i++) {
    uint16_t half = float_to_half(from[i]);
    memcpy(to + 2 * (int64_t)i, &half, sizeof half);
  }
}

/* The cut depends on width and precision alone: it is part of the order of summation. */
static inline struct activations shape_of(int64_t count, int32_t width, int32_t fast) {
  int32_t most = fast ? BLOCK_HALVES : BLOCK_FLOATS;
  int32_t blocks = (width + most - 1) / most;
  int32_t block = (int32_t)up_to((width + blocks - 1) / blocks, 64);
  return (struct activations){NULL, count, width, block, blocks, fast, 0, NULL};
}

/* Of a row's part of a block. */
static inline int64_t block_bytes(const struct activations *a) {
  if (a->digits)
    return (int64_t)(a->block / RECORD) * record_bytes(a->digits);
  return (int64_t)a->block * (a->fast ? 2 : 4);
}

static inline int64_t bytes_of(const struct activations *a) {
  return a->count * a->blocks * block_bytes(a);
}

static inline uint8_t *place(const struct activations *a, int64_t row, int32_t block) {
  return a->data + ((int64_t)block * a->count + row) * block_bytes(a);
}

/* Write columns begin.. of a row; `begin` need not be the start of a block. */
static inline void put(const struct activations *a, int64_t row, int32_t begin, const float *from,
                int32_t count) {
  while (count > 0) {
    int32_t block = begin / a->block, inside = begin % a->block;
    int32_t part = (int32_t)smaller(count, a->block - inside);
    uint8_t *to = place(a, row, block);
    if (a->digits) {
      a->round(to + inside / RECORD * record_bytes(a->digits), from, part, a->digits);
    } else if (a->fast) {
      uint16_t *halves = (uint16_t *)(void *)to + inside;
      for (int32_t i = 0; i < part; i++)
        halves[i] = float_to_half(from[i]);
    } else {
      memcpy((float *)(void *)to + inside, from, (size_t)part * sizeof(float));
    }
    begin += part, from += part, count -= part;
  }
}

/* The last block's columns beyond the width: products run over whole vectors. */
static inline void pad(const struct activations *a, int64_t row) {
  if (a->digits)
    return; /* records are whole */
  int32_t size = a->fast ? 2 : 4, used = a->width - (a->blocks - 1) * a->block;
  memset(place(a, row, a->blocks - 1) + used * size, 0, (size_t)((a->block - used) * size));
}

static inline void widen_row(const uint8_t *from, float *to, int32_t count) {
  for (int32_t i = 0; i < count; i++) {
    uint16_t half;
    memcpy(&half, from + 2 * (int64_t)i, sizeof half);
    to[i] = half_to_float(half);
  }
}

#endif
