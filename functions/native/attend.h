/* What a step does between its products, in vectors: norms, and attention over what is kept.
 *
 * Sums run in one order, which depends on widths and on the number of tokens alone.
 */
enum { TOKENS = 4 }; /* kept tokens met at a time */

/* `count` numbers of a kept row, zeros after them. */
INLINE lanes kept_lanes(int format, const uint8_t *from, int count) {
  if (count >= LANES)
    return format == REMOE_BF16 ? bf16_lanes(from) : f32_lanes(from);
  uint8_t padded[4 * LANES] = {0};
  if (count > 0)
    memcpy(padded, from, (size_t)count * (format == REMOE_BF16 ? 2 : 4));
  return format == REMOE_BF16 ? bf16_lanes(padded) : f32_lanes(padded);
}

INLINE void widen_kept(int format, const uint8_t *from, int size, int pitch, float *to) {
  for (int i = 0; i < pitch; i += LANES)
    store(to + i, kept_lanes(format, from + (format == REMOE_BF16 ? 2 : 4) * i, size - i));
}

/* TOKENS rows from `token` on, widened; beyond the last one it is met again, and not counted. */
INLINE void take_tokens(int format, const struct attending *a, const uint8_t *kept, int64_t token,
                        float *to) {
  for (int i = 0; i < TOKENS; i++) {
    int64_t which = token + i < a->tokens ? token + i : a->tokens - 1;
    widen_kept(format, kept + which * a->size * (format == REMOE_BF16 ? 2 : 4), a->size, a->pitch,
               to + i * a->pitch);
  }
}

INLINE void score(int format, const struct attending *a) {
  float keys[TOKENS * MOST_HEAD];
  for (int64_t token = 0; token < a->tokens; token += TOKENS) {
    take_tokens(format, a, a->keys, token, keys);
    for (int head = 0; head < a->heads; head++) {
      const float *query = a->queries + head * a->pitch;
      lanes sums[TOKENS] = {{0}};
      for (int i = 0; i < a->pitch; i += LANES)
        UNROLL for (int t = 0; t < TOKENS; t++) {
          sums[t] = load(query + i) * load(keys + t * a->pitch + i) + sums[t];
        }
      four scores = totals(sums[0], sums[1], sums[2], sums[3]);
      memcpy(a->weights + head * a->weights_pitch + token, &scores, sizeof scores);
    }
  }
}

INLINE void mix(int format, const struct attending *a) {
  float values[TOKENS * MOST_HEAD];
  memset(a->out, 0, (size_t)(a->heads * a->pitch) * sizeof(float));
  for (int64_t token = 0; token < a->tokens; token += TOKENS) {
    take_tokens(format, a, a->values, token, values);
    for (int head = 0; head < a->heads; head++) {
      const float *weights = a->weights + head * a->weights_pitch + token;
      float *out = a->out + head * a->pitch;
      for (int i = 0; i < a->pitch; i += LANES) {
        lanes sum = load(out + i);
        UNROLL for (int t = 0; t < TOKENS; t++) {
          sum = load(values + t * a->pitch + i) * weights[t] + sum;
        }
        store(out + i, sum);
      }
    }
  }
}

/* e^(x - the largest), zeros up to a multiple of MAX_LANES, of which there must be room; the sum. */
static float soften(float *x, int64_t count) {
  int64_t padded = (count + MAX_LANES - 1) / MAX_LANES * MAX_LANES;
  float largest = x[0];
  for (int64_t i = 1; i < count; i++)
    largest = x[i] > largest ? x[i] : largest;
  for (int64_t i = count; i < padded; i++)
    x[i] = largest;
  for (int64_t i = 0; i < padded; i += LANES)
    store(x + i, exponential(load(x + i) - largest));
  memset(x + count, 0, (size_t)(padded - count) * sizeof(float));
  lanes sum = {0};
  for (int64_t i = 0; i < padded; i += LANES)
    sum += load(x + i);
  return total(sum);
}

static void attend(const struct attending *a) {
  if (a->format == REMOE_BF16)
    score(REMOE_BF16, a);
  else
    score(REMOE_F32, a);
  float inverse[MOST_GROUP];
  for (int head = 0; head < a->heads; head++)
    inverse[head] = 1.0f / soften(a->weights + head * a->weights_pitch, a->tokens);
  if (a->format == REMOE_BF16)
    mix(REMOE_BF16, a);
  else
    mix(REMOE_F32, a);
  for (int head = 0; head < a->heads; head++)
    for (int i = 0; i < a->pitch; i += LANES)
      store(a->out + head * a->pitch + i, load(a->out + head * a->pitch + i) * inverse[head]);
}

/* y = x / its root mean square * weight; x and y may be the same. */
static void normalize(const float *x, const struct remoe_norm *norm, int32_t width, float *y) {
  lanes sum = {0};
  for (int i = 0; i < width; i += LANES) {
    lanes some = kept_lanes(REMOE_F32, (const uint8_t *)(x + i), width - i);
    sum = some * some + sum;
  }
  float scale = 1.0f / __builtin_sqrtf(total(sum) / (float)width + norm->epsilon);
  for (int i = 0; i < width; i++)
    y[i] = x[i] * scale * norm->weight[i];
}
