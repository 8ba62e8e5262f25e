/* Vectors of weights in signed or unsigned bytes, and their products with four columns of a row,
 * by what each instruction set has. Lane j has four columns' weights of output j. */
#if defined(__x86_64__) && LANES >= 8
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

typedef int8_t codes __attribute__((vector_size(LANES * 4)));

INLINE codes codes_from(const uint8_t *from) {
  codes value;
  memcpy(&value, from, sizeof value);
  return value;
}

/* Codes' values are looked up in a table of sixteen, repeated. */
INLINE codes table_codes(const int8_t table[16]) {
  codes all_of_it;
  UNROLL for (int part = 0; part < LANES / 4; part++)
    memcpy((uint8_t *)&all_of_it + 16 * part, table, 16);
  return all_of_it;
}

#if LANES == 16 && defined(__AVX512VNNI__)
enum { UNSIGNED = 1 };

INLINE signs add_products(signs sum, codes w, int32_t x) {
  return (signs)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)w, _mm512_set1_epi32(x));
}
#else
enum { UNSIGNED = 0 };
#endif

#if LANES == 16 && defined(__AVX512VBMI__)
/* Places count modulo 64: what lies above a code's four bits does not matter. */
INLINE codes low_values(codes both, codes table) {
  return (codes)_mm512_permutexvar_epi8((__m512i)both, (__m512i)table);
}

INLINE codes high_values(codes both, codes table) {
  return (codes)_mm512_permutexvar_epi8(_mm512_srli_epi16((__m512i)both, 4), (__m512i)table);
}
#else
INLINE codes looked_up_in(codes table, codes places) {
#if LANES == 16
  return (codes)_mm512_shuffle_epi8((__m512i)table, (__m512i)places);
#elif LANES == 8
  return (codes)_mm256_shuffle_epi8((__m256i)table, (__m256i)places);
#elif defined(__ARM_NEON)
  return (codes)vqtbl1q_s8((int8x16_t)table, (uint8x16_t)places);
#else
  codes values;
  for (int i = 0; i < 16; i++)
    values[i] = table[places[i]];
  return values;
#endif
}

INLINE codes low_values(codes both, codes table) { return looked_up_in(table, both & 0x0f); }

INLINE codes high_values(codes both, codes table) {
  return looked_up_in(table, (codes)((words)both >> 4) & 0x0f);
}
#endif

#if !(LANES == 16 && defined(__AVX512VNNI__))
#if LANES == 16
/* Products of magnitudes with the weights' signs given to x: two of at most 128 * 127 fit a word. */
INLINE signs add_products(signs sum, codes w, int32_t x) {
  __m512i numbers = _mm512_set1_epi32(x), weights = (__m512i)w;
  numbers = _mm512_mask_sub_epi8(numbers, _mm512_movepi8_mask(weights), _mm512_setzero_si512(),
                                 numbers);
  __m512i pairs = _mm512_maddubs_epi16(_mm512_abs_epi8(weights), numbers);
  return sum + (signs)_mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
}
#elif LANES == 8
INLINE signs add_products(signs sum, codes w, int32_t x) {
  __m256i weights = (__m256i)w, numbers = _mm256_sign_epi8(_mm256_set1_epi32(x), weights);
  __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(weights), numbers);
  return sum + (signs)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}
#elif defined(__ARM_FEATURE_DOTPROD)
INLINE signs add_products(signs sum, codes w, int32_t x) {
  return (signs)vdotq_s32((int32x4_t)sum, (int8x16_t)w, vreinterpretq_s8_s32(vdupq_n_s32(x)));
}
#elif defined(__ARM_NEON)
INLINE signs add_products(signs sum, codes w, int32_t x) {
  int8x16_t weights = (int8x16_t)w, numbers = vreinterpretq_s8_s32(vdupq_n_s32(x));
  int16x8_t low = vmull_s8(vget_low_s8(weights), vget_low_s8(numbers));
  int16x8_t high = vmull_high_s8(weights, numbers);
  return sum + (signs)vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high));
}
#else
INLINE signs add_products(signs sum, codes w, int32_t x) {
  signs weights = (signs)w;
  uint32_t numbers = (uint32_t)x;
  sum += (weights << 24 >> 24) * (int32_t)(int8_t)numbers;
  sum += (weights << 16 >> 24) * (int32_t)(int8_t)(numbers >> 8);
  sum += (weights << 8 >> 24) * (int32_t)(int8_t)(numbers >> 16);
  return sum + (weights >> 24) * (int32_t)(int8_t)(numbers >> 24);
}
#endif
#endif

/* Values as add_products takes them. */
INLINE codes as_met(codes values) { return UNSIGNED ? values ^ (int8_t)-128 : values; }
