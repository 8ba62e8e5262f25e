/* Rows that lie one after the other (mxfp4), put side by side as block_products.h reads them.
 *
 * A panel's part of a block of columns goes into a scratch that stays in the first cache; the next
 * panel is asked for meanwhile, in the order it lies in, since sixteen rows side by side are followed
 * badly. Outputs beyond the product's are its last one again.
 */
struct gathered_rows {
  const uint8_t *codes[PANEL];
  const uint8_t *scales[PANEL];
  const uint8_t *next;   /* what is asked for meanwhile, as many bytes as are gathered */
  const uint8_t *limit;  /* of what may be read of the scales */
};

#if LANES == 16
/* 16 bytes of every fourth row, so that turns of four rows are turns inside 16 bytes. */
INLINE __m512i fourth_rows(const uint8_t *const rows[], int64_t at) {
  __m512i some = _mm512_castsi128_si512(_mm_loadu_si128((const void *)(rows[0] + at)));
  some = _mm512_inserti32x4(some, _mm_loadu_si128((const void *)(rows[4] + at)), 1);
  some = _mm512_inserti32x4(some, _mm_loadu_si128((const void *)(rows[8] + at)), 2);
  return _mm512_inserti32x4(some, _mm_loadu_si128((const void *)(rows[12] + at)), 3);
}

/* Four bytes of each row in turn, from 16 bytes of each. */
INLINE void gather_block(const uint8_t *const rows[PANEL], int64_t at, uint8_t *to) {
  __m512i a = fourth_rows(rows, at), b = fourth_rows(rows + 1, at);
  __m512i c = fourth_rows(rows + 2, at), d = fourth_rows(rows + 3, at);
  __m512i ab = _mm512_unpacklo_epi32(a, b), ab_high = _mm512_unpackhi_epi32(a, b);
  __m512i cd = _mm512_unpacklo_epi32(c, d), cd_high = _mm512_unpackhi_epi32(c, d);
  _mm512_storeu_si512(to, _mm512_unpacklo_epi64(ab, cd));
  _mm512_storeu_si512(to + 64, _mm512_unpackhi_epi64(ab, cd));
  _mm512_storeu_si512(to + 128, _mm512_unpacklo_epi64(ab_high, cd_high));
  _mm512_storeu_si512(to + 192, _mm512_unpackhi_epi64(ab_high, cd_high));
}
#else
typedef int32_t quad __attribute__((vector_size(16)));

INLINE quad quad_from(const uint8_t *from) {
  quad value;
  memcpy(&value, from, sizeof value);
  return value;
}

INLINE void gather_four(const uint8_t *const rows[4], int64_t at, uint8_t *to) {
  quad a = quad_from(rows[0] + at), b = quad_from(rows[1] + at);
  quad c = quad_from(rows[2] + at), d = quad_from(rows[3] + at);
  quad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  quad ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  quad cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  quad turns[4] = {__builtin_shufflevector(ab, cd, 0, 1, 4, 5),
                   __builtin_shufflevector(ab, cd, 2, 3, 6, 7),
                   __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5),
                   __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7)};
  UNROLL for (int i = 0; i < 4; i++) memcpy(to + 4 * PANEL * i, turns + i, sizeof *turns);
}

/* Four bytes of each row in turn, from 16 bytes of each. */
INLINE void gather_block(const uint8_t *const rows[PANEL], int64_t at, uint8_t *to) {
  UNROLL for (int row = 0; row < PANEL; row += 4) { gather_four(rows + row, at, to + 4 * row); }
}
#endif

INLINE void gather_codes(const struct gathered_rows *rows, int count, uint8_t *to) {
  for (int block = 0; block < count; block++, to += PANEL * STEP / 2) {
    int64_t at = (int64_t)block * (STEP / 2);
    gather_block(rows->codes, at, to);
    UNROLL for (int line = 0; line < PANEL * STEP / 2; line += LINE)
      __builtin_prefetch(rows->next + PANEL * at + line, 0, 2);
  }
}

/* Scales of sixteen blocks, a byte each, as words of bfloat16. Of two the larger is the right one;
 * see power_bits. */
INLINE void put_powers(const uint8_t *turns, int count, uint8_t *to) {
  for (int block = 0; block < count; block++, to += 2 * PANEL) {
    uint32_t four[PANEL];
    int16_t powers[PANEL];
    memcpy(four, turns + block / 4 * 4 * PANEL, sizeof four);
    for (int row = 0; row < PANEL; row++) {
      int32_t exponent = (int32_t)(four[row] >> 8 * (block % 4) & 0xff);
      int32_t normal = (exponent - 1) * 0x80, denormal = (exponent + 1) * 0x20;
      powers[row] = (int16_t)(normal > denormal ? normal : denormal);
    }
    memcpy(to, powers, sizeof powers);
  }
}

/* Sixteen bytes of each row are turned as codes are. What is read beyond a row is not used; where
 * nothing may be read there, the bytes are copied first. */
INLINE void gather_scales(const struct gathered_rows *rows, int count, uint8_t *to) {
  for (int block = 0; block < count; block += PANEL) {
    int some = smaller(PANEL, count - block);
    const uint8_t *from[PANEL];
    uint8_t turns[PANEL * PANEL], last[PANEL][PANEL];
    for (int row = 0; row < PANEL; row++) {
      from[row] = rows->scales[row] + block;
      if (rows->limit - from[row] < PANEL)
        from[row] = memcpy(last[row], from[row], (size_t)some);
    }
    gather_block(from, 0, turns);
    put_powers(turns, some, to + (int64_t)block * 2 * PANEL);
  }
}

/* Blocks `first` and on of the panel that begins with row `output`. */
static void gather_panel(const struct product *p, int output, int first, int count, uint8_t *code,
                         uint8_t *scale) {
  const struct remoe_matrix *m = p->matrix;
  int next = output + 2 * PANEL <= p->end ? output + PANEL : output;
  struct gathered_rows rows = {
      .next = m->data + next * m->row_bytes + (int64_t)first * (PANEL * STEP / 2),
      .limit = m->scales + p->end * m->scale_row_bytes,
  };
  for (int lane = 0; lane < PANEL; lane++) {
    int64_t row = smaller(output + lane, p->end - 1);
    rows.codes[lane] = m->data + row * m->row_bytes + (int64_t)first * (STEP / 2);
    rows.scales[lane] = m->scales + row * m->scale_row_bytes + first;
  }
  gather_codes(&rows, count, code);
  gather_scales(&rows, count, scale);
}
