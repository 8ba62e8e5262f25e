/* The bound: bytes read by the same threads in the same order, and nothing done with them. */
#include <stdatomic.h>
#include <string.h>

#include "pool.h"
#include "remoe.h"

enum { CHUNK = 256 << 10 };


typedef uint64_t sixteen __attribute__((vector_size(128)));

struct part {
  const uint8_t *bytes;
  int64_t size;
  _Atomic uint64_t sum;
};

static void read_chunk(void *job, int32_t item, int32_t worker) {
  struct part *part = job;
  int64_t begin = (int64_t)item * CHUNK;
  int64_t end = begin + CHUNK < part->size ? begin + CHUNK : part->size;
  sixteen sums = {0};
  (void)worker;
  for (int64_t at = begin; at + (int64_t)sizeof sums <= end; at += sizeof sums) {
    sixteen value;
    memcpy(&value, part->bytes + at, sizeof value);
    sums |= value;
  }
  uint64_t sum = 0;
  for (int i = 0; i < 16; i++)
    sum |= sums[i];
  atomic_fetch_or(&part->sum, sum);
}

uint64_t remoe_read(const uint8_t *const *parts, const int64_t *sizes, int64_t count,
                    int threads) {
  uint64_t sum = 0;
  pool_take();
  for (int64_t i = 0; i < count; i++) {
    struct part part = {parts[i], sizes[i], 0};
    pool_run(read_chunk, &part, (int32_t)((part.size + CHUNK - 1) / CHUNK), threads);
    sum |= part.sum;
  }
  pool_leave();
  return sum;
}
