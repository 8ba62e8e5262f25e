/* A layer: pairs are grouped by expert, each expert's products are cut into items, threads do them.
 *
 * Two phases, since the down projection needs all of the middle: every expert's gate, up and
 * activation; then, by part of the output's columns, every expert's down projection, added to the
 * answer in the order of the experts. So each number of the answer is made by one thread, in one
 * order. Many pairs are done in waves, so that the middle's memory is bounded.
 *
 * An expert's share is rounded to float, and shares are added in double, where few floats have an
 * exact sum: so it does not matter which of them are added here, and which by another machine.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "activations.h"
#include "instructions.h"
#include "items.h"
#include "pool.h"
#include "room.h"

/* Rows met at a time: their part of a block (ROWS * 2 KiB) stays in the second cache. */
enum { ROWS = 96, COLUMNS = 1056, ALIGNMENT = 64 };
enum { WAVE_BYTES = 16 << 20, WAVE_LEAST = 256 };

struct group {
  const struct remoe_expert *expert;
  int64_t first; /* pairs, in the order of experts */
  int32_t rows;
  int32_t units;      /* of the middle in an item */
  int32_t first_item; /* of the first phase */
  struct activations middle;
};

struct layer {
  const struct remoe_call *call;
  const struct instructions *set;
  struct activations in;
  uint32_t *token_rows; /* of the pairs, in the order of experts */
  float *weights;
  struct group *groups;
  int32_t group_count;
  int32_t item_count;
  int32_t columns; /* of the answer in an item of the second phase */
  float *scratch;  /* SCRATCH_FLOATS for each thread */
  bool first_wave;
};

enum { SCRATCH_FLOATS = ROWS * COLUMNS + TILE_FLOATS };

static void take_row(void *job, int32_t item, int32_t worker) {
  struct layer *layer = job;
  const struct remoe_call *call = layer->call;
  float *wide = layer->scratch + (int64_t)worker * SCRATCH_FLOATS;
  const uint8_t *rows = call->rows;
  for (int32_t begin = 0; begin < call->hidden; begin += COLUMNS) {
    int32_t count = (int32_t)smaller(COLUMNS, call->hidden - begin);
    int64_t at = (int64_t)item * call->hidden + begin;
    if (call->rows_bfloat16)
      widen_row(rows + 2 * at, wide, count);
    else
      memcpy(wide, rows + 4 * at, (size_t)count * sizeof(float));
    put(&layer->in, item, begin, wide, count);
  }
  pad(&layer->in, item);
}

static float bias_at(const struct remoe_bias *bias, int64_t index) {
  if (bias->format == REMOE_F32) {
    float value;
    memcpy(&value, bias->data + 4 * index, sizeof value);
    return value;
  }
  uint16_t half;
  memcpy(&half, bias->data + 2 * index, sizeof half);
  if (bias->format == REMOE_BF16)
    return half_to_float(half);
  _Float16 value;
  memcpy(&value, &half, sizeof value);
  return (float)value;
}

static void add_bias(const struct remoe_bias *bias, float *y, int64_t begin, int32_t count) {
  if (bias->data)
    for (int32_t i = 0; i < count; i++)
      y[i] += bias_at(bias, begin + i);
}

static const uint8_t *output_at(const struct remoe_matrix *m, int64_t index) {
  return m->data + index * m->row_bytes;
}

/* Where this thread will read after outputs begin.. of a matrix, if threads take items in turns. */
static const uint8_t *after(const struct layer *layer, const struct remoe_matrix *m, int32_t begin,
                            int32_t end, int32_t outputs) {
  int64_t next = begin + (int64_t)layer->call->threads * (end - begin);
  return next < outputs ? output_at(m, next) : NULL;
}

/* Fused and alternating, gate and up are one product of twice the width. */
static void multiply_first(const struct layer *layer, const struct group *group,
                           struct product *p, int32_t begin, int32_t end) {
  const struct remoe_expert *e = group->expert;
  int32_t twice = e->interleaved ? 2 : 1;
  bool pair = e->gated && !e->fused;
  p->matrix = &e->first;
  p->next = pair ? output_at(&e->second, begin)
                 : after(layer, p->matrix, begin, end, e->intermediate);
  p->begin = twice * begin, p->end = twice * end;
  layer->set->product(p);
  for (int32_t row = 0; row < p->rows; row++)
    add_bias(&e->first_bias, p->y + row * p->pitch, p->begin, p->end - p->begin);
}

static void multiply_second(const struct layer *layer, const struct group *group,
                            struct product *p, int32_t begin, int32_t end) {
  const struct remoe_expert *e = group->expert;
  int32_t offset = e->fused ? e->intermediate : 0;
  p->matrix = e->fused ? &e->first : &e->second;
  p->next = after(layer, &e->first, begin, end, e->intermediate);
  p->begin = offset + begin, p->end = offset + end;
  p->y += up_to(end - begin, MAX_LANES);
  layer->set->product(p);
  if (e->fused)
    for (int32_t row = 0; row < p->rows; row++)
      add_bias(&e->first_bias, p->y + row * p->pitch, p->begin, p->end - p->begin);
}

/* Some units of the middle for some rows of a group. */
static void make_middle(const struct layer *layer, const struct group *group, int32_t first,
                        int32_t rows, int32_t begin, int32_t end, float *scratch) {
  const struct remoe_expert *e = group->expert;
  int64_t half = up_to(end - begin, MAX_LANES);
  struct product p = {.in = &layer->in,
                      .index = layer->token_rows + group->first + first,
                      .rows = rows,
                      .y = scratch,
                      .pitch = 2 * half + MAX_LANES,
                      .tile = scratch + ROWS * COLUMNS};
  multiply_first(layer, group, &p, begin, end);
  struct middle m = {e, p.y, p.y + 1, e->interleaved ? 2 : 1, end - begin};
  if (e->gated && !e->interleaved) {
    multiply_second(layer, group, &p, begin, end);
    m.up = p.y;
  }
  for (int32_t row = 0; row < rows; row++, m.gate += p.pitch, m.up += p.pitch) {
    layer->set->activate(&m);
    put(&group->middle, first + row, begin, m.gate, m.count);
    if (end == e->intermediate)
      pad(&group->middle, first + row);
  }
}

static const struct group *group_of(const struct layer *layer, int32_t item) {
  int32_t low = 0, high = layer->group_count;
  while (high - low > 1) {
    int32_t middle = (low + high) / 2;
    if (layer->groups[middle].first_item <= item)
      low = middle;
    else
      high = middle;
  }
  return layer->groups + low;
}

static void first_phase(void *job, int32_t item, int32_t worker) {
  struct layer *layer = job;
  const struct group *group = group_of(layer, item);
  float *scratch = layer->scratch + (int64_t)worker * SCRATCH_FLOATS;
  int32_t begin = (item - group->first_item) * group->units;
  int32_t end = (int32_t)smaller(begin + group->units, group->expert->intermediate);
  for (int32_t first = 0; first < group->rows; first += ROWS)
    make_middle(layer, group, first, (int32_t)smaller(ROWS, group->rows - first), begin, end,
                scratch);
}

static void add_down(const struct layer *layer, const struct group *group, int32_t first,
                     const struct product *p) {
  const struct remoe_call *call = layer->call;
  for (int32_t row = 0; row < p->rows; row++) {
    int64_t pair = group->first + first + row;
    float *y = p->y + row * p->pitch, weight = layer->weights[pair];
    double *out = call->out + (int64_t)layer->token_rows[pair] * call->hidden + p->begin;
    add_bias(&group->expert->down_bias, y, p->begin, p->end - p->begin);
    for (int32_t i = 0; i < p->end - p->begin; i++) {
      float share = weight * y[i];
      out[i] += share;
    }
  }
}

static const uint8_t *after_down(const struct layer *layer, const struct group *group,
                                 int32_t begin, int32_t end) {
  if (group + 1 < layer->groups + layer->group_count)
    return output_at(&group[1].expert->down, begin);
  return after(layer, &layer->groups->expert->down, begin, end, layer->call->hidden);
}

static void down(const struct layer *layer, const struct group *group, int32_t begin, int32_t end,
                 float *scratch) {
  for (int32_t first = 0; first < group->rows; first += ROWS) {
    struct product p = {.matrix = &group->expert->down,
                        .in = &group->middle,
                        .first_row = first,
                        .rows = (int32_t)smaller(ROWS, group->rows - first),
                        .begin = begin,
                        .end = end,
                        .y = scratch,
                        .pitch = up_to(end - begin, MAX_LANES) + MAX_LANES,
                        .tile = scratch + ROWS * COLUMNS,
                        .next = after_down(layer, group, begin, end)};
    layer->set->product(&p);
    add_down(layer, group, first, &p);
  }
}

static void second_phase(void *job, int32_t item, int32_t worker) {
  struct layer *layer = job;
  const struct remoe_call *call = layer->call;
  int32_t begin = item * layer->columns;
  int32_t end = (int32_t)smaller(begin + layer->columns, call->hidden);
  if (layer->first_wave)
    for (int64_t row = 0; row < call->row_count; row++)
      memset(call->out + row * call->hidden + begin, 0, (size_t)(end - begin) * sizeof(double));
  for (int32_t g = 0; g < layer->group_count; g++)
    down(layer, layer->groups + g, begin, end,
         layer->scratch + (int64_t)worker * SCRATCH_FLOATS);
}

static bool in_blocks(const struct remoe_matrix *m) {
  return m->format == REMOE_Q8 || m->format == REMOE_Q4 || m->format == REMOE_MXFP4;
}

static int32_t units_of(const struct group *group, int32_t threads) {
  const struct remoe_expert *e = group->expert;
  if (e->first.transposed)
    return long_part(2 * e->intermediate, threads, group->rows) / 2;
  if (in_blocks(&e->first))
    return narrow_part(e->intermediate, threads);
  int64_t bytes = e->first.row_bytes + (e->gated ? e->first.row_bytes : 0);
  return short_part(e->intermediate, bytes, threads, group->rows);
}

static int check(const struct remoe_call *call) {
  for (int64_t pair = 0; pair < call->pair_count; pair++) {
    if (call->token_rows[pair] >= call->row_count)
      return REMOE_BAD_TOKEN_ROW;
    if (call->which[pair] >= call->expert_count)
      return REMOE_BAD_EXPERT;
  }
  return REMOE_OK;
}

static bool can_fast(const struct remoe_matrix *m) { return m->format == REMOE_BF16; }

static int32_t wants_fast(const struct layer *layer) {
  const struct remoe_call *call = layer->call;
  if (!call->fast || !layer->set->has_fast)
    return 0;
  for (int32_t g = 0; g < layer->group_count; g++) {
    const struct remoe_expert *e = layer->groups[g].expert;
    bool second = !e->gated || e->fused || can_fast(&e->second);
    if (!can_fast(&e->first) || !second || !can_fast(&e->down))
      return 0;
  }
  return 1;
}

/* Digits of the rows' numbers where every matrix of a call is in blocks, else 0: floats. */
static int32_t wanted_digits(const struct layer *layer) {
  for (int32_t g = 0; g < layer->group_count; g++) {
    const struct remoe_expert *e = layer->groups[g].expert;
    bool second = !e->gated || e->fused || in_blocks(&e->second);
    if (!in_blocks(&e->first) || !second || !in_blocks(&e->down))
      return 0;
  }
  return layer->call->fast ? 1 : 2;
}

/* Counting sort by expert; pairs of one expert keep their order. */
static void group_pairs(struct layer *layer, int64_t *begins) {
  const struct remoe_call *call = layer->call;
  memset(begins, 0, ((size_t)call->expert_count + 1) * sizeof *begins);
  for (int64_t pair = 0; pair < call->pair_count; pair++)
    begins[call->which[pair] + 1]++;
  layer->group_count = 0;
  for (int32_t e = 0; e < call->expert_count; e++) {
    if (begins[e + 1])
      layer->groups[layer->group_count++] = (struct group){
          .expert = call->experts + e, .first = begins[e], .rows = (int32_t)begins[e + 1]};
    begins[e + 1] += begins[e];
  }
  for (int64_t pair = 0; pair < call->pair_count; pair++) {
    int64_t at = begins[call->which[pair]]++;
    layer->token_rows[at] = call->token_rows[pair];
    layer->weights[at] = call->weights[pair];
  }
}


/* Memory of a call, cut from one piece. With `bytes` NULL it only counts. */
struct cut {
  uint8_t *bytes;
  int64_t used;
};

static void *piece(struct cut *cut, int64_t size) {
  void *at = cut->bytes ? cut->bytes + cut->used : NULL;
  cut->used += up_to(size, ALIGNMENT);
  return at;
}

struct plan {
  struct group *every; /* groups of the whole call; a wave has parts of them */
  int64_t *begins;
  uint8_t *middle;
  int64_t middle_bytes;
};

static int64_t middle_bytes_of(const struct remoe_expert *e, int32_t fast) {
  struct activations one = shape_of(1, e->intermediate, fast);
  return bytes_of(&one);
}

/* The widest expert's bytes for a pair, whichever precision it will be. */
static int64_t widest_middle(const struct remoe_call *call) {
  int64_t widest = 0;
  for (int64_t pair = 0; pair < call->pair_count; pair++) {
    int64_t bytes = middle_bytes_of(call->experts + call->which[pair], 0);
    widest = bytes > widest ? bytes : widest;
  }
  return widest;
}

static void cut_room(struct layer *layer, struct plan *plan, struct cut *cut) {
  const struct remoe_call *call = layer->call;
  int64_t groups = smaller(call->expert_count, call->pair_count);
  layer->token_rows = piece(cut, call->pair_count * (int64_t)sizeof(uint32_t));
  layer->weights = piece(cut, call->pair_count * (int64_t)sizeof(float));
  layer->groups = piece(cut, groups * (int64_t)sizeof(struct group));
  plan->every = piece(cut, groups * (int64_t)sizeof(struct group));
  plan->begins = piece(cut, (call->expert_count + 1) * (int64_t)sizeof(int64_t));
  layer->scratch = piece(cut, call->threads * (int64_t)SCRATCH_FLOATS * 4);
  struct activations wide = shape_of(call->row_count, call->hidden, 0);
  layer->in.data = piece(cut, bytes_of(&wide));
  plan->middle = piece(cut, plan->middle_bytes);
}

/* The next groups whose middle fits; a group too large is done in parts. */
static bool next_wave(struct layer *layer, const struct plan *plan, int32_t count, int32_t *group,
                      int64_t *done) {
  int64_t used = 0;
  layer->group_count = layer->item_count = 0;
  for (; *group < count; ++*group, *done = 0) {
    struct group part = plan->every[*group];
    int64_t each = middle_bytes_of(part.expert, layer->in.fast);
    int64_t rows = smaller(part.rows - *done, (plan->middle_bytes - used) / each);
    if (rows == 0)
      break;
    part.first += *done, part.rows = (int32_t)rows;
    part.middle = shape_of(rows, part.expert->intermediate, layer->in.fast);
    part.middle.digits = layer->in.digits, part.middle.round = layer->in.round;
    part.middle.data = plan->middle + used;
    part.units = units_of(&part, layer->call->threads);
    part.first_item = layer->item_count;
    layer->item_count += (part.expert->intermediate + part.units - 1) / part.units;
    layer->groups[layer->group_count++] = part;
    used += rows * each;
    *done += rows;
    if (*done < plan->every[*group].rows)
      break;
  }
  return layer->group_count > 0;
}

static int32_t columns_of(const struct layer *layer) {
  const struct remoe_call *call = layer->call;
  int64_t rows = 0, bytes = 0;
  bool transposed = false;
  for (int32_t g = 0; g < layer->group_count; g++) {
    const struct group *group = layer->groups + g;
    transposed |= group->expert->down.transposed != 0;
    bytes += group->expert->down.row_bytes;
    rows = rows > group->rows ? rows : group->rows;
  }
  if (transposed)
    return long_part(call->hidden, call->threads, rows);
  return layer->in.digits ? narrow_part(call->hidden, call->threads)
                          : short_part(call->hidden, bytes, call->threads, rows);
}

static void run_wave(struct layer *layer) {
  const struct remoe_call *call = layer->call;
  pool_run(first_phase, layer, layer->item_count, call->threads);
  layer->columns = columns_of(layer);
  pool_run(second_phase, layer, (call->hidden + layer->columns - 1) / layer->columns,
           call->threads);
  layer->first_wave = false;
}

static void run(struct layer *layer, struct plan *plan) {
  const struct remoe_call *call = layer->call;
  group_pairs(layer, plan->begins);
  int32_t count = layer->group_count, group = 0;
  int64_t done = 0;
  uint8_t *data = layer->in.data;
  int32_t digits = wanted_digits(layer);
  layer->in = shape_of(call->row_count, call->hidden, digits == 1 || wants_fast(layer));
  layer->in.digits = digits, layer->in.round = layer->set->round;
  layer->in.data = data;
  memcpy(plan->every, layer->groups, (size_t)count * sizeof(struct group));
  pool_run(take_row, layer, (int32_t)call->row_count, call->row_count > ROWS ? call->threads : 1);
  layer->first_wave = true;
  while (next_wave(layer, plan, count, &group, &done))
    run_wave(layer);
}

static int run_with_room(struct layer *layer) {
  const struct remoe_call *call = layer->call;
  struct plan plan = {0};
  struct cut cut = {0};
  int64_t each = widest_middle(call);
  int64_t most = WAVE_LEAST * each > WAVE_BYTES ? WAVE_LEAST * each : WAVE_BYTES;
  plan.middle_bytes = smaller(call->pair_count * each, most);
  cut_room(layer, &plan, &cut);
  struct room room = room_take(cut.used);
  if (!room.bytes)
    return REMOE_NO_MEMORY;
  cut = (struct cut){room.bytes, 0};
  cut_room(layer, &plan, &cut);
  run(layer, &plan);
  room_leave(room);
  return REMOE_OK;
}

int remoe_forward(const struct remoe_call *call) {
  struct layer layer = {.call = call, .set = instructions_of(call->instruction_set)};
  if (!layer.set)
    return REMOE_BAD_INSTRUCTION_SET;
  int bad = check(call);
  if (bad != REMOE_OK)
    return bad;
  if (call->pair_count == 0) {
    memset(call->out, 0, (size_t)(call->row_count * call->hidden) * sizeof(double));
    return REMOE_OK;
  }
  if (call->threads > 1)
    pool_take();
  int result = run_with_room(&layer);
  if (call->threads > 1)
    pool_leave();
  return result;
}

int remoe_can(int instruction_set) { return instructions_of(instruction_set) != NULL; }

int64_t remoe_abi(int which) {
  switch (which) {
  case 0:
    return sizeof(struct remoe_expert);
  case 1:
    return sizeof(struct remoe_call);
  case 2:
    return sizeof(struct remoe_matrix);
  case 3:
    return REMOE_FORMATS;
  case 4:
    return sizeof(struct remoe_linear);
  default:
    return sizeof(struct remoe_answer);
  }
}
