/* What one instruction set can do. instructions_*.c each make one of these from template.h. */
#ifndef REMOE_INSTRUCTIONS_H
#define REMOE_INSTRUCTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "remoe.h"

/* `count` columns as records of digits; the last one is filled up with zeros. */
typedef void round_of(uint8_t *to, const float *from, int32_t count, int32_t digits);

/* Rows ready to be multiplied: float, bfloat16 (fast) or digits (see digits.h), padded with
 * zeros, cut into blocks of `block` columns so that a tile's part of a block lies together:
 * [blocks][count][block]. */
struct activations {
  uint8_t *data;
  int64_t count;
  int32_t width;
  int32_t block;
  int32_t blocks;
  int32_t fast;
  int32_t digits; /* of a number, or 0 where rows are not in whole numbers */
  round_of *round;
};

/* y[0..rows][0..end-begin] = the chosen rows times outputs begin..end of a matrix. */
struct product {
  const struct remoe_matrix *matrix;
  const struct activations *in;
  const uint32_t *index; /* which rows of `in`, or NULL for `first_row` and on */
  int64_t first_row;
  int32_t rows;
  int32_t begin;
  int32_t end;
  float *y;
  int64_t pitch; /* floats; a multiple of MAX_LANES, and all of a row may be written */
  float *tile;   /* TILE_FLOATS of scratch */
  const uint8_t *next; /* what this thread will read after these outputs, or NULL: a guess */
};

/* Gate and up projections become what goes into the down projection, in place in `gate`. */
struct middle {
  const struct remoe_expert *expert;
  float *gate;
  const float *up; /* not read where there is no gate */
  int32_t stride;  /* floats from one unit to the next: 2 where gate and up alternate */
  int32_t count;
};

/* Query heads that share a key head, over the kept tokens of one row; pitches are multiples of
 * MAX_LANES, and all of them may be written. */
struct attending {
  const float *queries; /* [heads][pitch], scaled, zeros after `size` */
  const uint8_t *keys;  /* [tokens][size] */
  const uint8_t *values;
  float *weights; /* [heads][weights_pitch], scratch */
  float *out;     /* [heads][pitch] */
  int64_t tokens;
  int64_t weights_pitch;
  int32_t heads; /* up to MOST_GROUP */
  int32_t size;  /* up to MOST_HEAD */
  int32_t pitch;
  int32_t format; /* of keys and values: REMOE_BF16 or REMOE_F32 */
};

struct instructions {
  void (*product)(const struct product *p);
  void (*activate)(const struct middle *m);
  void (*attend)(const struct attending *a);
  void (*normalize)(const float *x, const struct remoe_norm *norm, int32_t width, float *y);
  float (*soften)(float *x, int64_t count);
  int32_t has_fast;
  round_of *round;
};

enum { MAX_LANES = 16, MAX_TILE_ROWS = 4, BLOCK_FLOATS = 512, BLOCK_HALVES = 1024 };
enum { PANEL_BYTES = 1 << 16, TILE_FLOATS = PANEL_BYTES / 4 };
enum { MOST_HEAD = 512, MOST_GROUP = 256 };
/* Up to so many rows, an [in, out] matrix is streamed (transposed.h, fast_streams.h). */
enum { STREAMED_ROWS = 12 };

extern const struct instructions remoe_avx512_bf16;
extern const struct instructions remoe_avx512;
extern const struct instructions remoe_avx2;
extern const struct instructions remoe_neon;
extern const struct instructions remoe_plain;

/* The chosen set, or NULL where this processor or this build has it not. */
const struct instructions *instructions_of(int which);

#endif
