/* x86-64 with AVX2, FMA and F16C (x86-64-v3). */
#define LANES 8
#include "template.h"

const struct instructions remoe_avx2 = {product, activate, attend, normalize, soften,
    HAS_FAST, round_columns};
