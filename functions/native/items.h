/* How much of a matrix is an item: what a thread takes at a time. No sum depends on it. */
#ifndef REMOE_ITEMS_H
#define REMOE_ITEMS_H

#include <stdbool.h>

#include "activations.h"
#include "instructions.h"

enum { LONGEST = 1024, LONGEST_STREAMED = 8192, ITEM_BYTES = 1 << 20 };
enum { UNITS = 32, UNITS_MANY = 64, UNITS_MOST = 128, MANY = 48 };

/* Outputs of a transposed matrix in an item. Few rows of input stream its rows, and the longer what
 * is read of each, the better memory follows: one item a thread, as equal as whole lines can be. */
static inline int32_t long_part(int32_t width, int32_t threads, int64_t rows) {
  bool streamed = rows <= STREAMED_ROWS;
  int32_t parts = streamed ? threads : 4 * threads;
  int64_t part = up_to((width + parts - 1) / parts, streamed ? UNITS : 4 * UNITS);
  return (int32_t)smaller(streamed ? LONGEST_STREAMED : LONGEST, part);
}

/* Outputs of a matrix in an item. The longer an item, the better memory follows, up to ITEM_BYTES;
 * but no thread should have more of them than another, so the busiest thread's outputs are counted.
 * `bytes` are of an output. */
static inline int32_t short_part(int32_t width, int64_t bytes, int32_t threads, int64_t rows) {
  if (rows > MANY)
    return UNITS_MANY;
  int32_t best = UNITS;
  int64_t least = INT64_MAX;
  for (int32_t units = UNITS; units <= UNITS_MOST && units * bytes <= ITEM_BYTES; units += UNITS) {
    int64_t items = (width + units - 1) / units;
    int64_t most = (items + threads - 1) / threads * units;
    if (most <= least)
      best = units, least = most;
  }
  return best;
}

/* The same where weights have few bits: more outputs, so that what is read in a line is as long. */
static inline int32_t narrow_part(int32_t width, int32_t threads) {
  return (int32_t)smaller(4 * UNITS, up_to(width / (4 * threads) + 1, UNITS));
}

#endif
