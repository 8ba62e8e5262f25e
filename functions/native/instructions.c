/* Which instruction sets this processor has and this library was built with. */
#include <stdatomic.h>
#include <stdbool.h>

#include "instructions.h"

#if defined(__x86_64__)
#include <cpuid.h>

static uint64_t saved_by_the_system(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

/* A set counts only where the operating system saves its registers. */
enum { AVX_STATE = 0x6, AVX512_STATE = 0xe6 };

struct features {
  uint32_t first;    /* leaf 1, ecx */
  uint32_t extended; /* leaf 7, ebx */
  uint32_t bytes;    /* leaf 7, ecx: what multiplies and permutes bytes */
  uint32_t further;  /* leaf 7.1, eax */
  uint64_t state;
};

static struct features features(void) {
  struct features f = {0, 0, 0, 0, 0};
  uint32_t a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d))
    f.first = c;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
    f.extended = b, f.bytes = c;
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d))
    f.further = a;
  if (f.first & bit_OSXSAVE)
    f.state = saved_by_the_system();
  return f;
}

static int has_avx2(struct features f) {
  uint32_t needed = bit_FMA | bit_F16C | bit_AVX;
  return (f.state & AVX_STATE) == AVX_STATE && (f.first & needed) == needed &&
         (f.extended & bit_AVX2) != 0;
}

static int has_avx512(struct features f) {
  uint32_t needed = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
  return has_avx2(f) && (f.state & AVX512_STATE) == AVX512_STATE &&
         (f.extended & needed) == needed;
}

/* Bytes, too: of processors with bfloat16 products only one, early and rare, lacks a part of it. */
static int has_avx512_bf16(struct features f) {
  uint32_t needed = bit_AVX512VNNI | bit_AVX512VBMI;
  return has_avx512(f) && (f.further & bit_AVX512BF16) && (f.bytes & needed) == needed;
}

/* One bit for each set there is, and KNOWN. Asked once: in a virtual machine the question leaves
 * it, which takes longer than a small layer (50 microseconds, measured). */
enum { KNOWN = 1 << REMOE_INSTRUCTION_SETS };

static int32_t sets_here(void) {
  static _Atomic int32_t sets;
  int32_t found = atomic_load_explicit(&sets, memory_order_relaxed);
  if (found)
    return found;
  struct features f = features();
  found = KNOWN | 1 << REMOE_PLAIN | has_avx2(f) << REMOE_AVX2 | has_avx512(f) << REMOE_AVX512 |
          has_avx512_bf16(f) << REMOE_AVX512_BF16;
  atomic_store_explicit(&sets, found, memory_order_relaxed);
  return found;
}

const struct instructions *instructions_of(int which) {
  static const struct instructions *const sets[REMOE_INSTRUCTION_SETS] = {
      [REMOE_AVX512_BF16] = &remoe_avx512_bf16,
      [REMOE_AVX512] = &remoe_avx512,
      [REMOE_AVX2] = &remoe_avx2,
      [REMOE_PLAIN] = &remoe_plain};
  bool known = which >= 0 && which < REMOE_INSTRUCTION_SETS;
  return known && sets_here() & 1 << which ? sets[which] : NULL;
}

#else

const struct instructions *instructions_of(int which) {
#if defined(__aarch64__)
  if (which == REMOE_NEON)
    return &remoe_neon;
#endif
  return which == REMOE_PLAIN ? &remoe_plain : NULL;
}

#endif
