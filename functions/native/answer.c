/* A function's whole answer to a call from the wire: pairs are judged, experts found, the layer
 * computed, and its sums rounded to what the wire carries.
 *
 * So a function needs nothing but this to answer, and waits for no library of arrays at its start.
 */
#include <stdbool.h>
#include <string.h>

#include "activations.h"
#include "room.h"

enum { ALIGNMENT = 64 };
typedef double total; /* what remoe_forward adds in */

struct work {
  uint16_t *which;  /* each pair's place among the experts */
  uint64_t *visits; /* bits: whether an expert had a row */
  float *wide;      /* rows in float, where they came in half */
  total *sums;
};

static int64_t items(const struct remoe_answer *call) { return call->row_count * call->hidden; }

static int64_t visit_words(const struct remoe_answer *call) {
  return (call->expert_count * call->row_count + 63) / 64;
}

static void *piece(uint8_t *bytes, int64_t *used, int64_t size) {
  uint8_t *at = bytes ? bytes + *used : NULL;
  *used += up_to(size, ALIGNMENT);
  return at;
}

/* With `bytes` NULL it only counts. */
static int64_t cut(const struct remoe_answer *call, struct work *work, uint8_t *bytes) {
  int64_t used = 0;
  bool halves = call->dtype == REMOE_F16;
  work->which = piece(bytes, &used, call->pair_count * (int64_t)sizeof(uint16_t));
  work->visits = piece(bytes, &used, visit_words(call) * (int64_t)sizeof(uint64_t));
  work->wide = piece(bytes, &used, halves ? items(call) * (int64_t)sizeof(float) : 0);
  work->sums = piece(bytes, &used, items(call) * (int64_t)sizeof(total));
  return used;
}

/* Where the experts of the pairs are, and that none is asked for twice by a row. */
static int judge(const struct remoe_answer *call, struct work *work) {
  memset(work->visits, 0, (size_t)visit_words(call) * sizeof(uint64_t));
  for (int64_t pair = 0; pair < call->pair_count; pair++) {
    uint16_t expert = call->which[pair];
    if (call->token_rows[pair] >= call->row_count)
      return REMOE_BAD_TOKEN_ROW;
    if (expert >= call->place_count || call->places[expert] >= call->expert_count)
      return REMOE_BAD_EXPERT;
    work->which[pair] = call->places[expert];
    int64_t visit = work->which[pair] * call->row_count + call->token_rows[pair];
    uint64_t bit = (uint64_t)1 << visit % 64;
    if (work->visits[visit / 64] & bit)
      return REMOE_TWICE;
    work->visits[visit / 64] |= bit;
  }
  return REMOE_OK;
}

static void widen(const struct remoe_answer *call, float *wide) {
  const uint8_t *rows = call->rows;
  for (int64_t i = 0; i < items(call); i++) {
    _Float16 value;
    memcpy(&value, rows + 2 * i, sizeof value);
    wide[i] = (float)value;
  }
}

/* Rounded to nearest, ties to even, by way of float. */
static void give(const struct remoe_answer *call, const total *sums) {
  uint8_t *out = call->out;
  if (call->answer_dtype == REMOE_SUMS) {
    memcpy(out, sums, (size_t)items(call) * sizeof(total));
    return;
  }
  for (int64_t i = 0; i < items(call); i++) {
    float sum = (float)sums[i];
    if (call->answer_dtype == REMOE_F32) {
      memcpy(out + 4 * i, &sum, sizeof sum);
    } else if (call->answer_dtype == REMOE_BF16) {
      uint16_t half = float_to_half(sum);
      memcpy(out + 2 * i, &half, sizeof half);
    } else {
      _Float16 half = (_Float16)sum;
      memcpy(out + 2 * i, &half, sizeof half);
    }
  }
}

static int compute(const struct remoe_answer *call, struct work *work) {
  int bad = judge(call, work);
  if (bad != REMOE_OK)
    return bad;
  if (call->dtype == REMOE_F16)
    widen(call, work->wide);
  /* A caller that sends bfloat16 computes in it, too; float is for who wants it exact. */
  bool bfloat16 = call->dtype == REMOE_BF16;
  struct remoe_call layer = {.experts = call->experts,
                             .rows = call->dtype == REMOE_F16 ? (void *)work->wide : call->rows,
                             .token_rows = call->token_rows,
                             .which = work->which,
                             .weights = call->weights,
                             .out = work->sums,
                             .row_count = call->row_count,
                             .pair_count = call->pair_count,
                             .expert_count = call->expert_count,
                             .hidden = call->hidden,
                             .rows_bfloat16 = bfloat16,
                             .threads = call->threads,
                             .instruction_set = call->instruction_set,
                             .fast = bfloat16};
  bad = remoe_forward(&layer);
  if (bad == REMOE_OK)
    give(call, work->sums);
  return bad;
}

int remoe_answer(const struct remoe_answer *call) {
  struct work work;
  struct room room = room_take(cut(call, &work, NULL) + ALIGNMENT);
  if (!room.bytes)
    return REMOE_NO_MEMORY;
  cut(call, &work, room.bytes);
  int result = compute(call, &work);
  room_leave(room);
  return result;
}
