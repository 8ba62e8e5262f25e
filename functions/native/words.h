/* Rows of input as words: what block formats are multiplied by (block_products.h).
 *
 * 32 columns share a scale; their largest number becomes 32767. A chunk is `parts` vectors of words
 * and one of scales, and word i of part p is column i * parts + p of the chunk: in that order codes
 * come out of a matrix by shifts alone. So 32 columns lie in 32 / (2 * parts) lanes of each vector,
 * and their scale in as many lanes of the last one.
 */
#ifndef REMOE_WORDS_H
#define REMOE_WORDS_H

#include <stdint.h>
#include <string.h>

enum { SCALED = 32 }; /* columns with one scale */

static inline int32_t chunk_columns(int32_t parts, int32_t lanes) { return 2 * parts * lanes; }

static inline int32_t chunk_bytes(int32_t parts, int32_t lanes) { return 4 * (parts + 1) * lanes; }

/* Bytes of a block of columns. */
static inline int64_t words_bytes(int32_t block, int32_t parts, int32_t lanes) {
  int32_t columns = chunk_columns(parts, lanes);
  return (int64_t)((block + columns - 1) / columns) * chunk_bytes(parts, lanes);
}

/* Up to SCALED columns as words in order; the rest are zeros. Returns their scale, which is NaN
 * where one of them is not finite: their whole row's answer is NaN then. */
static inline float words_of_columns(const float *from, int32_t count, int16_t to[SCALED]) {
  float some[SCALED] = {0}, peak = 0;
  uint32_t most = 0;
  memcpy(some, from, (size_t)count * sizeof *from);
  for (int i = 0; i < SCALED; i++) {
    uint32_t bits;
    memcpy(&bits, some + i, sizeof bits);
    bits &= 0x7fffffffu;
    most = bits > most ? bits : most;
  }
  memcpy(&peak, &most, sizeof peak);
  int finite = most < 0x7f800000u;
  float inverse = finite && peak > 1e-30f ? 32767.0f / peak : 0.0f;
  for (int i = 0; i < SCALED; i++) {
    /* 1.5 * 2^23 rounds to a whole number, which then lies in the low bits. */
    float shifted = (finite ? some[i] : 0.0f) * inverse + 12582912.0f;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    to[i] = (int16_t)(uint16_t)bits;
  }
  return finite ? (inverse == 0.0f ? 0.0f : peak / 32767.0f) : __builtin_nanf("");
}

static inline void set_scale(uint8_t *block, int32_t column, float scale, int32_t parts,
                             int32_t lanes) {
  int32_t columns = chunk_columns(parts, lanes), each = SCALED / (2 * parts);
  uint8_t *scales = block + (int64_t)(column / columns) * chunk_bytes(parts, lanes) +
                    4 * parts * lanes + 4 * (column % columns) / SCALED * each;
  for (int i = 0; i < each; i++)
    memcpy(scales + 4 * i, &scale, sizeof scale);
}

/* Columns `column`.., a multiple of SCALED, of a block. */
static inline void put_words(uint8_t *block, int32_t column, const float *from, int32_t count,
                             int32_t parts, int32_t lanes) {
  int32_t columns = chunk_columns(parts, lanes), each = SCALED / parts;
  for (int32_t done = 0; done < count; done += SCALED, column += SCALED) {
    int16_t some[SCALED];
    int32_t left = count - done < SCALED ? count - done : SCALED;
    set_scale(block, column, words_of_columns(from + done, left, some), parts, lanes);
    uint8_t *to = block + (int64_t)(column / columns) * chunk_bytes(parts, lanes) +
                  2 * (column % columns / SCALED) * each;
    for (int p = 0; p < parts; p++, to += 4 * lanes)
      for (int k = 0; k < each; k++)
        memcpy(to + 2 * k, some + k * parts + p, sizeof *some);
  }
}

/* The rest of a block's last chunk, from `used` columns on. */
static inline void pad_words(uint8_t *block, int32_t used, int32_t parts, int32_t lanes) {
  int32_t columns = chunk_columns(parts, lanes);
  for (int32_t column = (used + SCALED - 1) / SCALED * SCALED; column % columns; column += SCALED)
    set_scale(block, column, 0.0f, parts, lanes);
}

#endif
