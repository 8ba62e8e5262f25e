/* The products of one instruction set. Included by instructions_*.c, which say what LANES are.
 *
 * The law of this file: an element of y is always summed in the same order, whatever the number of
 * rows, tiles or threads. So a row's answer depends on that row alone, to the bit.
 *   [out, in]: blocks of `in` columns; in a block, SUMS vectors take turns to sum LANES columns
 *   each, and are folded into one number (`totals`), which is added to y.
 *   Blocks of few bits: block_products.h.
 *   [in, out]: lanes lie along the output, and columns are added to y one after the other.
 */
#include "lanes.h"
#include "nonlinear.h"

/* STEP columns are read at a time: what block formats have in common, and a multiple of LANES. */
enum { STEP = 32, VECTORS = STEP / LANES, SUMS = LANES == 16 ? 1 : 2, ITEM_MAX = 4 };

INLINE int smaller(int a, int b) { return a < b ? a : b; }

#include "formats.h"
#include "attend.h"

INLINE const float *row_of(const struct product *p, int row, int block) {
  int64_t index = p->index ? p->index[row] : p->first_row + row;
  const float *data = (const float *)(const void *)p->in->data;
  return data + ((int64_t)block * p->in->count + index) * p->in->block;
}

INLINE lanes together(const lanes sums[SUMS]) {
  return SUMS == 1 ? sums[0] : sums[0] + sums[SUMS - 1];
}

INLINE int width_of(const struct product *p, int block) {
  return smaller(p->in->block, p->in->width - block * p->in->block);
}

#include "ahead.h"
#include "few_rows.h"
#include "many_rows.h"
#include "transposed.h"

#include "rounding.h"
#include "block_products.h"

typedef void product_of(const struct product *p);

static product_of *const few_rows[] = {
#define X(upper, lower) few_rows_##lower,
#include "formats.def"
#undef X
};
static product_of *const many_rows[] = {
#define X(upper, lower) many_rows_##lower,
#include "formats.def"
#undef X
};

#ifndef HAS_FAST
#define HAS_FAST 0
static void fast_product(const struct product *p) { (void)p; }
#endif

static void product(const struct product *p) {
  for (int row = 0; row < p->rows; row++)
    memset(p->y + row * p->pitch, 0, (size_t)(p->end - p->begin) * sizeof(float));
  if (p->in->digits)
    block_product(p);
  else if (p->in->fast)
    fast_product(p);
  else if (p->matrix->transposed)
    transposed_product(p);
  else if (p->rows <= FEW)
    few_rows[p->matrix->format](p);
  else
    many_rows[p->matrix->format](p);
}
