/* Rows of input in whole numbers: what block formats are multiplied by (block_products.h).
 *
 * 32 columns are a record: one digit of a signed byte for each, or two (FAST, EXACT), a scale, and
 * where a sum of products begins. The record's largest number becomes 127, or 127 * 254 + 126, of
 * which the first digit counts 254 times: so every digit is within 127, which instructions that
 * multiply bytes ask for. All first digits come before all second ones.
 *
 * In each eight columns the even ones come first, as codes come out of the two halves of bytes.
 * Weights may be met as unsigned bytes, 128 too large; `start` takes that off again.
 */
#ifndef REMOE_DIGITS_H
#define REMOE_DIGITS_H

#include <stdint.h>

enum { RECORD = 32, DIGIT = 254, UNSIGNED_BIAS = 128 };
enum { MOST_ONE = 127, MOST_TWO = 127 * DIGIT + 126 };

/* What follows a record's digits. */
struct record_end {
  float scale;
  int32_t start;
};

static inline int32_t record_bytes(int32_t digits) {
  return digits * RECORD + (int32_t)sizeof(struct record_end);
}

#endif
