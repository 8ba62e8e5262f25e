/* The activations, LANES at a time. NaN passes through; an overflow of exp means a gate of zero. */

/* e^x within 2 units in the last place, infinity above 88.7, denormals and then 0 below -87.3. */
INLINE lanes exponential(lanes x) {
  lanes bounded = choose(x > 89.0f, all(89.0f), choose(x < -104.0f, all(-104.0f), x));
  /* 1.5 * 2^23 rounds to a whole number, which then lies in the low bits. */
  lanes shifted = bounded * 1.44269504f + 12582912.0f;
  lanes power = shifted - 12582912.0f;
  lanes r = bounded - power * 0.693359375f;
  r = r - power * -2.12194440e-4f;
  lanes p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  /* 2^n in two factors, so that neither leaves the range of normal numbers. */
  signs n = (signs)(words_of(shifted) - 0x4b400000u);
  signs half = n >> 1;
  lanes low = lanes_of((words)((half + 127) << 23));
  lanes high = lanes_of((words)((n - half + 127) << 23));
  lanes result = p * low * high;
  return choose(x != x, x, result);
}

INLINE lanes silu(lanes x) { return x / (exponential(-x) + 1.0f); }

/* erf by two polynomials, within 1.2 units in the last place (N. Juffa's). */
INLINE lanes error_function(lanes x) {
  lanes t = choose(x < 0.0f, -x, x), s = x * x;
  lanes r = t * -1.72853470e-5f + 3.83197126e-4f;
  lanes u = t * -3.88396438e-3f + 2.42546219e-2f;
  r = r * s + u;
  r = r * t + -1.06777877e-1f;
  r = r * t + -6.34846687e-1f;
  r = r * t + -1.28717512e-1f;
  r = r * t - t;
  lanes far = 1.0f - exponential(choose(t > 10.0f, all(-100.0f), r));
  far = choose(x < 0.0f, -far, far);
  lanes near = s * -5.96761703e-4f + 4.99119423e-3f;
  near = near * s + -2.67681349e-2f;
  near = near * s + 1.12819925e-1f;
  near = near * s + -3.76125336e-1f;
  near = near * s + 1.28379166e-1f;
  near = near * x + x;
  return choose(t > 0.927734375f, far, near);
}

INLINE lanes gelu(lanes x) { return x * 0.5f * (error_function(x * 0.70710678f) + 1.0f); }

/* 1 + tanh(u) is 2 sigmoid(2u), which keeps its digits where tanh is near -1. */
INLINE lanes gelu_tanh(lanes x) {
  lanes inner = (x + x * x * x * 0.044715f) * 1.59576912f;
  return x / (exponential(-inner) + 1.0f);
}

INLINE lanes relu(lanes x) { return choose(x < 0.0f, all(0.0f), x); }

INLINE lanes clamped_swiglu(lanes gate, lanes up, float alpha, float limit) {
  gate = choose(gate > limit, all(limit), gate);
  up = choose(up > limit, all(limit), choose(up < -limit, all(-limit), up));
  return (up + 1.0f) * (gate / (exponential(gate * -alpha) + 1.0f));
}

INLINE lanes nonlinear(int activation, lanes x) {
  switch (activation) {
  case REMOE_SILU:
    return silu(x);
  case REMOE_GELU:
    return gelu(x);
  case REMOE_GELU_TANH:
    return gelu_tanh(x);
  case REMOE_RELU:
    return relu(x);
  default:
    return relu(x) * relu(x);
  }
}

INLINE lanes middle_of(const struct remoe_expert *e, lanes gate, lanes up) {
  if (e->activation == REMOE_CLAMPED_SWIGLU)
    return clamped_swiglu(gate, up, e->alpha, e->limit);
  lanes value = nonlinear(e->activation, gate);
  return e->gated ? value * up : value;
}

/* Which of two vectors beside each other hold gates, and which ups, where they alternate. */
#if LANES == 16
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, \
             20, 22, 24, 26, 28, 30
#define ODD 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, \
             21, 23, 25, 27, 29, 31
#elif LANES == 8
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define ODD 1, 3, 5, 7, 9, 11, 13, 15
#else
#define EVEN 0, 2, 4, 6
#define ODD 1, 3, 5, 7
#endif

/* Units `begin`.. of LANES, where all of them are there. */
INLINE lanes whole_middle(const struct middle *m, int begin) {
  const float *gate = m->gate + begin * m->stride, *up = m->up + begin * m->stride;
  lanes gates = load(gate), ups = {0};
  if (m->stride == 2) { /* gate and up alternate */
    lanes more = load(gate + LANES), both = gates;
    gates = __builtin_shufflevector(both, more, EVEN);
    ups = __builtin_shufflevector(both, more, ODD);
  } else if (m->expert->gated) {
    ups = load(up);
  }
  return middle_of(m->expert, gates, ups);
}

INLINE lanes some_of_middle(const struct middle *m, int begin, int count) {
  float gate[LANES] = {0}, up[LANES] = {0};
  for (int i = 0; i < count; i++) {
    gate[i] = m->gate[(begin + i) * m->stride];
    if (m->expert->gated)
      up[i] = m->up[(begin + i) * m->stride];
  }
  return middle_of(m->expert, load(gate), load(up));
}

#undef EVEN
#undef ODD

static void activate(const struct middle *m) {
  int begin = 0;
  for (; begin + LANES <= m->count; begin += LANES)
    store(m->gate + begin, whole_middle(m, begin));
  if (begin < m->count) {
    lanes value = some_of_middle(m, begin, m->count - begin);
    memcpy(m->gate + begin, &value, (size_t)(m->count - begin) * sizeof(float));
  }
}
