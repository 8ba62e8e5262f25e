/* More rows: a few rows of the matrix are widened into a scratch that stays in the first cache, and
 * all rows of input are multiplied by it there, in tiles of registers.
 */
#if LANES == 16
enum { MANY_MR = 6, MANY_NR = 4 };
#elif LANES == 8
enum { MANY_MR = 3, MANY_NR = 2 };
#else
enum { MANY_MR = 2, MANY_NR = 4 };
#endif

INLINE void many_step(int mr, int nr, lanes sums[][MANY_NR][SUMS], const float *const x[],
                      const float *w, int64_t pitch, int step) {
  UNROLL for (int v = 0; v < VECTORS; v++) {
    lanes some[MANY_MR];
    UNROLL for (int r = 0; r < mr; r++) some[r] = load(x[r] + step + v * LANES);
    UNROLL for (int j = 0; j < nr; j++) {
      lanes weights = load(w + j * pitch + step + v * LANES);
      UNROLL for (int r = 0; r < mr; r++) {
        sums[r][j][v % SUMS] = some[r] * weights + sums[r][j][v % SUMS];
      }
    }
  }
}

INLINE void many_tile(int mr, int nr, const float *const x[], const float *w, int64_t pitch,
                      int width, float *y, int64_t y_pitch, struct ahead ahead) {
  lanes sums[MANY_MR][MANY_NR][SUMS] = {{{{0}}}};
  for (int step = 0; step < width; step += STEP) {
    ask(ahead, step);
    many_step(mr, nr, sums, x, w, pitch, step);
  }
  UNROLL for (int r = 0; r < mr; r++) {
    lanes folded_sums[MANY_NR];
    UNROLL for (int j = 0; j < nr; j++) folded_sums[j] = together(sums[r][j]);
    add_totals(nr, folded_sums, y + r * y_pitch);
  }
}

/* A tile of any height up to MANY_MR, each compiled for its number of rows. */
INLINE void many_any(int mr, int nr, const float *const x[], const float *w, int64_t pitch,
                     int width, float *y, int64_t y_pitch, struct ahead ahead) {
  switch (mr) {
#define ROWS(n)                                                                                    \
  case n:                                                                                          \
    many_tile(n, nr, x, w, pitch, width, y, y_pitch, ahead);                                       \
    break;
    ROWS(1) ROWS(2)
#if LANES == 16
    ROWS(3) ROWS(4) ROWS(5)
#endif
#undef ROWS
  default:
    many_tile(MANY_MR, nr, x, w, pitch, width, y, y_pitch, ahead);
  }
}

/* All rows of input against `nr` rows of weights in the scratch. */
INLINE void many_inputs(int nr, const struct product *p, int row, int block, int width) {
  const float *x[MANY_MR];
  int padded = (width + STEP - 1) / STEP * STEP, tiles = (p->rows + MANY_MR - 1) / MANY_MR;
  struct ahead next = ahead_of(p, row + nr, block, MANY_NR);
  for (int tile = 0; tile < tiles; tile++) {
    int first = tile * MANY_MR, mr = smaller(MANY_MR, p->rows - first);
    for (int r = 0; r < mr; r++)
      x[r] = row_of(p, first + r, block);
    many_any(mr, nr, x, p->tile, BLOCK_FLOATS, padded, p->y + first * p->pitch + (row - p->begin),
             p->pitch, share_of(next, tile, tiles));
  }
}

INLINE void widen(step_of *step, rest_of *rest, struct weight_row row, int start, int width,
                  float *to) {
  int column = 0;
  for (; column + STEP <= width; column += STEP) {
    lanes values[VECTORS];
    step(row, start + column, values);
    memcpy(to + column, values, sizeof values);
  }
  if (column < width)
    rest(row, start + column, width - column, to + column);
}

INLINE void many_all(step_of *step, rest_of *rest, const struct product *p) {
  for (int block = 0; block < p->in->blocks; block++) {
    int start = block * p->in->block, width = width_of(p, block);
    for (int row = p->begin; row < p->end;) {
      int nr = row + MANY_NR <= p->end ? MANY_NR : 1;
      for (int j = 0; j < nr; j++)
        widen(step, rest, weight_row(p->matrix, row + j), start, width,
              p->tile + j * BLOCK_FLOATS);
      if (nr == MANY_NR)
        many_inputs(MANY_NR, p, row, block, width);
      else
        many_inputs(1, p, row, block, width);
      row += nr;
    }
  }
}

#define X(upper, name)                                                                             \
  static void many_rows_##name(const struct product *p) {                                          \
    many_all(name##_step, name##_rest, p);                                                         \
  }
#include "formats.def"
#undef X
