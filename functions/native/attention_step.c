/* Attention of a layer for one new token in each of some slots, from norm to norm: what a decode
 * step does between two layers' experts.
 *
 *   1. Every row is normed.
 *   2. Queries, keys and values, by parts of their columns.
 *   3. For a row and a key head: norms, turning, the new key and value into the cache, attention.
 *   4. The output product, added to the rows, by parts of its columns.
 *   5. The next norm; then the router's product, and each row's experts.
 *
 * Numbers stay float between the products; keys and values are rounded to what the cache holds.
 * A number is made by one thread, in an order that depends on its own row alone.
 */
#include <math.h>

#include "pool.h"
#include "projection.h"
#include "room.h"

enum { ALIGNMENT = 64, SHARED_FLOATS = 1 << 14 };

struct step {
  const struct remoe_step *call;
  const struct remoe_attention *layer;
  const struct instructions *set;
  struct projection states[3]; /* queries, keys, values */
  struct projection output;
  struct projection router;
  struct activations in;     /* normed rows, before attention and again after it */
  struct activations mixed;  /* attention's answer */
  float *kept;               /* [row_count][states_width], queries, keys, values */
  float *odds;               /* [row_count][odds_pitch], the router's */
  float *scratch;            /* scratch_floats for each thread */
  int64_t states_width;
  int64_t odds_pitch;
  int64_t scratch_floats;
  int64_t longest; /* tokens of a slot, the new one counted */
  int32_t pitch;   /* of a head */
};

static float *scratch_of(const struct step *s, int32_t worker) {
  return s->scratch + worker * s->scratch_floats;
}

static void put_normed(const struct step *s, int64_t row, const struct remoe_norm *norm,
                       float *wide) {
  int32_t hidden = s->layer->hidden;
  s->set->normalize(s->call->rows + row * hidden, norm, hidden, wide);
  put(&s->in, row, 0, wide, hidden);
  pad(&s->in, row);
}

static void take_row(void *job, int32_t row, int32_t worker) {
  struct step *s = job;
  put_normed(s, row, &s->layer->norm, scratch_of(s, worker));
}

static void clip(const struct remoe_attention *layer, float *x, int32_t count) {
  for (int32_t i = 0; i < count && layer->clip < INFINITY; i++)
    x[i] = x[i] > layer->clip ? layer->clip : x[i] < -layer->clip ? -layer->clip : x[i];
}

/* Which of queries, keys and values an item makes; `item` becomes the item within. */
static int32_t state_of(const struct step *s, int32_t *item) {
  int32_t which = 0;
  for (; *item >= items_of(s->states + which); which++)
    *item -= items_of(s->states + which);
  return which;
}

static void some_states(void *job, int32_t item, int32_t worker) {
  struct step *s = job;
  int32_t which = state_of(s, &item), before = 0;
  for (int32_t i = 0; i < which; i++)
    before += s->states[i].outputs;
  for (int64_t first = 0; first < s->call->row_count; first += TOGETHER) {
    struct product p = project(s->set, s->states + which, &s->in, first, item,
                               scratch_of(s, worker));
    for (int32_t row = 0; row < p.rows; row++)
      memcpy(s->kept + (first + row) * s->states_width + before + p.begin, p.y + row * p.pitch,
             (size_t)(p.end - p.begin) * sizeof(float));
  }
}

/* Norms over all heads of a row at once, and what is clipped after them. */
static void norm_whole(void *job, int32_t row, int32_t worker) {
  struct step *s = job;
  (void)worker;
  const struct remoe_attention *layer = s->layer;
  float *queries = s->kept + row * s->states_width;
  float *keys = queries + layer->heads * layer->size;
  if (layer->norms_whole) {
    s->set->normalize(queries, &layer->query_norm, layer->heads * layer->size, queries);
    s->set->normalize(keys, &layer->key_norm, layer->key_heads * layer->size, keys);
  }
  clip(layer, queries, (int32_t)s->states_width);
}

/* A head's own norm, and its turning by the token's position. */
static void turn(const struct step *s, int64_t row, const struct remoe_norm *norm, float *head) {
  int32_t size = s->layer->size, half = size / 2;
  const float *cosines = s->call->cosines + row * size, *sines = s->call->sines + row * size;
  if (norm->weight && !s->layer->norms_whole)
    s->set->normalize(head, norm, size, head);
  for (int32_t i = 0; i < half; i++) {
    float low = head[i], high = head[i + half];
    head[i] = low * cosines[i] - high * sines[i];
    head[i + half] = high * cosines[i] + low * sines[i];
  }
}

static void keep(const struct step *s, const float *from, uint8_t *to) {
  if (s->layer->format == REMOE_BF16)
    narrow_row(from, to, s->layer->size);
  else
    memcpy(to, from, (size_t)s->layer->size * sizeof(float));
}

/* Scaled queries of a key head, each in a pitch of its own. */
static void take_queries(const struct step *s, int64_t row, float *from, int32_t heads, float *to) {
  const struct remoe_attention *layer = s->layer;
  for (int32_t head = 0; head < heads; head++, from += layer->size, to += s->pitch) {
    turn(s, row, &layer->query_norm, from);
    memset(to, 0, (size_t)s->pitch * sizeof(float));
    for (int32_t i = 0; i < layer->size; i++)
      to[i] = from[i] * layer->scaling;
  }
}

static void one_key_head(void *job, int32_t item, int32_t worker) {
  struct step *s = job;
  const struct remoe_attention *layer = s->layer;
  int32_t group = layer->heads / layer->key_heads, head = item % layer->key_heads;
  int64_t row = item / layer->key_heads, position = s->call->positions[row];
  int64_t token_bytes = bytes_of_kept(layer->format, layer->size);
  int64_t start = item * s->call->room * token_bytes;
  int64_t first = layer->window && position >= layer->window ? position - layer->window + 1 : 0;
  float *queries = s->kept + row * s->states_width + head * group * layer->size;
  float *key = s->kept + row * s->states_width + (layer->heads + head) * layer->size;
  float *room = scratch_of(s, worker);
  turn(s, row, &layer->key_norm, key);
  keep(s, key, s->call->keys + start + position * token_bytes);
  keep(s, key + layer->key_heads * layer->size, s->call->values + start + position * token_bytes);
  take_queries(s, row, queries, group, room);
  struct attending a = {.queries = room,
                        .keys = s->call->keys + start + first * token_bytes,
                        .values = s->call->values + start + first * token_bytes,
                        .weights = room + 2 * (int64_t)group * s->pitch,
                        .out = room + (int64_t)group * s->pitch,
                        .tokens = position + 1 - first,
                        .weights_pitch = up_to(s->longest, MAX_LANES),
                        .heads = group,
                        .size = layer->size,
                        .pitch = s->pitch,
                        .format = layer->format};
  s->set->attend(&a);
  for (int32_t i = 0; i < group; i++)
    put(&s->mixed, row, (head * group + i) * layer->size, a.out + i * s->pitch, layer->size);
}

static void some_outputs(void *job, int32_t item, int32_t worker) {
  struct step *s = job;
  for (int64_t first = 0; first < s->call->row_count; first += TOGETHER) {
    struct product p = project(s->set, &s->output, &s->mixed, first, item, scratch_of(s, worker));
    for (int32_t row = 0; row < p.rows; row++) {
      float *to = s->call->rows + (first + row) * s->layer->hidden + p.begin;
      for (int32_t i = 0; i < p.end - p.begin; i++)
        to[i] += p.y[row * p.pitch + i];
    }
  }
}

static void give_row(void *job, int32_t row, int32_t worker) {
  struct step *s = job;
  float *wide = scratch_of(s, worker);
  put_normed(s, row, &s->layer->next_norm, wide);
  int64_t bytes = bytes_of_kept(s->layer->format, s->layer->hidden);
  if (s->layer->format == REMOE_BF16)
    narrow_row(wide, s->call->normed + row * bytes, s->layer->hidden);
  else
    memcpy(s->call->normed + row * bytes, wide, (size_t)bytes);
}

static void some_odds(void *job, int32_t item, int32_t worker) {
  struct step *s = job;
  for (int64_t first = 0; first < s->call->row_count; first += TOGETHER) {
    struct product p = project(s->set, &s->router, &s->in, first, item, scratch_of(s, worker));
    for (int32_t row = 0; row < p.rows; row++)
      memcpy(s->odds + (first + row) * s->odds_pitch + p.begin, p.y + row * p.pitch,
             (size_t)(p.end - p.begin) * sizeof(float));
  }
}

/* The likeliest experts of a row, of equals the first; a row that is no numbers gets some, too. */
static void choose_experts(void *job, int32_t row, int32_t worker) {
  struct step *s = job;
  (void)worker;
  const struct remoe_attention *layer = s->layer;
  float *odds = s->odds + row * s->odds_pitch, *shares = s->call->shares + row * layer->top_k;
  uint16_t *chosen = s->call->chosen + row * layer->top_k;
  float sum = s->set->soften(odds, layer->experts), taken = 0;
  for (int32_t k = 0; k < layer->top_k; k++) {
    int32_t best = -1;
    for (int32_t e = 0; e < layer->experts; e++)
      if (odds[e] != -1.0f && (best < 0 || odds[e] > odds[best]))
        best = e;
    chosen[k] = (uint16_t)best, shares[k] = odds[best];
    taken += odds[best];
    odds[best] = -1.0f;
  }
  for (int32_t k = 0; k < layer->top_k; k++)
    shares[k] /= layer->shares_sum_to_one ? taken : sum;
}

static void run(struct step *s) {
  const struct remoe_attention *layer = s->layer;
  int32_t rows = (int32_t)s->call->row_count, threads = s->call->threads;
  /* What takes less than waking a thread is done by the caller alone. */
  int32_t by_row = (int64_t)rows * layer->hidden > SHARED_FLOATS ? threads : 1;
  int64_t kept = (int64_t)rows * layer->heads * layer->size * s->longest;
  int32_t items = 0;
  for (int32_t i = 0; i < 3; i++)
    items += items_of(s->states + i);
  pool_run(take_row, s, rows, by_row);
  pool_run(some_states, s, items, threads);
  if (layer->norms_whole || layer->clip < INFINITY)
    pool_run(norm_whole, s, rows, by_row);
  pool_run(one_key_head, s, rows * layer->key_heads, kept > SHARED_FLOATS ? threads : 1);
  for (int32_t row = 0; row < rows; row++)
    pad(&s->mixed, row);
  pool_run(some_outputs, s, items_of(&s->output), threads);
  pool_run(give_row, s, rows, by_row);
  if (layer->router.data) {
    pool_run(some_odds, s, items_of(&s->router), threads);
    pool_run(choose_experts, s, rows, by_row);
  }
}

/* Memory of a call, cut from one piece. With `bytes` NULL it only counts. */
static int64_t cut_room(struct step *s, uint8_t *bytes) {
  const struct remoe_step *call = s->call;
  int64_t in = up_to(bytes_of(&s->in), ALIGNMENT), mixed = up_to(bytes_of(&s->mixed), ALIGNMENT);
  int64_t kept = up_to(call->row_count * s->states_width * 4, ALIGNMENT);
  int64_t odds = up_to(call->row_count * s->odds_pitch * 4, ALIGNMENT);
  if (bytes) {
    s->in.data = bytes;
    s->mixed.data = bytes + in;
    s->kept = (float *)(void *)(bytes + in + mixed);
    s->odds = (float *)(void *)(bytes + in + mixed + kept);
    s->scratch = (float *)(void *)(bytes + in + mixed + kept + odds);
  }
  return in + mixed + kept + odds + call->threads * s->scratch_floats * 4;
}

static void shape(struct step *s) {
  const struct remoe_attention *layer = s->layer;
  int32_t queries = layer->heads * layer->size, keys = layer->key_heads * layer->size;
  int32_t fast = in_halves(s->set, layer->format);
  s->states[0] = (struct projection){&layer->query, layer->query_bias, queries};
  s->states[1] = (struct projection){&layer->key, layer->key_bias, keys};
  s->states[2] = (struct projection){&layer->value, layer->value_bias, keys};
  s->output = (struct projection){&layer->output, layer->output_bias, layer->hidden};
  s->router = (struct projection){&layer->router, NULL, layer->experts};
  s->in = shape_of(s->call->row_count, layer->hidden, fast);
  s->mixed = shape_of(s->call->row_count, queries, fast);
  s->states_width = queries + 2 * keys;
  s->odds_pitch = up_to(layer->experts, MAX_LANES);
  s->pitch = (int32_t)up_to(layer->size, MAX_LANES);
  for (int64_t row = 0; row < s->call->row_count; row++)
    if (s->call->positions[row] >= s->longest)
      s->longest = s->call->positions[row] + 1;
  int64_t group = layer->heads / layer->key_heads;
  int64_t attending = group * (2 * s->pitch + up_to(s->longest, MAX_LANES));
  int64_t most = attending > PROJECTION_FLOATS ? attending : PROJECTION_FLOATS;
  s->scratch_floats = up_to(most > layer->hidden ? most : layer->hidden, MAX_LANES);
}

int remoe_attend(const struct remoe_step *call) {
  struct step s = {.call = call,
                   .layer = call->layer,
                   .set = instructions_of(call->instruction_set)};
  if (!s.set)
    return REMOE_BAD_INSTRUCTION_SET;
  for (int64_t row = 0; row < call->row_count; row++)
    if (call->positions[row] < 0 || call->positions[row] >= call->room)
      return REMOE_BAD_TOKEN_ROW;
  shape(&s);
  struct room room = room_take(cut_room(&s, NULL));
  if (!room.bytes)
    return REMOE_NO_MEMORY;
  cut_room(&s, room.bytes);
  if (call->threads > 1)
    pool_take();
  run(&s);
  if (call->threads > 1)
    pool_leave();
  room_leave(room);
  return REMOE_OK;
}
