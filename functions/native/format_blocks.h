/* Block formats: 32 weights share a scale, which lies in a plane of its own.
 *
 * STEP is a block. A weight is the value of its code times the scale, exactly: both are short.
 *   q8     a code is a signed byte, the scale a bfloat16.
 *   q4     a code has four bits and stands for a signed byte of a table, two codes to a byte, the
 *          even one low; the scale is a bfloat16.
 *   mxfp4  as q4, with the table of 4-bit floating point, doubled; the scale is 2^(byte - 128).
 * Rows of mxfp4 lie one after the other. Those of q8 and q4 lie in panels of PANEL rows: block by
 * block, and in a block four bytes of each row in turn. Those are weights 8e, 8e + 2, 8e + 4 and
 * 8e + 6 of q8, then the odd ones; of q4 they are all eight.
 *
 * What is here reads one row, slowly, for calls that mix formats; block_products.h reads panels.
 */
#define SLOW static __attribute__((noinline))

static const int8_t q4_table[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                    1,    13,   25,  38,  53,  69,  89,  113};
static const int8_t mxfp4_table[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

INLINE float half_scale(struct weight_row row, int block) {
  uint16_t half;
  memcpy(&half, row.scales + 2 * PANEL * (int64_t)block, sizeof half);
  uint32_t bits = (uint32_t)half << 16;
  float scale;
  memcpy(&scale, &bits, sizeof scale);
  return scale;
}

/* 2^(exponent - 128) as a bfloat16's bits; the two least powers are denormal numbers. */
INLINE uint16_t power_bits(uint8_t exponent) {
  return exponent > 1 ? (uint16_t)((exponent - 1) << 7) : (uint16_t)(0x20 << exponent);
}

INLINE void scaled(const int8_t from[STEP], float scale, lanes to[VECTORS]) {
  float values[STEP];
  for (int i = 0; i < STEP; i++)
    values[i] = from[i] * scale;
  memcpy(to, values, sizeof values);
}

SLOW void q8_step(struct weight_row row, int column, lanes to[VECTORS]) {
  const uint8_t *codes = row.data + PANEL * (int64_t)column;
  int8_t values[STEP];
  for (int i = 0; i < STEP; i++)
    values[i] = (int8_t)codes[(i / 8 * 2 + i % 2) * 4 * PANEL + i % 8 / 2];
  scaled(values, half_scale(row, column / STEP), to);
}

/* `pitch` bytes lie between every four bytes of a row and its next. */
INLINE void coded_step(const uint8_t *codes, int pitch, const int8_t table[16], float scale,
                       lanes to[VECTORS]) {
  int8_t values[STEP];
  for (int i = 0; i < STEP; i++)
    values[i] = table[codes[i / 8 * pitch + i % 8 / 2] >> i % 2 * 4 & 0x0f];
  scaled(values, scale, to);
}

SLOW void q4_step(struct weight_row row, int column, lanes to[VECTORS]) {
  coded_step(row.data + PANEL * (int64_t)column / 2, 4 * PANEL, q4_table,
             half_scale(row, column / STEP), to);
}

SLOW void mxfp4_step(struct weight_row row, int column, lanes to[VECTORS]) {
  uint32_t bits = (uint32_t)power_bits(row.scales[column / STEP]) << 16;
  float scale;
  memcpy(&scale, &bits, sizeof scale);
  coded_step(row.data + column / 2, 4, mxfp4_table, scale, to);
}

#define BLOCK_FORMAT(name)                                                                         \
  SLOW void name##_rest(struct weight_row row, int column, int count, float to[STEP]) {          \
    lanes values[VECTORS];                                                                         \
    name##_step(row, column, values);                                                              \
    memcpy(to, values, sizeof values);                                                             \
    memset(to + count, 0, (size_t)(STEP - count) * sizeof *to);                                    \
  }

BLOCK_FORMAT(q8)
BLOCK_FORMAT(q4)
BLOCK_FORMAT(mxfp4)
