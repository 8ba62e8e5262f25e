/* Up to FEW rows: weights go from memory into registers, are widened there, and met once.
 *
 * Bound by memory, so the matrix is read as memory likes it. Where the inputs fit half of the first
 * cache: one row after the other, from end to end, which is as fast as reading and doing nothing;
 * two or four rows side by side reach 0.55 to 0.7 of that. Where they do not fit, every row would
 * fetch them again from the second cache (measured: 7 GB/s where 20 are possible), so tiles of rows
 * share them. At one row the float32 arithmetic hides behind the loads.
 */
enum { FEW = 4, FEW_NR = 4, NEAR_BYTES = 16 << 10 };

typedef void step_of(struct weight_row row, int column, lanes to[VECTORS]);
typedef void rest_of(struct weight_row row, int column, int count, float to[STEP]);

/* A block of `nr` rows of the matrix against `mr` rows of input. */
struct few {
  struct weight_row rows[FEW_NR];
  const float *x[FEW];
  int start; /* where the block begins in a row */
  int width;
  struct ahead ahead;
};

INLINE void few_step(int mr, int nr, lanes sums[][FEW_NR][SUMS], lanes w[][VECTORS],
                     const struct few *f, int column) {
  UNROLL for (int r = 0; r < mr; r++) {
    UNROLL for (int v = 0; v < VECTORS; v++) {
      lanes x = load(f->x[r] + column + v * LANES);
      UNROLL for (int j = 0; j < nr; j++) {
        sums[r][j][v % SUMS] = x * w[j][v] + sums[r][j][v % SUMS];
      }
    }
  }
}

INLINE void few_tile(step_of *step, rest_of *rest, int mr, int nr, const struct few *f, float *y,
                     int64_t pitch) {
  lanes sums[FEW][FEW_NR][SUMS] = {{{{0}}}}, w[FEW_NR][VECTORS];
  int column = 0;
  for (; column + STEP <= f->width; column += STEP) {
    ask(f->ahead, column);
    if (nr == 1 && mr > 1)
      ask_far(f->rows[0].data + (int64_t)((f->start + column) / STEP) * f->ahead.bytes);
    UNROLL for (int j = 0; j < nr; j++) step(f->rows[j], f->start + column, w[j]);
    few_step(mr, nr, sums, w, f, column);
  }
  if (column < f->width) {
    float padded[STEP];
    UNROLL for (int j = 0; j < nr; j++) {
      rest(f->rows[j], f->start + column, f->width - column, padded);
      memcpy(w[j], padded, sizeof padded);
    }
    few_step(mr, nr, sums, w, f, column);
  }
  UNROLL for (int r = 0; r < mr; r++) {
    lanes folded_sums[FEW_NR];
    UNROLL for (int j = 0; j < nr; j++) folded_sums[j] = together(sums[r][j]);
    add_totals(nr, folded_sums, y + r * pitch);
  }
}

INLINE void few_part(step_of *step, rest_of *rest, int mr, int nr, const struct product *p, int row,
                     int block) {
  struct few f = {.start = block * p->in->block, .width = width_of(p, block)};
  UNROLL for (int j = 0; j < nr; j++) f.rows[j] = weight_row(p->matrix, row + j);
  UNROLL for (int r = 0; r < mr; r++) f.x[r] = row_of(p, r, block);
  f.ahead = ahead_of(p, row + nr, block, nr > 1 ? nr : 0);
  few_tile(step, rest, mr, nr, &f, p->y + (row - p->begin), p->pitch);
}

INLINE int inputs_are_near(const struct product *p) {
  int64_t columns = (int64_t)p->in->block * p->in->blocks;
  return p->rows * columns * (p->in->fast ? 2 : 4) <= NEAR_BYTES;
}

INLINE void few_all(step_of *step, rest_of *rest, int mr, const struct product *p) {
  int nr = LANES == 16 ? FEW_NR : 2, row;
  int tiled = inputs_are_near(p) ? p->begin : p->begin + (p->end - p->begin) / nr * nr;
  for (row = p->begin; row < tiled; row += nr)
    for (int block = 0; block < p->in->blocks; block++)
      few_part(step, rest, mr, nr, p, row, block);
  for (; row < p->end; row++)
    for (int block = 0; block < p->in->blocks; block++)
      few_part(step, rest, mr, 1, p, row, block);
}

#define X(upper, name)                                                                             \
  static void few_rows_##name(const struct product *p) {                                           \
    switch (p->rows) {                                                                             \
    case 1:                                                                                        \
      few_all(name##_step, name##_rest, 1, p);                                                     \
      break;                                                                                       \
    case 2:                                                                                        \
      few_all(name##_step, name##_rest, 2, p);                                                     \
      break;                                                                                       \
    case 3:                                                                                        \
      few_all(name##_step, name##_rest, 3, p);                                                     \
      break;                                                                                       \
    default:                                                                                       \
      few_all(name##_step, name##_rest, 4, p);                                                     \
    }                                                                                              \
  }
#include "formats.def"
#undef X
