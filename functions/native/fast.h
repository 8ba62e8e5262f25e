/* Products in bfloat16: inputs rounded to it, sums in float32, as torch's bfloat16 does.
 *
 * One accumulator sums columns l, l + 1 of each STEP, so a row's answer again depends on that row
 * alone. The instruction takes denormal numbers (below 1.2e-38) for zero.
 */
#include <immintrin.h>

enum { FAST_MR = 6, FAST_NR = 4 };

INLINE lanes dot(lanes sum, __m512i x, __m512i w) {
  return (lanes)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)w);
}

/* Totals of four rows' four vectors, added to y: two vectors' halves come beside each other and are
 * added, four times. Every number is summed in the order of `total`, so the bits are the same. */
#define PICK __builtin_shufflevector
INLINE lanes halves_of(lanes a, lanes b) {
  return PICK(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
         PICK(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
}

INLINE lanes quarters_of(lanes a, lanes b) {
  return PICK(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
         PICK(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}

INLINE lanes eighths_of(lanes a, lanes b) {
  return PICK(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
         PICK(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
}

INLINE lanes numbers_of(lanes a, lanes b) {
  return PICK(a, b, 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30) +
         PICK(a, b, 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31);
}
#undef PICK

INLINE void add_totals_of_four(lanes sums[][FAST_NR], float *y, int64_t pitch) {
  lanes q[FAST_NR];
  UNROLL for (int j = 0; j < FAST_NR; j++) q[j] =
      quarters_of(halves_of(sums[0][j], sums[1][j]), halves_of(sums[2][j], sums[3][j]));
  lanes all_of = numbers_of(eighths_of(q[0], q[1]), eighths_of(q[2], q[3]));
  four of_row[4];
  memcpy(of_row, &all_of, sizeof of_row);
  UNROLL for (int r = 0; r < 4; r++) {
    four have;
    memcpy(&have, y + r * pitch, sizeof have);
    have += of_row[r];
    memcpy(y + r * pitch, &have, sizeof have);
  }
}

INLINE const uint16_t *half_row_of(const struct product *p, int row, int block) {
  int64_t index = p->index ? p->index[row] : p->first_row + row;
  const uint16_t *data = (const uint16_t *)(const void *)p->in->data;
  return data + ((int64_t)block * p->in->count + index) * p->in->block;
}

INLINE __m512i masked(const uint8_t *from, int count) {
  return _mm512_maskz_loadu_epi16((1u << count) - 1, from);
}

INLINE void fast_step(int mr, int nr, lanes sums[][FAST_NR], const uint16_t *const x[],
                      const uint8_t *const w[], int column, int count) {
  __m512i some[FAST_MR];
  UNROLL for (int r = 0; r < mr; r++) some[r] = _mm512_loadu_si512(x[r] + column);
  UNROLL for (int j = 0; j < nr; j++) {
    const uint8_t *at = w[j] + 2 * (int64_t)column;
    __m512i weights = count == STEP ? _mm512_loadu_si512(at) : masked(at, count);
    UNROLL for (int r = 0; r < mr; r++) sums[r][j] = dot(sums[r][j], some[r], weights);
  }
}

/* What a tile needs, small enough for its loop to keep all pointers in registers. */
struct fast_tile {
  const uint16_t *x[FAST_MR];
  const uint8_t *w[FAST_NR];
  int width;
  float *y;
  int64_t pitch;
  struct ahead ahead;
};

/* STEP columns are a line. */
INLINE void fast_ask(const struct ahead *what, int column) {
  const uint8_t *data = what->data + 2 * (int64_t)column;
  for (int row = 0; row < what->rows; row++, data += what->pitch)
    __builtin_prefetch(data, 0, 2);
}

INLINE void fast_tile(int mr, int nr, const struct fast_tile *tile) {
  lanes sums[FAST_MR][FAST_NR] = {{{0}}};
  const uint16_t *x[FAST_MR];
  const uint8_t *w[FAST_NR];
  struct ahead ahead = tile->ahead;
  int column = 0, width = tile->width;
  UNROLL for (int r = 0; r < mr; r++) x[r] = tile->x[r];
  UNROLL for (int j = 0; j < nr; j++) w[j] = tile->w[j];
  for (; column + STEP <= width; column += STEP) {
    fast_ask(&ahead, column);
    fast_step(mr, nr, sums, x, w, column, STEP);
  }
  if (column < width)
    fast_step(mr, nr, sums, x, w, column, width - column);
  int wide = nr == FAST_NR && mr >= 4 ? 4 : 0;
  if (wide)
    add_totals_of_four(sums, tile->y, tile->pitch);
  UNROLL for (int r = wide; r < mr; r++) add_totals(nr, sums[r], tile->y + r * tile->pitch);
}

/* Each tile is a function of its own: inlined into one, its loop has its pointers in memory. */
#define TILES(n)                                                                                   \
  static __attribute__((noinline)) void fast_tile_##n##_4(const struct fast_tile *tile) {          \
    fast_tile(n, 4, tile);                                                                         \
  }                                                                                                \
  static __attribute__((noinline)) void fast_tile_##n##_1(const struct fast_tile *tile) {          \
    fast_tile(n, 1, tile);                                                                         \
  }
TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6)
#undef TILES

static void (*const fast_tiles_of[FAST_MR][2])(const struct fast_tile *tile) = {
#define TILES(n) {fast_tile_##n##_1, fast_tile_##n##_4},
    TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6)
#undef TILES
};

static void fast_inputs(int nr, const struct product *p, int row, int block) {
  int tiles = (p->rows + FAST_MR - 1) / FAST_MR;
  struct fast_tile tile = {.width = width_of(p, block), .pitch = p->pitch};
  struct ahead next = ahead_of(p, row + nr, block, FAST_NR);
  for (int j = 0; j < nr; j++)
    tile.w[j] =
        p->matrix->data + (row + j) * p->matrix->row_bytes + 2 * (int64_t)block * p->in->block;
  for (int index = 0; index < tiles; index++) {
    int first = index * FAST_MR, mr = smaller(FAST_MR, p->rows - first);
    for (int r = 0; r < mr; r++)
      tile.x[r] = half_row_of(p, first + r, block);
    tile.y = p->y + first * p->pitch + (row - p->begin);
    tile.ahead = share_of(next, index, tiles);
    fast_tiles_of[mr - 1][nr == FAST_NR](&tile);
  }
}

static void fast_part(const struct product *p, int row, int block) {
  if (row + FAST_NR <= p->end) {
    fast_inputs(FAST_NR, p, row, block);
    return;
  }
  for (; row < p->end; row++)
    fast_inputs(1, p, row, block);
}

/* A block of one row of the matrix against few rows of input. */
INLINE void fast_few_block(int mr, const uint8_t *row, const uint8_t *ask, int width,
                           const uint16_t *const x[], float y[]) {
  lanes sums[FEW] = {{0}};
  int column = 0;
  for (; column + STEP <= width; column += STEP) {
    if (mr > 2) /* one or two are followed best when left alone */
      __builtin_prefetch(ask + 2 * column, 0, 2);
    __m512i w = _mm512_loadu_si512(row + 2 * column);
    UNROLL for (int r = 0; r < mr; r++) {
      sums[r] = dot(sums[r], _mm512_load_si512(x[r] + column), w);
    }
  }
  if (column < width) {
    __m512i w = masked(row + 2 * column, width - column);
    UNROLL for (int r = 0; r < mr; r++) {
      sums[r] = dot(sums[r], _mm512_load_si512(x[r] + column), w);
    }
  }
  UNROLL for (int r = 0; r < mr; r++) y[r] += total(sums[r]);
}

/* Rows of the matrix one by one; see few_rows.h. */
INLINE void fast_few(int mr, const struct product *p) {
  const struct activations in = *p->in;
  const uint16_t *first[FEW];
  int far = far_outputs(p);
  int64_t step = in.count * in.block; /* from a row's part of a block to that of the next */
  UNROLL for (int r = 0; r < mr; r++) first[r] = half_row_of(p, r, 0);
  for (int row = p->begin; row < p->end; row++) {
    const uint8_t *weights = p->matrix->data + row * p->matrix->row_bytes;
    const uint8_t *ask = asked_with(p, row, far);
    float y[FEW] = {0};
    for (int block = 0; block < in.blocks; block++) {
      const uint16_t *x[FEW];
      int64_t at = 2 * (int64_t)block * in.block;
      UNROLL for (int r = 0; r < mr; r++) x[r] = first[r] + block * step;
      fast_few_block(mr, weights + at, ask + at, width_of(p, block), x, y);
    }
    UNROLL for (int r = 0; r < mr; r++) p->y[r * p->pitch + (row - p->begin)] = y[r];
  }
}

#define FEWS(n)                                                                                    \
  static __attribute__((noinline)) void fast_few_##n(const struct product *p) { fast_few(n, p); }
FEWS(1) FEWS(2) FEWS(3) FEWS(4)
#undef FEWS

/* Tiles, block by block of columns, so that the inputs of a block stay in the caches; where all
 * rows are one tile, the matrix is read on and on instead. */
static void fast_tiles(const struct product *p) {
  if (p->rows <= FAST_MR) {
    for (int row = p->begin; row < p->end; row += FAST_NR)
      for (int block = 0; block < p->in->blocks; block++)
        fast_part(p, row, block);
    return;
  }
  for (int block = 0; block < p->in->blocks; block++)
    for (int row = p->begin; row < p->end; row += FAST_NR)
      fast_part(p, row, block);
}

#include "fast_transposed.h"

static void fast_product(const struct product *p) {
  if (p->matrix->transposed) {
    fast_transposed(p);
    return;
  }
  switch (inputs_are_near(p) ? p->rows : 0) {
  case 1:
    fast_few_1(p);
    break;
  case 2:
    fast_few_2(p);
    break;
  case 3:
    fast_few_3(p);
    break;
  case 4:
    fast_few_4(p);
    break;
  default:
    fast_tiles(p);
  }
}
