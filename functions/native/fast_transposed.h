/* Matrices that are [in, out], in bfloat16's products: as transposed.h, two rows to a product.
 *
 * An element is summed over pairs of rows in order, and neither the panels nor the tiles below
 * change that order.
 */

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

/* `depth`, 1 or 2, rows of the matrix from `data` on, beside each other; one alone beside zeros. */
INLINE __m512i pair_at(const struct product *p, const uint8_t *data, int depth, int column) {
  halves second = {0};
  if (depth == 2)
    second = some_halves(data + p->matrix->row_bytes, column, p->end);
  return paired(some_halves(data, column, p->end), second);
}

INLINE __m512i pair_of(const uint16_t *x) {
  int32_t both;
  memcpy(&both, x, sizeof both);
  return _mm512_set1_epi32(both);
}

#include "fast_streams.h"

/* Many rows: a panel of the matrix is paired once into the scratch, which stays in the second
 * cache, and met there in tiles of registers by all rows of input. It is wide, so that what is read
 * of each row is long, and lies in strips as wide as a tile. While it is met, the next one is asked
 * for, into the first cache: asked for into the second, half as much of it comes in time. */
enum {
  PANEL_NR = 4,
  STRIP_COLUMNS = PANEL_NR * LANES,
  PANEL_COLUMNS = 512,
  PANEL_DEPTH = 64,
  PANEL_LINES = PANEL_COLUMNS * 2 / LINE
};

struct panel {
  int block;
  int first; /* row of the matrix, in the block */
  int depth; /* rows of the matrix */
  int column;
  int columns;
};

/* Lines of the next panel that a tile asks for, some at every step. */
struct lines {
  const uint8_t *data;
  int64_t pitch;
  int next;
  int end;
};

INLINE int panel_pairs(const struct panel *panel) { return (panel->depth + 1) / 2; }

INLINE const uint8_t *panel_data(const struct product *p, const struct panel *panel) {
  int64_t row = (int64_t)panel->block * p->in->block + panel->first;
  return p->matrix->data + row * p->matrix->row_bytes;
}

/* Where a strip begins in the scratch; `vector` is its first. */
INLINE uint8_t *strip_at(const struct product *p, const struct panel *panel, int vector) {
  return (uint8_t *)p->tile + (int64_t)vector * panel_pairs(panel) * (int64_t)sizeof(__m512i);
}

/* Vectors in the strip that begins with `vector`: a panel's last ones are strips of their own. */
INLINE int strip_vectors(const struct panel *panel, int vector) {
  return panel->columns - vector * LANES >= STRIP_COLUMNS ? PANEL_NR : 1;
}

/* A whole step of a whole strip. */
INLINE void pair_step(const uint8_t *data, int64_t pitch, __m512i *to) {
  UNROLL for (int v = 0; v < PANEL_NR; v++) {
    halves first, second;
    memcpy(&first, data + v * (int)sizeof first, sizeof first);
    memcpy(&second, data + v * (int)sizeof second + pitch, sizeof second);
    _mm512_storeu_si512(to + v, paired(first, second));
  }
}

static void pair_panel(const struct product *p, const struct panel *panel) {
  const uint8_t *data = panel_data(p, panel);
  int step;
  for (int k = 0; k < panel_pairs(panel); k++, data += 2 * p->matrix->row_bytes) {
    int depth = smaller(2, panel->depth - 2 * k);
    for (int vector = 0; vector * LANES < panel->columns; vector += step) {
      step = strip_vectors(panel, vector);
      __m512i *to = (__m512i *)(void *)strip_at(p, panel, vector) + k * step;
      if (step == PANEL_NR && depth == 2)
        pair_step(data + 2 * (int64_t)(panel->column + vector * LANES), p->matrix->row_bytes, to);
      else
        for (int v = 0; v < step; v++)
          _mm512_storeu_si512(to + v,
                              pair_at(p, data, depth, panel->column + (vector + v) * LANES));
    }
  }
}

INLINE void ask_lines(struct lines *lines, int step, int steps) {
  for (int line = lines->next + step; line < lines->end; line += steps)
    __builtin_prefetch(lines->data + line / PANEL_LINES * lines->pitch + line % PANEL_LINES * LINE,
                       0, 3);
}

INLINE void panel_tile(int mr, int nr, const struct product *p, const struct panel *panel, int row,
                       int vector, struct lines lines) {
  lanes sums[FAST_MR][PANEL_NR];
  const uint16_t *x[FAST_MR];
  const uint8_t *w = strip_at(p, panel, vector);
  float *y = p->y + row * p->pitch + (panel->column - p->begin) + vector * LANES;
  int pairs = panel_pairs(panel);
  UNROLL for (int r = 0; r < mr; r++) {
    x[r] = half_row_of(p, row + r, panel->block) + panel->first;
    UNROLL for (int j = 0; j < nr; j++) sums[r][j] = load(y + r * p->pitch + j * LANES);
  }
  for (int k = 0; k < pairs; k++, w += nr * (int)sizeof(__m512i)) {
    __m512i some[PANEL_NR];
    ask_lines(&lines, k, pairs);
    UNROLL for (int j = 0; j < nr; j++) some[j] = _mm512_loadu_si512(w + j * sizeof(__m512i));
    UNROLL for (int r = 0; r < mr; r++) {
      __m512i both = pair_of(x[r] + 2 * k);
      UNROLL for (int j = 0; j < nr; j++) sums[r][j] = dot(sums[r][j], both, some[j]);
    }
  }
  UNROLL for (int r = 0; r < mr; r++) {
    UNROLL for (int j = 0; j < nr; j++) store(y + r * p->pitch + j * LANES, sums[r][j]);
  }
}

INLINE void panel_rows(int nr, const struct product *p, const struct panel *panel, int row,
                       int vector, struct lines lines) {
  switch (p->rows - row) {
#define ROWS(n)                                                                                    \
  case n:                                                                                          \
    panel_tile(n, nr, p, panel, row, vector, lines);                                               \
    break;
    ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5)
#undef ROWS
  default:
    panel_tile(FAST_MR, nr, p, panel, row, vector, lines);
  }
}

static void panel_strip(const struct product *p, const struct panel *panel, int row, int vector,
                        struct lines lines) {
  if (strip_vectors(panel, vector) == PANEL_NR)
    panel_rows(PANEL_NR, p, panel, row, vector, lines);
  else
    panel_rows(1, p, panel, row, vector, lines);
}

static void met_panel(const struct product *p, const struct panel *panel) {
  int vectors = (panel->columns + LANES - 1) / LANES;
  int tiles = (p->rows + FAST_MR - 1) / FAST_MR * vectors, tile = 0, step;
  struct lines lines = {.data = panel_data(p, panel) + panel->depth * p->matrix->row_bytes +
                                2 * (int64_t)panel->column,
                        .pitch = p->matrix->row_bytes};
  pair_panel(p, panel);
  for (int vector = 0; vector < vectors; vector += step) {
    step = strip_vectors(panel, vector);
    for (int row = 0; row < p->rows; row += FAST_MR) {
      lines.next = panel->depth * PANEL_LINES * tile / tiles;
      tile += step;
      lines.end = panel->depth * PANEL_LINES * tile / tiles;
      panel_strip(p, panel, row, vector, lines);
    }
  }
}

static void panels(const struct product *p) {
  struct panel panel;
  for (panel.column = p->begin; panel.column < p->end; panel.column += PANEL_COLUMNS) {
    panel.columns = smaller(PANEL_COLUMNS, p->end - panel.column);
    for (panel.block = 0; panel.block < p->in->blocks; panel.block++) {
      int width = width_of(p, panel.block);
      for (panel.first = 0; panel.first < width; panel.first += PANEL_DEPTH) {
        panel.depth = smaller(PANEL_DEPTH, width - panel.first);
        met_panel(p, &panel);
      }
    }
  }
}

static void fast_transposed(const struct product *p) {
  if (p->rows > STREAMED_ROWS)
    panels(p);
  else
    streams(p);
}
