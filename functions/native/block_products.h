/* Products with block formats, in whole numbers.
 *
 * Outputs are in the lanes: a panel has 16 of them, block after block of 32 columns, and in a block
 * four columns of every output side by side (format_blocks.h). So a row's four columns are met by
 * 16 outputs at once, no lanes are ever added up, and one row reads a panel as one stream. A tile
 * has a panel's part and up to BLOCK_MR rows; each block of weights is decoded once for all of them.
 *
 * The law of template.h holds: a block's sum is a whole number, exact in any order, and blocks are
 * added one after the other. A row with an infinity or a NaN in it answers NaN.
 */
#include "codes.h"
#include "gathering.h"

enum { PARTS = PANEL / LANES, BLOCK_MR = LANES == 16 ? 8 : 4 };
enum { CODED_BLOCK = PANEL * STEP / 2, Q8_BLOCK = PANEL * STEP, PANEL_SCALES = 2 * PANEL };

/* Some blocks of a panel, and what they are multiplied by and added to. */
struct panel_tile {
  const uint8_t *codes;
  const uint8_t *scales;
  const uint8_t *x[BLOCK_MR];
  const int8_t *table; /* of the codes of four bits */
  int blocks;
  float *y;
  int64_t pitch;
};

/* Weights of columns 8 * eighth and on: even columns', odd columns'. */
typedef void eight_of(const uint8_t *block, codes table, int eighth, int part, codes to[2]);

INLINE void q8_eight(const uint8_t *block, codes table, int eighth, int part, codes to[2]) {
  (void)table;
  const uint8_t *from = block + eighth * 8 * PANEL + part * (int)sizeof(codes);
  to[0] = as_met(codes_from(from));
  to[1] = as_met(codes_from(from + 4 * PANEL));
}

INLINE void coded_eight(const uint8_t *block, codes table, int eighth, int part, codes to[2]) {
  codes both = codes_from(block + eighth * 4 * PANEL + part * (int)sizeof(codes));
  to[0] = low_values(both, table);
  to[1] = high_values(both, table);
}

INLINE int32_t four_columns(const uint8_t *from) {
  int32_t value;
  memcpy(&value, from, sizeof value);
  return value;
}

INLINE signs all_whole(int32_t value) { return value - (signs){0}; }

/* A part of a panel's block against `mr` rows. Few rows' sums are in two turns, since each product
 * waits for the one before it. */
INLINE void meet(eight_of *read, int digits, int mr, const struct panel_tile *t, codes table,
                 const uint8_t *block, const uint8_t *scales, int64_t at, int part,
                 lanes sums[][PARTS]) {
  signs first[BLOCK_MR], last[2][BLOCK_MR];
  const int turns = mr <= 2 ? 2 : 1, end = digits * RECORD;
  UNROLL for (int r = 0; r < mr; r++) {
    first[r] = last[1][r] = all_whole(0);
    last[0][r] = UNSIGNED ? all_whole(four_columns(t->x[r] + at + end + 4)) : all_whole(0);
  }
  UNROLL for (int eighth = 0; eighth < STEP / 8; eighth++) {
    codes w[2];
    read(block, table, eighth, part, w);
    UNROLL for (int half = 0; half < 2; half++) {
      UNROLL for (int r = 0; r < mr; r++) {
        const uint8_t *x = t->x[r] + at + 8 * eighth + 4 * half;
        signs *sum = &last[half % turns][r];
        if (digits == 2)
          first[r] = add_products(first[r], w[half], four_columns(x));
        *sum = add_products(*sum, w[half], four_columns(x + end - RECORD));
      }
    }
  }
  lanes scale = bf16_lanes(scales + 2 * LANES * part);
  UNROLL for (int r = 0; r < mr; r++) {
    float other;
    memcpy(&other, t->x[r] + at + end, sizeof other);
    signs sum = turns == 2 ? last[0][r] + last[1][r] : last[0][r];
    if (digits == 2)
      sum += first[r] * DIGIT;
    /* The weights' scale comes last: with the other one it might be too small for a float. */
    sums[r][part] = __builtin_convertvector(sum, lanes) * other * scale + sums[r][part];
  }
}

/* Parts `begin`.. of a panel, `count` of them at once. */
INLINE void tile_parts(eight_of *read, int block_size, int digits, int mr, int begin, int count,
                       const struct panel_tile *t) {
  /* Where little is computed for each byte, memory is followed best when left alone (one row, at
   * 24 GB/s in place of 33 when asked). */
  const int asks = mr > block_size / CODED_BLOCK;
  lanes sums[BLOCK_MR][PARTS];
  codes table = as_met(table_codes(t->table));
  const uint8_t *block = t->codes, *scales = t->scales;
  UNROLL for (int r = 0; r < mr; r++) {
    UNROLL for (int part = 0; part < count; part++)
      sums[r][part] = load(t->y + r * t->pitch + (begin + part) * LANES);
  }
  int64_t size = (int64_t)t->blocks * record_bytes(digits);
  for (int64_t at = 0; at < size; at += record_bytes(digits)) {
    if (asks) {
      UNROLL for (int line = 0; line < block_size; line += LINE) ask_far(block + line);
      ask_far(scales);
    }
    UNROLL for (int part = 0; part < count; part++)
      meet(read, digits, mr, t, table, block + begin * (int)sizeof(codes),
           scales + 2 * LANES * begin, at, part, sums);
    block += block_size, scales += PANEL_SCALES;
  }
  UNROLL for (int r = 0; r < mr; r++) {
    UNROLL for (int part = 0; part < count; part++)
      store(t->y + r * t->pitch + (begin + part) * LANES, sums[r][part]);
  }
}

/* Few rows leave registers for all of a panel, which is then read once. */
INLINE void tile_rows(eight_of *read, int block_size, int digits, int mr,
                      const struct panel_tile *t) {
  if (mr <= 2) {
    tile_parts(read, block_size, digits, mr, 0, PARTS, t);
    return;
  }
  for (int part = 0; part < PARTS; part++)
    tile_parts(read, block_size, digits, mr, part, 1, t);
}

INLINE void tile_any(eight_of *read, int block_size, int digits, int mr,
                     const struct panel_tile *t) {
  switch (mr) {
#define ROWS(n)                                                                                    \
  case n:                                                                                          \
    tile_rows(read, block_size, digits, n, t);                                                     \
    break;
    ROWS(1) ROWS(2) ROWS(3)
#if LANES == 16
    ROWS(4) ROWS(5) ROWS(6) ROWS(7)
#endif
#undef ROWS
  default:
    tile_rows(read, block_size, digits, BLOCK_MR, t);
  }
}

static void q8_tile(int digits, int mr, const struct panel_tile *t) {
  if (digits == 1)
    tile_any(q8_eight, Q8_BLOCK, 1, mr, t);
  else
    tile_any(q8_eight, Q8_BLOCK, 2, mr, t);
}

static void coded_tile(int digits, int mr, const struct panel_tile *t) {
  if (digits == 1)
    tile_any(coded_eight, CODED_BLOCK, 1, mr, t);
  else
    tile_any(coded_eight, CODED_BLOCK, 2, mr, t);
}

static void one_tile(const struct product *p, int mr, const struct panel_tile *t) {
  if (p->matrix->format == REMOE_Q8)
    q8_tile(p->in->digits, mr, t);
  else
    coded_tile(p->in->digits, mr, t);
}

/* A row of input's records in a block. */
INLINE const uint8_t *records(const struct product *p, int row, int block) {
  int64_t index = p->index ? p->index[row] : p->first_row + row;
  int64_t bytes = (int64_t)(p->in->block / RECORD) * record_bytes(p->in->digits);
  return p->in->data + ((int64_t)block * p->in->count + index) * bytes;
}

/* Where a tile's panel begins and ends in the rows of y. */
struct span {
  int from; /* lane of the first output that is asked for: 0, but in a panel cut by the matrix */
  int count;
  float *y;
  int64_t pitch;
};

/* A panel that begins before the product's outputs is computed beside y. */
INLINE void cut_tile(const struct product *p, struct panel_tile *t, int mr, struct span span) {
  float whole[BLOCK_MR * PANEL] = {0};
  size_t bytes = (size_t)span.count * sizeof(float);
  for (int r = 0; r < mr; r++)
    memcpy(whole + r * PANEL + span.from, span.y + r * span.pitch, bytes);
  t->y = whole, t->pitch = PANEL;
  one_tile(p, mr, t);
  for (int r = 0; r < mr; r++)
    memcpy(span.y + r * span.pitch, whole + r * PANEL + span.from, bytes);
}

/* All rows of input against a block of columns of a panel. */
static void block_rows(const struct product *p, int block, struct panel_tile *t,
                       struct span span) {
  for (int row = 0; row < p->rows; row += BLOCK_MR) {
    int mr = smaller(BLOCK_MR, p->rows - row);
    for (int r = 0; r < mr; r++)
      t->x[r] = records(p, row + r, block);
    if (span.from) {
      cut_tile(p, t, mr, span);
    } else {
      t->y = span.y, t->pitch = span.pitch;
      one_tile(p, mr, t);
    }
    span.y += BLOCK_MR * span.pitch;
  }
}

/* The panel that `output` is in, or that begins with it where rows are gathered. */
static void block_panel(const struct product *p, int output, int block) {
  const struct remoe_matrix *m = p->matrix;
  int first = block * (p->in->block / RECORD);
  struct panel_tile t = {.table = m->format == REMOE_Q4 ? q4_table : mxfp4_table,
                         .blocks = (width_of(p, block) + STEP - 1) / STEP};
  struct span span = {0, 0, p->y + (output - p->begin), p->pitch};
  if (!in_panels(m)) {
    uint8_t *gathered = (uint8_t *)p->tile;
    t.codes = gathered, t.scales = gathered + t.blocks * CODED_BLOCK;
    gather_panel(p, output, first, t.blocks, gathered, gathered + t.blocks * CODED_BLOCK);
  } else {
    int size = m->format == REMOE_Q8 ? Q8_BLOCK : CODED_BLOCK, panel = output / PANEL * PANEL;
    span.from = output - panel;
    span.count = smaller(PANEL - span.from, p->end - output);
    t.codes = m->data + panel * m->row_bytes + (int64_t)first * size;
    t.scales = m->scales + panel * m->scale_row_bytes + (int64_t)first * PANEL_SCALES;
  }
  block_rows(p, block, &t, span);
}

INLINE int after(const struct product *p, int output) {
  return in_panels(p->matrix) ? (output / PANEL + 1) * PANEL : output + PANEL;
}

/* One tile of rows reads the matrix on and on; several go block by block of columns, whose inputs
 * stay in the caches. */
static void block_product(const struct product *p) {
  if (p->rows <= BLOCK_MR) {
    for (int output = p->begin; output < p->end; output = after(p, output))
      for (int block = 0; block < p->in->blocks; block++)
        block_panel(p, output, block);
    return;
  }
  for (int block = 0; block < p->in->blocks; block++)
    for (int output = p->begin; output < p->end; output = after(p, output))
      block_panel(p, output, block);
}
