/* A linear layer for few rows: y = norm(x) @ W.T + bias, sums in float32, as torch's.
 *
 * Rows are met whole, so a number of the answer is made by one thread, in one order, whatever the
 * rows beside it. Many rows are torch's matter: its product is as fast there.
 */
#include "pool.h"
#include "projection.h"
#include "room.h"

struct linear {
  const struct remoe_linear *call;
  const struct instructions *set;
  struct projection projection;
  struct activations in;
  float *scratch; /* PROJECTION_FLOATS for each thread */
};

static void take_row(const struct linear *layer, int64_t row, float *wide) {
  const struct remoe_linear *call = layer->call;
  int64_t begin = row * call->inputs;
  if (call->wide)
    memcpy(wide, call->rows + 4 * begin, (size_t)call->inputs * 4);
  else
    widen_row(call->rows + 2 * begin, wide, call->inputs);
  if (call->norm.weight)
    layer->set->normalize(wide, &call->norm, call->inputs, wide);
  put(&layer->in, row, 0, wide, call->inputs);
  pad(&layer->in, row);
}

static void give(const struct remoe_linear *call, const struct product *p) {
  for (int32_t row = 0; row < p->rows; row++) {
    int64_t at = (p->first_row + row) * call->outputs + p->begin;
    const float *y = p->y + row * p->pitch;
    if (call->wide)
      memcpy(call->out + 4 * at, y, (size_t)(p->end - p->begin) * 4);
    else
      narrow_row(y, call->out + 2 * at, p->end - p->begin);
  }
}

static void some_outputs(void *job, int32_t item, int32_t worker) {
  struct linear *layer = job;
  float *scratch = layer->scratch + (int64_t)worker * PROJECTION_FLOATS;
  for (int64_t first = 0; first < layer->call->row_count; first += TOGETHER) {
    struct product p = project(layer->set, &layer->projection, &layer->in, first, item, scratch);
    give(layer->call, &p);
  }
}

int remoe_linear(const struct remoe_linear *call) {
  struct linear layer = {.call = call, .set = instructions_of(call->instruction_set)};
  if (!layer.set)
    return REMOE_BAD_INSTRUCTION_SET;
  struct remoe_matrix matrix = {.data = call->weights,
                                .row_bytes = bytes_of_kept(call->format, call->inputs),
                                .format = call->format};
  layer.projection = (struct projection){&matrix, call->bias, call->outputs};
  layer.in = shape_of(call->row_count, call->inputs, in_halves(layer.set, call->format));
  int64_t in_bytes = up_to(bytes_of(&layer.in), 64), wide_bytes = up_to(4 * call->inputs, 64);
  struct room room =
      room_take(in_bytes + wide_bytes + call->threads * (int64_t)PROJECTION_FLOATS * 4);
  if (!room.bytes)
    return REMOE_NO_MEMORY;
  layer.in.data = room.bytes;
  layer.scratch = (float *)(void *)(room.bytes + in_bytes + wide_bytes);
  for (int64_t row = 0; row < call->row_count; row++)
    take_row(&layer, row, (float *)(void *)(room.bytes + in_bytes));
  if (call->threads > 1)
    pool_take();
  pool_run(some_outputs, &layer, items_of(&layer.projection), call->threads);
  if (call->threads > 1)
    pool_leave();
  room_leave(room);
  return REMOE_OK;
}
