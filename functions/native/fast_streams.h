/* Few rows against an [in, out] matrix: its rows are streamed in the order they lie in memory. */

/* `depth` rows of the matrix, in `pairs`, for the outputs from `column` on. */
INLINE void fast_columns(int pairs, int depth, const struct product *p, const uint16_t *const x[],
                         int64_t row, int column) {
  const uint8_t *data = p->matrix->data + row * p->matrix->row_bytes;
  for (; column < p->end; column += LANES) {
    __m512i w[PAIRS];
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

/* Elements of two rows beside each other: which make the first products, which the others. */
#define LOW                                                                                        \
  0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39, 8, 40, 9, 41, 10, 42, 11,                \
  43, 12, 44, 13, 45, 14, 46, 15, 47
#define HIGH                                                                                       \
  16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55, 24, 56, 25, 57, 26,              \
  58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63

/* STEP outputs of 2 * PAIRS rows of the matrix from `data` on, the first `mr` rows of input. */
INLINE void stream_step(int mr, const struct product *p, const uint16_t *const x[],
                        const uint8_t *data, float *y) {
  lanes sums[FEW][2];
  UNROLL for (int r = 0; r < mr; r++) {
    sums[r][0] = load(y + r * p->pitch), sums[r][1] = load(y + r * p->pitch + LANES);
  }
  UNROLL for (int k = 0; k < PAIRS; k++, data += 2 * p->matrix->row_bytes) {
    doubles a, b;
    memcpy(&a, data, sizeof a), memcpy(&b, data + p->matrix->row_bytes, sizeof b);
    __m512i first = (__m512i)__builtin_shufflevector(a, b, LOW);
    __m512i second = (__m512i)__builtin_shufflevector(a, b, HIGH);
    UNROLL for (int r = 0; r < mr; r++) {
      __m512i both = pair_of(x[r] + 2 * k);
      sums[r][0] = dot(sums[r][0], both, first), sums[r][1] = dot(sums[r][1], both, second);
    }
  }
  UNROLL for (int r = 0; r < mr; r++) {
    store(y + r * p->pitch, sums[r][0]), store(y + r * p->pitch + LANES, sums[r][1]);
  }
}

/* 2 * PAIRS rows of the matrix; more rows of input than FEW meet a step one after the other. */
INLINE void stream_rows(int mr, const struct product *p, const uint16_t *const x[], int64_t row) {
  const uint8_t *data = p->matrix->data + row * p->matrix->row_bytes;
  int column = p->begin;
  for (; column + STEP <= p->end; column += STEP) {
    const uint8_t *at = data + 2 * (int64_t)column;
    float *y = p->y + (column - p->begin);
    ask_below(p, data, 2 * PAIRS, 2 * (int64_t)column);
    int r = 0;
    for (; r + mr <= p->rows; r += mr)
      stream_step(mr, p, x + r, at, y + r * p->pitch);
    for (; r < p->rows; r++)
      stream_step(1, p, x + r, at, y + r * p->pitch);
  }
  fast_columns(PAIRS, 2 * PAIRS, p, x, row, column);
}

#undef LOW
#undef HIGH

#define ROWS(n)                                                                                    \
  static __attribute__((noinline)) void stream_rows_##n(                                           \
      const struct product *p, const uint16_t *const x[], int64_t row) {                           \
    stream_rows(n, p, x, row);                                                                     \
  }
ROWS(1) ROWS(2) ROWS(3) ROWS(4)
#undef ROWS

static void (*const stream_rows_of[FEW])(const struct product *p, const uint16_t *const x[],
                                         int64_t row) = {stream_rows_1, stream_rows_2,
                                                         stream_rows_3, stream_rows_4};

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
        stream_rows_of[smaller(FEW, p->rows) - 1](p, x, start + k);
      } else {
        depth = smaller(2, depth);
        fast_columns(1, depth, p, x, start + k, p->begin);
      }
      for (int r = 0; r < p->rows; r++)
        x[r] += depth;
    }
  }
}
