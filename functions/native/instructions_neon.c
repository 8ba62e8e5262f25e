/* 64-bit Arm, where NEON is part of the least there is. */
#define LANES 4
#include "template.h"

const struct instructions remoe_neon = {product, activate, attend, normalize, soften,
    HAS_FAST, round_columns};
