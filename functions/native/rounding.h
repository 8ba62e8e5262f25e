/* Floats to records of digits (digits.h): a record is one vector, as wide as it needs. */
#include "digits.h"

typedef float record_floats __attribute__((vector_size(4 * RECORD)));
typedef int32_t record_whole __attribute__((vector_size(4 * RECORD)));
typedef int8_t record_digits __attribute__((vector_size(RECORD)));

/* 1.5 * 2^23 rounds to a whole number, which then lies in the low bits. */
INLINE record_whole whole_of(record_floats value) {
  record_floats shifted = value + 12582912.0f;
  record_whole bits;
  memcpy(&bits, &shifted, sizeof bits);
  return bits - 0x4b400000;
}

/* In each eight columns the even ones come first. */
INLINE void put_digits(record_whole numbers, uint8_t *to) {
  record_digits some = __builtin_convertvector(numbers, record_digits);
  some = __builtin_shufflevector(some, some, 0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15,
                                 16, 18, 20, 22, 17, 19, 21, 23, 24, 26, 28, 30, 25, 27, 29, 31);
  memcpy(to, &some, sizeof some);
}

/* A record with an infinity or a NaN has a scale of NaN: its whole row's answer is NaN then. */
INLINE void round_record(const float from[RECORD], int digits, uint8_t *to) {
  record_floats columns;
  record_whole bits;
  memcpy(&columns, from, sizeof columns);
  memcpy(&bits, from, sizeof bits);
  int32_t peak_bits = __builtin_reduce_max(bits & 0x7fffffff);
  float peak, most = digits == 2 ? MOST_TWO : MOST_ONE;
  memcpy(&peak, &peak_bits, sizeof peak);
  int finite = peak_bits < 0x7f800000, counts = finite && peak > 1e-30f;
  record_whole numbers = {0};
  if (counts)
    numbers = whole_of(columns * (most / peak));
  struct record_end end = {
      .scale = finite ? (counts ? peak / most : 0.0f) : __builtin_nanf(""),
      .start = -UNSIGNED_BIAS * __builtin_reduce_add(numbers),
  };
  if (digits == 2) {
    record_floats scaled_down = __builtin_convertvector(numbers, record_floats) * (1.0f / DIGIT);
    record_whole first = whole_of(scaled_down);
    put_digits(first, to);
    numbers -= first * DIGIT;
    to += RECORD;
  }
  put_digits(numbers, to);
  memcpy(to + RECORD, &end, sizeof end);
}

INLINE void round_all(uint8_t *to, const float *from, int32_t count, int digits) {
  for (; count > 0; count -= RECORD, from += RECORD, to += record_bytes(digits)) {
    float rest[RECORD] = {0};
    if (count < RECORD)
      memcpy(rest, from, (size_t)count * sizeof *from);
    round_record(count < RECORD ? rest : from, digits, to);
  }
}

/* `count` columns as records; the last one is filled up with zeros. */
static void round_columns(uint8_t *to, const float *from, int32_t count, int32_t digits) {
  if (digits == 1)
    round_all(to, from, count, 1);
  else
    round_all(to, from, count, 2);
}
