/* Few rows times a matrix, for whoever has several such products in a call: cut into items of
 * OUTPUTS numbers, each made by one thread, in one order, whatever the rows beside it.
 */
#ifndef REMOE_PROJECTION_H
#define REMOE_PROJECTION_H

#include <stdbool.h>

#include "activations.h"
#include "instructions.h"

enum { OUTPUTS = 64, TOGETHER = 64, PITCH = OUTPUTS + MAX_LANES };
/* What a thread needs to make an item. */
enum { PROJECTION_FLOATS = TILE_FLOATS + TOGETHER * PITCH };

struct projection {
  const struct remoe_matrix *matrix;
  const float *bias; /* [outputs], or NULL */
  int32_t outputs;
};

static inline int32_t items_of(const struct projection *p) {
  return (p->outputs + OUTPUTS - 1) / OUTPUTS;
}

/* An item of rows `first`.., at most TOGETHER of them; the answer lies at `y` in the scratch. */
static inline struct product project(const struct instructions *set, const struct projection *what,
                                     const struct activations *in, int64_t first, int32_t item,
                                     float *scratch) {
  int32_t begin = item * OUTPUTS;
  struct product p = {.matrix = what->matrix,
                      .in = in,
                      .first_row = first,
                      .rows = (int32_t)smaller(TOGETHER, in->count - first),
                      .begin = begin,
                      .end = (int32_t)smaller(begin + OUTPUTS, what->outputs),
                      .y = scratch + TILE_FLOATS,
                      .pitch = PITCH,
                      .tile = scratch};
  set->product(&p);
  for (int32_t row = 0; what->bias && row < p.rows; row++)
    for (int32_t i = 0; i < p.end - begin; i++)
      p.y[row * p.pitch + i] += what->bias[begin + i];
  return p;
}

/* Whether products of these weights are made in bfloat16, from rows rounded to it. */
static inline int32_t in_halves(const struct instructions *set, int32_t format) {
  return set->has_fast && format == REMOE_BF16;
}

#endif
