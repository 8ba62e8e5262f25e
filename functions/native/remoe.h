/* What Python and the library tell each other: a layer's experts, and one call.
 *
 * native_expert.py and moe_layer.py mirror these structures field by field; remoe_abi() tells their
 * sizes, so that a library built from other sources is refused instead of misread.
 */
#ifndef REMOE_H
#define REMOE_H

#include <stdint.h>

/* The element types of weights; formats.h says how a further one is added. */
enum remoe_format {
#define X(upper, lower) REMOE_##upper,
#include "formats.def"
#undef X
  REMOE_FORMATS
};

enum remoe_activation {
  REMOE_SILU,
  REMOE_GELU,
  REMOE_GELU_TANH,
  REMOE_RELU,
  REMOE_RELU2,
  REMOE_CLAMPED_SWIGLU
};

enum remoe_instruction_set {
  REMOE_AVX512_BF16,
  REMOE_AVX512,
  REMOE_AVX2,
  REMOE_NEON,
  REMOE_PLAIN,
  REMOE_INSTRUCTION_SETS
};

enum remoe_error {
  REMOE_OK,
  REMOE_BAD_TOKEN_ROW,
  REMOE_BAD_EXPERT,
  REMOE_NO_MEMORY,
  REMOE_BAD_INSTRUCTION_SET,
  REMOE_TWICE
};

/* A matrix where it lies: rows of `row_bytes` each, at any address.
 * Block formats may have a second plane of scales, with its own pitch. */
struct remoe_matrix {
  const uint8_t *data;
  const uint8_t *scales;
  int64_t row_bytes;
  int64_t scale_row_bytes;
  int32_t format;
  int32_t transposed; /* rows run along the output: y = x @ W, else y = x @ W.T */
};

/* A bias where it lies, in any of the plain formats; data NULL where there is none. */
struct remoe_bias {
  const uint8_t *data;
  int32_t format;
  int32_t reserved;
};

struct remoe_expert {
  struct remoe_matrix first;  /* gate, or gate and up fused, or up where there is no gate */
  struct remoe_matrix second; /* up, where it is a matrix of its own */
  struct remoe_matrix down;
  struct remoe_bias first_bias;
  struct remoe_bias down_bias;
  int32_t intermediate;
  int32_t activation;
  int32_t gated;
  int32_t fused;
  int32_t interleaved;
  float alpha;
  float limit; /* infinity where nothing is clamped */
  int32_t reserved;
};

struct remoe_call {
  const struct remoe_expert *experts;
  const void *rows; /* [row_count, hidden], float, or bfloat16 where rows_bfloat16 */
  const uint32_t *token_rows;
  const uint16_t *which;
  const float *weights;
  double *out; /* [row_count, hidden] */
  int64_t row_count;
  int64_t pair_count;
  int32_t expert_count;
  int32_t hidden;
  int32_t rows_bfloat16;
  int32_t threads;
  int32_t instruction_set;
  int32_t fast; /* products in bfloat16 where instructions and weights allow */
};

/* A call as the wire brings it: experts by their numbers in the model, types of rows and answer
 * among the plain formats; or the sums themselves. */
enum { REMOE_SUMS = -1 };
struct remoe_answer {
  const struct remoe_expert *experts;
  const uint16_t *places; /* of each expert of the model in `experts`; none from expert_count on */
  const void *rows;       /* [row_count, hidden] */
  const uint32_t *token_rows;
  const uint16_t *which;
  const float *weights;
  void *out; /* [row_count, hidden] */
  int64_t row_count;
  int64_t pair_count;
  int32_t place_count;
  int32_t expert_count;
  int32_t hidden;
  int32_t dtype;
  int32_t answer_dtype;
  int32_t threads;
  int32_t instruction_set;
  int32_t reserved;
};

/* A row over its root mean square, times a weight; none where `weight` is NULL. */
struct remoe_norm {
  const float *weight;
  float epsilon;
  int32_t reserved;
};

/* A linear layer: rows [row_count, inputs], weights [outputs, inputs] in bfloat16 or float, out
 * [row_count, outputs]; bias [outputs] or NULL. Rows and out are bfloat16, or float where `wide`;
 * rows are normed first where there is a norm. */
struct remoe_linear {
  const uint8_t *weights;
  const float *bias;
  struct remoe_norm norm;
  const uint8_t *rows;
  uint8_t *out;
  int64_t row_count;
  int32_t inputs;
  int32_t outputs;
  int32_t format;
  int32_t wide;
  int32_t threads;
  int32_t instruction_set;
};

/* Attention of a layer and what stands around it, as the model has it; matrices and the cache in
 * one of bfloat16 and float. Heads turn by halves: column i with i + size / 2. */
struct remoe_attention {
  struct remoe_matrix query;
  struct remoe_matrix key;
  struct remoe_matrix value;
  struct remoe_matrix output;
  struct remoe_matrix router; /* [experts, hidden]; data NULL: routing is the caller's */
  const float *query_bias;    /* each bias may be NULL */
  const float *key_bias;
  const float *value_bias;
  const float *output_bias;
  struct remoe_norm norm;
  struct remoe_norm query_norm; /* of each head, or of all together */
  struct remoe_norm key_norm;
  struct remoe_norm next_norm; /* of what goes into the feed-forward network */
  int32_t hidden;
  int32_t heads;
  int32_t key_heads;
  int32_t size; /* of a head */
  int32_t norms_whole;
  int32_t format;
  int32_t window; /* latest tokens attended to, the row's own among them; 0: all */
  int32_t experts;
  int32_t top_k;
  int32_t shares_sum_to_one;
  float scaling;
  float clip; /* of queries, keys and values; infinity where nothing is clipped */
};

/* One new token for each of the first slots of the cache. */
struct remoe_step {
  const struct remoe_attention *layer;
  float *rows;               /* [row_count, hidden]; attention's answer is added */
  uint8_t *normed;           /* [row_count, hidden], what goes into the feed-forward network */
  uint8_t *keys;             /* [slots][key heads][room][size] */
  uint8_t *values;           /* the same */
  const int64_t *positions;  /* [row_count], tokens that the slot holds already */
  const float *cosines;      /* [row_count, size] */
  const float *sines;        /* [row_count, size] */
  uint16_t *chosen;          /* [row_count, top_k], where there is a router */
  float *shares;             /* [row_count, top_k] */
  int64_t room;              /* tokens a slot has room for */
  int64_t row_count;
  int32_t threads;
  int32_t instruction_set;
};

/* A layer whose experts are all here, chosen by its router. */
struct remoe_block {
  const struct remoe_attention *attention;
  const struct remoe_expert *experts;
  uint8_t *keys;
  uint8_t *values;
  uint16_t *chosen; /* [row_count, top_k] */
};

/* Such layers one after the other. What a block says is left empty in `step`. */
struct remoe_stretch {
  struct remoe_step step;
  const struct remoe_block *blocks;
  int64_t block_count;
  double *answers;           /* [row_count, hidden], scratch */
  const uint32_t *token_rows; /* [row_count, top_k], the row of each */
  double *expert_seconds;    /* spent on experts */
};

#define REMOE_EXPORT __attribute__((visibility("default")))

REMOE_EXPORT int remoe_forward(const struct remoe_call *call);
REMOE_EXPORT int remoe_answer(const struct remoe_answer *call);
REMOE_EXPORT int remoe_linear(const struct remoe_linear *call);
REMOE_EXPORT int remoe_attend(const struct remoe_step *call);
REMOE_EXPORT int remoe_run_stretch(const struct remoe_stretch *call);
REMOE_EXPORT int remoe_can(int instruction_set);
REMOE_EXPORT int64_t remoe_abi(int which);
REMOE_EXPORT int64_t remoe_step_abi(int which);
/* The bound of the benches: reads bytes and does nothing else with them. */
REMOE_EXPORT uint64_t remoe_read(const uint8_t *const *parts, const int64_t *sizes, int64_t count,
                                 int threads);

#endif
