/* Matrices that are [in, out], in bfloat16's products: as transposed.h, two rows to a product. */

enum { PAIRS = DEPTH };

typedef uint16_t doubles __attribute__((vector_size(LANES * 4)));

/* A row of the matrix from `column` on; zeros beyond `end`. */
INLINE halves some_halves(const uint8_t *row, int column, int end) {
  halves value = {0};
  if (column + LANES <= end)
    memcpy(&value, row + 2 * (int64_t)column, sizeof value);
  else
    memcpy(&value, row + 2 * (int64_t)column, (size_t)(2 * (end - column)));
  return value;
}

/* Two rows, element by element beside each other. */
INLINE __m512i paired(halves a, halves b) {
  doubles both = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7,
                                         23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30,
                                         15, 31);
  return (__m512i)both;
}

INLINE __m512i pair_of(const uint16_t *x) {
  int32_t both;
  memcpy(&both, x, sizeof both);
  return _mm512_set1_epi32(both);
}

/* `depth` rows of the matrix, in `pairs`; the last of an odd number is beside zeros. */
INLINE void fast_columns(int pairs, int depth, const struct product *p, const uint16_t *const x[],
                         int64_t row, int begin, int end) {
  const uint8_t *data = p->matrix->data + row * p->matrix->row_bytes;
  for (int column = begin; column < end; column += LANES) {
    __m512i w[PAIRS];
    UNROLL for (int k = 0; k < pairs; k++) {
      const uint8_t *at = data + 2 * k * p->matrix->row_bytes;
      halves second = {0};
      if (2 * k + 1 < depth)
        second = some_halves(at + p->matrix->row_bytes, column, end);
      w[k] = paired(some_halves(at, column, end), second);
    }
    float *y = p->y + (column - p->begin);
    for (int r = 0; r < p->rows; r++) {
      lanes sum = load(y + r * p->pitch);
      UNROLL for (int k = 0; k < pairs; k++) sum = dot(sum, pair_of(x[r] + 2 * k), w[k]);
      store(y + r * p->pitch, sum);
    }
  }
}

static void fast_strip(const struct product *p, int begin, int end) {
  for (int block = 0; block < p->in->blocks; block++) {
    int64_t start = (int64_t)block * p->in->block;
    int width = width_of(p, block), depth;
    const uint16_t *x[MANY_POINTERS];
    for (int r = 0; r < p->rows; r++)
      x[r] = half_row_of(p, r, block);
    for (int k = 0; k < width; k += depth) {
      depth = smaller(2 * PAIRS, width - k);
      ask_strip(p, 2, start + k + depth, depth, begin, end);
      if (depth == 2 * PAIRS) {
        fast_columns(PAIRS, 2 * PAIRS, p, x, start + k, begin, end);
      } else {
        depth = smaller(2, depth);
        fast_columns(1, depth, p, x, start + k, begin, end);
      }
      for (int r = 0; r < p->rows; r++)
        x[r] += depth;
    }
  }
}

static void fast_transposed(const struct product *p) {
  int wide = p->rows <= STREAMED ? p->end - p->begin : STRIP;
  for (int begin = p->begin; begin < p->end; begin += wide)
    fast_strip(p, begin, smaller(begin + wide, p->end));
}
