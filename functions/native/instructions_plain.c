/* Any processor: what the compiler makes of vectors with the target's least instructions. */
#define LANES 4
#include "template.h"

const struct instructions remoe_plain = {product, activate, attend, normalize, soften,
    HAS_FAST, round_columns};
