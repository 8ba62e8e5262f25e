/* x86-64 with AVX-512 F, BW, DQ and VL (x86-64-v4). */
#define LANES 16
#include "template.h"

const struct instructions remoe_avx512 = {product, activate, attend, normalize, soften,
    HAS_FAST, round_columns};
