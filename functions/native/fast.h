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

INLINE void fast_tile(int mr, int nr, const uint16_t *const x[], const uint8_t *const w[],
                      int width, float *y, int64_t pitch, struct ahead ahead) {
  lanes sums[FAST_MR][FAST_NR] = {{{0}}};
  int column = 0;
  for (; column + STEP <= width; column += STEP) {
    ask(ahead, column);
    fast_step(mr, nr, sums, x, w, column, STEP);
  }
  if (column < width)
    fast_step(mr, nr, sums, x, w, column, width - column);
  UNROLL for (int r = 0; r < mr; r++) add_totals(nr, sums[r], y + r * pitch);
}

/* A tile of any height up to FAST_MR, each compiled for its number of rows. */
INLINE void fast_rows(int mr, int nr, const uint16_t *const x[], const uint8_t *const w[],
                      int width, float *y, int64_t pitch, struct ahead ahead) {
  switch (mr) {
#define ROWS(n)                                                                                    \
  case n:                                                                                          \
    fast_tile(n, nr, x, w, width, y, pitch, ahead);                                                \
    break;
    ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5)
#undef ROWS
  default:
    fast_tile(FAST_MR, nr, x, w, width, y, pitch, ahead);
  }
}

INLINE void fast_inputs(int nr, const struct product *p, int row, int block) {
  const uint8_t *w[FAST_NR];
  const uint16_t *x[FAST_MR];
  int width = width_of(p, block), tiles = (p->rows + FAST_MR - 1) / FAST_MR;
  struct ahead next = ahead_of(p, row + nr, block, FAST_NR);
  for (int j = 0; j < nr; j++)
    w[j] = p->matrix->data + (row + j) * p->matrix->row_bytes + 2 * (int64_t)block * p->in->block;
  for (int tile = 0; tile < tiles; tile++) {
    int first = tile * FAST_MR, mr = smaller(FAST_MR, p->rows - first);
    for (int r = 0; r < mr; r++)
      x[r] = half_row_of(p, first + r, block);
    fast_rows(mr, nr, x, w, width, p->y + first * p->pitch + (row - p->begin), p->pitch,
              share_of(next, tile, tiles));
  }
}

INLINE void fast_part(const struct product *p, int row, int block) {
  if (row + FAST_NR <= p->end) {
    fast_inputs(FAST_NR, p, row, block);
    return;
  }
  for (; row < p->end; row++)
    fast_inputs(1, p, row, block);
}

/* A block of one row of the matrix against few rows of input. */
INLINE void fast_few_block(int mr, const uint8_t *row, int width, const uint16_t *const x[],
                           float y[]) {
  lanes sums[FEW] = {{0}};
  int column = 0;
  for (; column + STEP <= width; column += STEP) {
    if (mr > 2) /* one or two are followed best when left alone */
      ask_far(row + 2 * column);
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
  const struct activations *in = p->in;
  for (int row = p->begin; row < p->end; row++) {
    const uint8_t *weights = p->matrix->data + row * p->matrix->row_bytes;
    float y[FEW] = {0};
    for (int block = 0; block < in->blocks; block++) {
      const uint16_t *x[FEW];
      UNROLL for (int r = 0; r < mr; r++) x[r] = half_row_of(p, r, block);
      fast_few_block(mr, weights + 2 * (int64_t)block * in->block, width_of(p, block), x, y);
    }
    UNROLL for (int r = 0; r < mr; r++) p->y[r * p->pitch + (row - p->begin)] = y[r];
  }
}

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
    fast_few(1, p);
    break;
  case 2:
    fast_few(2, p);
    break;
  case 3:
    fast_few(3, p);
    break;
  case 4:
    fast_few(4, p);
    break;
  default:
    fast_tiles(p);
  }
}
