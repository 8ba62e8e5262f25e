/* How each format of weights is read, in the vectors of one instruction set.
 *
 * To add a format NAME:
 *   1. a line X(NAME, name) in formats.def;
 *   2. a header format_name.h, included below, with
 *        INLINE void name_step(struct weight_row row, int column, lanes to[VECTORS])
 *          STEP (32) consecutive weights from `column` on, a multiple of STEP, as floats in order;
 *        INLINE void name_rest(struct weight_row row, int column, int count, float to[STEP])
 *          the `count` < STEP last weights of a row, then zeros, without reading beyond the row;
 *   3. its element types and sizes in Python's Format (native_expert.py).
 * Formats in blocks are met in whole numbers (block_products.h); what is asked for here serves calls
 * that mix them with others.
 * Few and many rows, exact sums, threads and the law of template.h follow from these. Only the
 * plain formats may be transposed.
 */

enum { PANEL = 16 }; /* rows of a matrix side by side (format_blocks.h) */

struct weight_row {
  const uint8_t *data;
  const uint8_t *scales; /* NULL where the format has no second plane */
};

INLINE int in_panels(const struct remoe_matrix *m) {
  return m->format == REMOE_Q8 || m->format == REMOE_Q4;
}

INLINE struct weight_row weight_row(const struct remoe_matrix *m, int64_t row) {
  int64_t lane = in_panels(m) ? row % PANEL : 0, first = row - lane;
  struct weight_row result = {m->data + first * m->row_bytes + 4 * lane, NULL};
  if (m->scales)
    result.scales = m->scales + first * m->scale_row_bytes + 2 * lane;
  return result;
}

#define PLAIN_FORMAT(name, size)                                                                   \
  INLINE void name##_step(struct weight_row row, int column, lanes to[VECTORS]) {                  \
    UNROLL for (int v = 0; v < VECTORS; v++) to[v] =                                               \
        name##_lanes(row.data + (int64_t)(column + v * LANES) * (size));                           \
  }                                                                                                \
  INLINE void name##_rest(struct weight_row row, int column, int count, float to[STEP]) {          \
    uint8_t bytes[STEP * (size)] = {0};                                                            \
    memcpy(bytes, row.data + (int64_t)column * (size), (size_t)count * (size));                    \
    lanes values[VECTORS];                                                                         \
    name##_step((struct weight_row){bytes, NULL}, 0, values);                                      \
    memcpy(to, values, sizeof values);                                                             \
  }

PLAIN_FORMAT(f32, 4)
PLAIN_FORMAT(bf16, 2)
PLAIN_FORMAT(f16, 2)

#include "format_blocks.h"
