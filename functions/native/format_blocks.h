/* Block formats: 32 weights share a scale, which lies in a plane of its own.
 *
 * STEP is a block. A weight is the value of its code times the scale, exactly: both are short.
 *   q8     a code is a signed byte, the scale a bfloat16.
 *   q4     a code has four bits and stands for a signed byte of a table, two codes to a byte, the
 *          even one low; the scale is a bfloat16.
 *   mxfp4  as q4, with the table of 4-bit floating point, doubled; the scale is 2^(byte - 128).
 * Rows hold whole blocks, so the rest of a row is a step whose last weights are not counted.
 */
#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

typedef int8_t bytes __attribute__((vector_size(LANES)));

static const int8_t q4_table[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                    1,    13,   25,  38,  53,  69,  89,  113};
static const int8_t mxfp4_table[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

INLINE float half_scale(struct weight_row row, int block) {
  uint16_t half;
  memcpy(&half, row.scales + 2 * (int64_t)block, sizeof half);
  uint32_t bits = (uint32_t)half << 16;
  float scale;
  memcpy(&scale, &bits, sizeof scale);
  return scale;
}

/* The two least powers are denormal numbers. */
INLINE float power_scale(struct weight_row row, int block) {
  uint32_t exponent = row.scales[block];
  uint32_t bits = exponent > 1 ? (exponent - 1) << 23 : 1u << (21 + exponent);
  float scale;
  memcpy(&scale, &bits, sizeof scale);
  return scale;
}

/* STEP signed bytes, times the scale. */
INLINE void scaled(const int8_t from[STEP], float scale, lanes to[VECTORS]) {
  UNROLL for (int v = 0; v < VECTORS; v++) {
    bytes some;
    memcpy(&some, from + v * LANES, sizeof some);
    to[v] = __builtin_convertvector(some, lanes) * scale;
  }
}

#if LANES == 16

/* Sixteen codes are sixteen lanes of a permutation; the numbers of the table are floats there. */
INLINE void coded(const uint8_t *codes, const int8_t table[16], float scale, lanes to[VECTORS]) {
  const __m512i shifts = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
  __m128i bytes_of_table = _mm_loadu_si128((const void *)table);
  __m512 values = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes_of_table)) * scale;
  __m512i all_codes = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)codes));
  UNROLL for (int v = 0; v < VECTORS; v++) {
    __m512i word = _mm512_setr_epi32(2 * v, 2 * v, 2 * v, 2 * v, 2 * v, 2 * v, 2 * v, 2 * v,
                                     2 * v + 1, 2 * v + 1, 2 * v + 1, 2 * v + 1, 2 * v + 1,
                                     2 * v + 1, 2 * v + 1, 2 * v + 1);
    __m512i places = _mm512_srlv_epi32(_mm512_permutexvar_epi32(word, all_codes), shifts);
    to[v] = (lanes)_mm512_permutexvar_ps(places, values);
  }
}

#else

INLINE void looked_up(const uint8_t *codes, const int8_t table[16], int8_t to[STEP]) {
#if defined(__AVX2__)
  __m128i both = _mm_loadu_si128((const void *)codes), low_bits = _mm_set1_epi8(0x0f);
  __m128i values = _mm_loadu_si128((const void *)table);
  __m128i even = _mm_shuffle_epi8(values, _mm_and_si128(both, low_bits));
  __m128i odd = _mm_shuffle_epi8(values, _mm_and_si128(_mm_srli_epi16(both, 4), low_bits));
  _mm_storeu_si128((void *)to, _mm_unpacklo_epi8(even, odd));
  _mm_storeu_si128((void *)(to + 16), _mm_unpackhi_epi8(even, odd));
#elif defined(__ARM_NEON)
  uint8x16_t both = vld1q_u8(codes);
  int8x16_t values = vld1q_s8(table);
  int8x16_t even = vqtbl1q_s8(values, vandq_u8(both, vdupq_n_u8(0x0f)));
  int8x16_t odd = vqtbl1q_s8(values, vshrq_n_u8(both, 4));
  vst1q_s8(to, vzip1q_s8(even, odd));
  vst1q_s8(to + 16, vzip2q_s8(even, odd));
#else
  for (int i = 0; i < STEP / 2; i++) {
    to[2 * i] = table[codes[i] & 0x0f];
    to[2 * i + 1] = table[codes[i] >> 4];
  }
#endif
}

INLINE void coded(const uint8_t *codes, const int8_t table[16], float scale, lanes to[VECTORS]) {
  int8_t values[STEP];
  looked_up(codes, table, values);
  scaled(values, scale, to);
}

#endif

INLINE void q8_step(struct weight_row row, int column, lanes to[VECTORS]) {
  scaled((const int8_t *)row.data + column, half_scale(row, column / STEP), to);
}

INLINE void q4_step(struct weight_row row, int column, lanes to[VECTORS]) {
  coded(row.data + column / 2, q4_table, half_scale(row, column / STEP), to);
}

INLINE void mxfp4_step(struct weight_row row, int column, lanes to[VECTORS]) {
  coded(row.data + column / 2, mxfp4_table, power_scale(row, column / STEP), to);
}

#define BLOCK_FORMAT(name)                                                                         \
  INLINE void name##_rest(struct weight_row row, int column, int count, float to[STEP]) {          \
    lanes values[VECTORS];                                                                         \
    name##_step(row, column, values);                                                              \
    memcpy(to, values, sizeof values);                                                             \
    memset(to + count, 0, (size_t)(STEP - count) * sizeof *to);                                    \
  }

BLOCK_FORMAT(q8)
BLOCK_FORMAT(q4)
BLOCK_FORMAT(mxfp4)
