/* Few rows against an [in, out] matrix: its rows are streamed in the order they lie in memory. */

/* `depth` rows of the matrix, in `pairs`. */
INLINE void fast_columns(int pairs, int depth, const struct product *p, const uint16_t *const x[],
                         int64_t row) {
  const uint8_t *data = p->matrix->data + row * p->matrix->row_bytes;
  for (int column = p->begin; column < p->end; column += LANES) {
    __m512i w[PAIRS];
    if ((column - p->begin) % STEP == 0)
      ask_below(p, data, depth, 2 * (int64_t)column);
    UNROLL for (int k = 0; k < pairs; k++) {
      w[k] = pair_at(p, data + 2 * k * p->matrix->row_bytes, smaller(2, depth - 2 * k), column);
    }
    float *y = p->y + (column - p->begin);
    for (int r = 0; r < p->rows; r++) {
      lanes sum = load(y + r * p->pitch);
      UNROLL for (int k = 0; k < pairs; k++) sum = dot(sum, pair_of(x[r] + 2 * k), w[k]);
      store(y + r * p->pitch, sum);
    }
  }
}

static void streams(const struct product *p) {
  for (int block = 0; block < p->in->blocks; block++) {
    int64_t start = (int64_t)block * p->in->block;
    int width = width_of(p, block), depth;
    const uint16_t *x[STREAMED_ROWS];
    for (int r = 0; r < p->rows; r++)
      x[r] = half_row_of(p, r, block);
    for (int k = 0; k < width; k += depth) {
      depth = smaller(2 * PAIRS, width - k);
      if (depth == 2 * PAIRS) {
        fast_columns(PAIRS, 2 * PAIRS, p, x, start + k);
      } else {
        depth = smaller(2, depth);
        fast_columns(1, depth, p, x, start + k);
      }
      for (int r = 0; r < p->rows; r++)
        x[r] += depth;
    }
  }
}
