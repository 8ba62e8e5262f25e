/* A plain linear layer in bfloat16 for few rows: y = x @ W.T + bias, sums in float32, as torch's.
 *
 * Rows are met whole, so a number of the answer is made by one thread, in one order, whatever the
 * rows beside it. Many rows are torch's matter: its product is as fast there.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "activations.h"
#include "instructions.h"
#include "pool.h"
#include "room.h"

enum { UNITS = 64, PITCH = UNITS + MAX_LANES };

struct linear {
  const struct remoe_linear *call;
  const struct instructions *set;
  struct remoe_matrix matrix;
  struct activations in;
  float *scratch;
  int64_t scratch_floats; /* of each thread */
};

static void take_row(const struct linear *layer, int64_t row, float *wide) {
  int64_t inputs = layer->call->inputs;
  widen_row(layer->call->rows + 2 * row * inputs, wide, (int32_t)inputs);
  put(&layer->in, row, 0, wide, (int32_t)inputs);
  pad(&layer->in, row);
}

static void give(const struct linear *layer, const struct product *p) {
  const struct remoe_linear *call = layer->call;
  for (int32_t row = 0; row < p->rows; row++) {
    const float *y = p->y + row * p->pitch;
    uint8_t *out = call->out + 2 * ((int64_t)row * call->outputs + p->begin);
    for (int32_t i = 0; i < p->end - p->begin; i++) {
      uint16_t bias = 0, half;
      if (call->bias)
        memcpy(&bias, call->bias + 2 * ((int64_t)p->begin + i), sizeof bias);
      half = float_to_half(call->bias ? y[i] + half_to_float(bias) : y[i]);
      memcpy(out + 2 * (int64_t)i, &half, sizeof half);
    }
  }
}

static void some_outputs(void *job, int32_t item, int32_t worker) {
  struct linear *layer = job;
  float *scratch = layer->scratch + worker * layer->scratch_floats;
  int32_t begin = item * UNITS;
  struct product p = {.matrix = &layer->matrix,
                      .in = &layer->in,
                      .rows = (int32_t)layer->call->row_count,
                      .begin = begin,
                      .end = (int32_t)smaller(begin + UNITS, layer->call->outputs),
                      .y = scratch + TILE_FLOATS,
                      .pitch = PITCH,
                      .tile = scratch};
  layer->set->product(&p);
  give(layer, &p);
}

int remoe_linear(const struct remoe_linear *call) {
  struct linear layer = {.call = call, .set = instructions_of(call->instruction_set)};
  if (!layer.set)
    return REMOE_BAD_INSTRUCTION_SET;
  layer.matrix = (struct remoe_matrix){
      .data = call->weights, .row_bytes = 2 * (int64_t)call->inputs, .format = REMOE_BF16};
  layer.in = shape_of(call->row_count, call->inputs, layer.set->has_fast);
  layer.scratch_floats = TILE_FLOATS + call->row_count * PITCH;
  int64_t in_bytes = up_to(bytes_of(&layer.in), 64), wide_bytes = up_to(4 * call->inputs, 64);
  struct room room =
      room_take(in_bytes + wide_bytes + call->threads * layer.scratch_floats * (int64_t)4);
  if (!room.bytes)
    return REMOE_NO_MEMORY;
  layer.in.data = room.bytes;
  layer.scratch = (float *)(void *)(room.bytes + in_bytes + wide_bytes);
  for (int64_t row = 0; row < call->row_count; row++)
    take_row(&layer, row, (float *)(void *)(room.bytes + in_bytes));
  if (call->threads > 1)
    pool_take();
  pool_run(some_outputs, &layer, (call->outputs + UNITS - 1) / UNITS, call->threads);
  if (call->threads > 1)
    pool_leave();
  room_leave(room);
  return REMOE_OK;
}
