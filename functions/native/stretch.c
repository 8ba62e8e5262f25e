/* Layers one after the other, where nothing but this library has a part in them: attention, then
 * experts. What stands between two calls from outside costs more than a small layer's attention,
 * since a layer's weights have swept the caches in between.
 */
#include <time.h>

#include "activations.h"
#include "remoe.h"

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static struct remoe_call experts_of(const struct remoe_stretch *call,
                                    const struct remoe_block *block) {
  const struct remoe_attention *attention = block->attention;
  int32_t halves = attention->format == REMOE_BF16;
  return (struct remoe_call){.experts = block->experts,
                             .rows = call->step.normed,
                             .token_rows = call->token_rows,
                             .which = block->chosen,
                             .weights = call->step.shares,
                             .out = call->answers,
                             .row_count = call->step.row_count,
                             .pair_count = call->step.row_count * attention->top_k,
                             .expert_count = attention->experts,
                             .hidden = attention->hidden,
                             .rows_bfloat16 = halves,
                             .threads = call->step.threads,
                             .instruction_set = call->step.instruction_set,
                             .fast = halves};
}

/* A layer's answer is rounded to what the model's numbers are, as one that comes from elsewhere. */
static void add_answers(const struct remoe_stretch *call, const struct remoe_attention *layer) {
  for (int64_t i = 0; i < call->step.row_count * layer->hidden; i++) {
    float answer = (float)call->answers[i];
    if (layer->format == REMOE_BF16)
      answer = half_to_float(float_to_half(answer));
    call->step.rows[i] += answer;
  }
}

static int run_block(const struct remoe_stretch *call, const struct remoe_block *block) {
  struct remoe_step step = call->step;
  step.layer = block->attention;
  step.keys = block->keys;
  step.values = block->values;
  step.chosen = block->chosen;
  int error = remoe_attend(&step);
  if (error != REMOE_OK)
    return error;
  double began = seconds();
  struct remoe_call experts = experts_of(call, block);
  error = remoe_forward(&experts);
  if (error != REMOE_OK)
    return error;
  add_answers(call, block->attention);
  *call->expert_seconds += seconds() - began;
  return REMOE_OK;
}

int remoe_run_stretch(const struct remoe_stretch *call) {
  int error = REMOE_OK;
  for (int64_t i = 0; i < call->block_count && error == REMOE_OK; i++)
    error = run_block(call, call->blocks + i);
  return error;
}

int64_t remoe_step_abi(int which) {
  switch (which) {
  case 0:
    return sizeof(struct remoe_attention);
  case 1:
    return sizeof(struct remoe_step);
  case 2:
    return sizeof(struct remoe_block);
  default:
    return sizeof(struct remoe_stretch);
  }
}
