/* Matrices that are [in, out]: lanes lie along the output, sums stay in y.
 *
 * DEPTH rows of the matrix are met at a time, so that y is loaded and stored once per DEPTH. With
 * few rows of input, whole rows of the part are streamed in the order they lie in memory; with
 * many, a strip of STRIP columns at a time, whose part of y stays in the first cache.
 */
enum { DEPTH = 8, STRIP = 4 * LANES };

typedef lanes lanes_from(const uint8_t *from);

/* DEPTH (or fewer) rows of weights times the rows of input, for LANES columns. */
INLINE void column_tile(int depth, const lanes w[], const struct product *p, const float *const x[],
                        float *y) {
  for (int r = 0; r < p->rows; r++) {
    lanes sum = load(y + r * p->pitch);
    UNROLL for (int k = 0; k < depth; k++) sum = all(x[r][k]) * w[k] + sum;
    store(y + r * p->pitch, sum);
  }
}

/* A line of each of the `depth` rows of the matrix after those at `data`, into the second cache. */
INLINE void ask_below(const struct product *p, const uint8_t *data, int depth, int64_t bytes) {
  const uint8_t *below = data + depth * p->matrix->row_bytes + bytes;
  UNROLL for (int k = 0; k < depth; k++) __builtin_prefetch(below + k * p->matrix->row_bytes, 0, 2);
}

INLINE void columns(lanes_from *from, int size, int depth, const struct product *p,
                    const float *const x[], int64_t row, int begin, int end) {
  const uint8_t *data = p->matrix->data + row * p->matrix->row_bytes;
  for (int column = begin; column < end; column += LANES) {
    lanes w[DEPTH];
    if (p->rows <= STREAMED_ROWS && (column - begin) % STEP == 0)
      ask_below(p, data, depth, (int64_t)column * size);
    UNROLL for (int k = 0; k < depth; k++) {
      const uint8_t *at = data + k * p->matrix->row_bytes + (int64_t)column * size;
      if (column + LANES <= end) {
        w[k] = from(at);
      } else {
        uint8_t padded[LANES * ITEM_MAX] = {0};
        memcpy(padded, at, (size_t)((end - column) * size));
        w[k] = from(padded);
      }
    }
    column_tile(depth, w, p, x, p->y + (column - p->begin));
  }
}

enum { MANY_POINTERS = 128 };

/* A strip's part of the rows that come next: too short a run each for the hardware to follow. */
INLINE void ask_strip(const struct product *p, int size, int64_t row, int count, int begin,
                      int end) {
  if (p->rows <= STREAMED_ROWS)
    return;
  const uint8_t *data = p->matrix->data + row * p->matrix->row_bytes + (int64_t)begin * size;
  for (int k = 0; k < count; k++)
    for (int byte = 0; byte < (end - begin) * size; byte += LINE)
      __builtin_prefetch(data + k * p->matrix->row_bytes + byte, 0, 2);
}

INLINE void strip(lanes_from *from, int size, const struct product *p, int begin, int end) {
  for (int block = 0; block < p->in->blocks; block++) {
    int64_t start = (int64_t)block * p->in->block;
    int width = width_of(p, block), k = 0;
    const float *x[MANY_POINTERS];
    for (int r = 0; r < p->rows; r++)
      x[r] = row_of(p, r, block);
    for (; k < width;) {
      int depth = k + DEPTH <= width ? DEPTH : 1;
      ask_strip(p, size, start + k + depth, depth, begin, end);
      if (depth == DEPTH)
        columns(from, size, DEPTH, p, x, start + k, begin, end);
      else
        columns(from, size, 1, p, x, start + k, begin, end);
      for (int r = 0; r < p->rows; r++)
        x[r] += depth;
      k += depth;
    }
  }
}

INLINE void transposed_all(lanes_from *from, int size, const struct product *p) {
  int wide = p->rows <= STREAMED_ROWS ? p->end - p->begin : STRIP;
  for (int begin = p->begin; begin < p->end; begin += wide)
    strip(from, size, p, begin, smaller(begin + wide, p->end));
}

static void transposed_product(const struct product *p) {
  switch (p->matrix->format) {
  case REMOE_F32:
    transposed_all(f32_lanes, 4, p);
    break;
  case REMOE_BF16:
    transposed_all(bf16_lanes, 2, p);
    break;
  default:
    transposed_all(f16_lanes, 2, p);
  }
}
