/* Products with block formats in whole numbers, where an instruction set multiplies 16-bit words.
 *
 * A row of input is rounded, block by block, to words with a scale: an error of 2^-16 of a block's
 * largest number, a hundredth of what the weights' own rounding is. Codes are words, too, so a
 * block's sum of products is exact, and its two scales meet it once. That takes a third of the
 * instructions that widening every weight takes, which is what keeps four bits at memory's speed.
 *
 * A chunk is PARTS vectors of words. Word i of part p stands for weight i * PARTS + p of the chunk,
 * in which order codes come out of their bytes by shifts alone; input is put into it beforehand.
 * So lane j of a part's sums has weights 2 * PARTS * j and on, all of one block.
 *
 * The law of template.h holds: a sum's order depends on the width alone. A row with an infinity or
 * a NaN in it answers NaN.
 */
#include <immintrin.h>

#include "words.h"

enum { WORDS = 2 * LANES, BLOCK_MR = 4, BLOCK_NR = 2, MOST_PARTS = 4 };

typedef int16_t words16 __attribute__((vector_size(WORDS * 2)));

/* A chunk of weights, ready: words, and each lane's scale. */
struct chunk {
  words16 words[MOST_PARTS];
  lanes scales;
};

INLINE words16 words_from(const void *from) {
  words16 value;
  memcpy(&value, from, sizeof value);
  return value;
}

#if LANES == 16
typedef __m512i whole;
INLINE signs add_products(signs sum, words16 a, words16 b) {
#if defined(__AVX512VNNI__)
  return (signs)_mm512_dpwssd_epi32((whole)sum, (whole)a, (whole)b);
#else
  return sum + (signs)_mm512_madd_epi16((whole)a, (whole)b);
#endif
}

/* Words whose low four bits are a code; what is above them is not looked at. */
INLINE words16 table_words(const int8_t table[16]) {
  return (words16)_mm512_cvtepi8_epi16(
      _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)table)));
}

INLINE words16 part_of(words16 codes, int part, words16 table) {
  whole places = (whole)((words16)codes >> (int16_t)(4 * part));
  return (words16)_mm512_permutexvar_epi16(places, (whole)table);
}
#else
typedef __m256i whole;
INLINE signs add_products(signs sum, words16 a, words16 b) {
  return sum + (signs)_mm256_madd_epi16((whole)a, (whole)b);
}

INLINE words16 table_words(const int8_t table[16]) {
  return (words16)_mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)table));
}

/* The code goes into the high byte, where its value comes out; the low byte comes out as zero. */
INLINE words16 part_of(words16 codes, int part, words16 table) {
  words16 high = part < 2 ? codes << (int16_t)(8 - 4 * part) : codes >> (int16_t)(4 * part - 8);
  words16 places = (high & (int16_t)0x0f00) | (int16_t)0x0080;
  return (words16)_mm256_shuffle_epi8((whole)table, (whole)places) >> 8;
}
#endif

INLINE int chunk_blocks(int parts) { return WORDS * parts / STEP; }

typedef void chunk_of(struct weight_row row, struct chunk *to);

/* Scales of a chunk's blocks, each in the lanes that its weights' sums are in: bytes of the scales,
 * four to a lane, chosen by `places` (above 127: zero). */
typedef uint8_t places_of[LANES * 4];

INLINE words chosen_bytes(const void *scales, int size, const places_of places) {
  uint64_t some = 0;
  memcpy(&some, scales, (size_t)size);
  words chosen;
  memcpy(&chosen, places, sizeof chosen);
#if LANES == 16
  return (words)_mm512_shuffle_epi8(_mm512_set1_epi64((int64_t)some), (whole)chosen);
#else
  return (words)_mm256_shuffle_epi8(_mm256_set1_epi64x((int64_t)some), (whole)chosen);
#endif
}

#define HALF(b) 255, 255, 2 * b, 2 * b + 1
#define BYTE(b) b, 255, 255, 255
#define FOUR(lane) lane, lane, lane, lane
#if LANES == 16
static const places_of half_places[] = {
    {FOUR(HALF(0)), FOUR(HALF(0)), FOUR(HALF(1)), FOUR(HALF(1))},
    {FOUR(HALF(0)), FOUR(HALF(1)), FOUR(HALF(2)), FOUR(HALF(3))}};
static const places_of byte_places = {FOUR(BYTE(0)), FOUR(BYTE(1)), FOUR(BYTE(2)), FOUR(BYTE(3))};
#else
static const places_of half_places[] = {{FOUR(HALF(0)), FOUR(HALF(0))},
                                        {FOUR(HALF(0)), FOUR(HALF(1))}};
static const places_of byte_places = {FOUR(BYTE(0)), FOUR(BYTE(1))};
#endif

INLINE lanes half_scales(int parts, const uint8_t *from) {
  return lanes_of(chosen_bytes(from, 2 * chunk_blocks(parts), half_places[parts == 4]));
}

/* As power_scale: the larger of two is the right one, since the wrong one is less, or negative. */
INLINE lanes power_scales(int parts, const uint8_t *from) {
  words exponents = chosen_bytes(from, chunk_blocks(parts), byte_places);
  signs normal = (signs)((exponents - 1) << 23), denormal = (signs)((exponents + 1) << 21);
  return lanes_of((words)__builtin_elementwise_max(normal, denormal));
}

INLINE void q8_chunk(struct weight_row row, struct chunk *to) {
  words16 codes = words_from(row.data);
  to->words[0] = codes << 8 >> 8;
  to->words[1] = codes >> 8;
  to->scales = half_scales(2, row.scales);
}

INLINE void coded_chunk(const uint8_t *data, const int8_t table[16], struct chunk *to) {
  words16 codes = words_from(data), values = table_words(table);
  UNROLL for (int part = 0; part < 4; part++) to->words[part] = part_of(codes, part, values);
}

INLINE void q4_chunk(struct weight_row row, struct chunk *to) {
  coded_chunk(row.data, q4_table, to);
  to->scales = half_scales(4, row.scales);
}

INLINE void mxfp4_chunk(struct weight_row row, struct chunk *to) {
  coded_chunk(row.data, mxfp4_table, to);
  to->scales = power_scales(4, row.scales);
}

/* A row of input's words in a block. */
INLINE const uint8_t *words_row(const struct product *p, int row, int block, int parts) {
  int64_t index = p->index ? p->index[row] : p->first_row + row;
  return p->in->data +
         ((int64_t)block * p->in->count + index) * words_bytes(p->in->block, parts, LANES);
}

/* The last chunk of a row, which may not be whole: what is missing counts as zero. */
INLINE void last_chunk(chunk_of *read, int code_bytes, int scale_bytes, int blocks,
                       struct weight_row row, struct chunk *to) {
  uint8_t codes[WORDS * 2] = {0}, scales[16] = {0};
  memcpy(codes, row.data, (size_t)(blocks * code_bytes));
  memcpy(scales, row.scales, (size_t)(blocks * scale_bytes));
  read((struct weight_row){codes, scales}, to);
}

INLINE void meet(int parts, int mr, int nr, const struct chunk w[], const uint8_t *const x[],
                 int64_t at, lanes sums[][BLOCK_MR]) {
  UNROLL for (int r = 0; r < mr; r++) {
    const uint8_t *from = x[r] + at;
    lanes scales = f32_lanes(from + parts * (int)sizeof(words16));
    signs sum[BLOCK_NR] = {{0}};
    UNROLL for (int p = 0; p < parts; p++) {
      words16 some = words_from(from + p * (int)sizeof(words16));
      UNROLL for (int j = 0; j < nr; j++) sum[j] = add_products(sum[j], w[j].words[p], some);
    }
    UNROLL for (int j = 0; j < nr; j++) sums[j][r] =
        __builtin_convertvector(sum[j], lanes) * (w[j].scales * scales) + sums[j][r];
  }
}

/* `nr` rows of weights against `mr` rows of input. */
INLINE void block_tile(chunk_of *read, int parts, int code_bytes, int scale_bytes, int mr, int nr,
                       const struct product *p, int first, int row) {
  lanes sums[BLOCK_NR][BLOCK_MR] = {{{0}}};
  struct weight_row at[BLOCK_NR];
  UNROLL for (int j = 0; j < nr; j++) at[j] = weight_row(p->matrix, row + j);
  for (int block = 0; block < p->in->blocks; block++) {
    const uint8_t *x[BLOCK_MR];
    int left = (width_of(p, block) + STEP - 1) / STEP;
    UNROLL for (int r = 0; r < mr; r++) x[r] = words_row(p, first + r, block, parts);
    for (int64_t place = 0; left > 0; place += chunk_bytes(parts, LANES)) {
      if (nr == 1)
        ask_far(at[0].data);
      int count = smaller(left, chunk_blocks(parts));
      struct chunk w[BLOCK_NR];
      UNROLL for (int j = 0; j < nr; j++) {
        if (count == chunk_blocks(parts))
          read(at[j], &w[j]);
        else
          last_chunk(read, code_bytes, scale_bytes, count, at[j], &w[j]);
        at[j].data += count * code_bytes, at[j].scales += count * scale_bytes;
      }
      meet(parts, mr, nr, w, x, place, sums);
      left -= count;
    }
  }
  UNROLL for (int r = 0; r < mr; r++) {
    UNROLL for (int j = 0; j < nr; j++) {
      p->y[(first + r) * p->pitch + (row - p->begin) + j] = total(sums[j][r]);
    }
  }
}

INLINE void block_rows(chunk_of *read, int parts, int code_bytes, int scale_bytes, int mr,
                       const struct product *p, int first) {
  int row = p->begin;
  /* Few rows are bound by memory, which is followed best as one stream. */
  for (; p->rows > BLOCK_MR && row + BLOCK_NR <= p->end; row += BLOCK_NR)
    block_tile(read, parts, code_bytes, scale_bytes, mr, BLOCK_NR, p, first, row);
  for (; row < p->end; row++)
    block_tile(read, parts, code_bytes, scale_bytes, mr, 1, p, first, row);
}

INLINE void all_rows(chunk_of *read, int parts, int code_bytes, int scale_bytes,
                     const struct product *p) {
  for (int first = 0; first < p->rows; first += BLOCK_MR) {
    switch (smaller(BLOCK_MR, p->rows - first)) {
#define ROWS(n)                                                                                    \
  case n:                                                                                          \
    block_rows(read, parts, code_bytes, scale_bytes, n, p, first);                                 \
    break;
      ROWS(1) ROWS(2) ROWS(3)
#undef ROWS
    default:
      block_rows(read, parts, code_bytes, scale_bytes, BLOCK_MR, p, first);
    }
  }
}

static void block_product(const struct product *p) {
  switch (p->matrix->format) {
  case REMOE_Q8:
    all_rows(q8_chunk, 2, STEP, 2, p);
    break;
  case REMOE_Q4:
    all_rows(q4_chunk, 4, STEP / 2, 2, p);
    break;
  default:
    all_rows(mxfp4_chunk, 4, STEP / 2, 1, p);
  }
}
