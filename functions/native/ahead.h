/* Weights are asked for before they are needed: while one tile of rows is met, the next one comes.
 *
 * The hardware follows one stream well and several rows side by side badly (few_rows.h has the
 * figures); where each row is met by many, asking ahead hides what that costs.
 */
enum { LINE = 64 };

/* A part of the matrix to be asked for: `rows` of them, a bit of each at every step of a tile. */
struct ahead {
  const uint8_t *data;
  int64_t pitch;
  int32_t bytes; /* of a row, for STEP columns */
  int32_t rows;
};

/* Bytes that STEP columns take in a row. */
INLINE int32_t step_bytes(const struct product *p) {
  return (int32_t)(p->matrix->row_bytes * STEP / p->in->width);
}

/* The rows from `row` on, at `block`, as far as they are this product's own. */
INLINE struct ahead ahead_of(const struct product *p, int row, int block, int rows) {
  int own = p->end - row;
  int64_t skipped = (int64_t)(block * (p->in->block / STEP)) * step_bytes(p);
  return (struct ahead){p->matrix->data + row * p->matrix->row_bytes + skipped,
                        p->matrix->row_bytes, step_bytes(p), smaller(rows, own > 0 ? own : 0)};
}

/* The part of it that the `index`-th of `count` tiles asks for. */
INLINE struct ahead share_of(struct ahead all, int index, int count) {
  int first = all.rows * index / count, last = all.rows * (index + 1) / count;
  return (struct ahead){all.data + first * all.pitch, all.pitch, all.bytes, last - first};
}

INLINE void ask(struct ahead what, int column) {
  int64_t offset = (int64_t)(column / STEP) * what.bytes;
  for (int row = 0; row < what.rows; row++)
    for (int32_t line = 0; line < what.bytes; line += LINE)
      __builtin_prefetch(what.data + row * what.pitch + offset + line, 0, 2);
}

/* The same for one stream, read from end to end: its next lines come into the second cache far
 * enough ahead for arithmetic to hide behind memory. Without it, four rows of input reach 0.6 of
 * reading; nearer, or into the first cache, is worse than not asking. */
enum { FAR = 8192 };

INLINE void ask_far(const uint8_t *from) { __builtin_prefetch(from + FAR, 0, 2); }

/* Outputs that lie FAR ahead, at least. */
INLINE int far_outputs(const struct product *p) {
  return (int)((FAR + p->matrix->row_bytes - 1) / p->matrix->row_bytes);
}

/* What to ask for while output `row` is made: an output of this thread's own, since what lies
 * beyond is another's, who reads it at this very moment; or what this thread reads next. */
INLINE const uint8_t *asked_with(const struct product *p, int row, int far) {
  int64_t bytes = p->matrix->row_bytes;
  if (row + far < p->end)
    return p->matrix->data + (row + far) * bytes;
  return p->next ? p->next + (row + far - p->end) * bytes : p->matrix->data + row * bytes;
}
