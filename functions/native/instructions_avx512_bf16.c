/* x86-64-v4 with AVX-512's products of bfloat16, which the fast precision uses, and of bytes. */
#define LANES 16
#define HAS_FAST 1
struct product;
static void fast_product(const struct product *p);
#include "template.h"
#include "fast.h"

const struct instructions remoe_avx512_bf16 = {product, activate, attend, normalize, soften,
    HAS_FAST, round_columns};
