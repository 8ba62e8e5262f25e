/* See pool.h. A job is published by one atomic word: its number, its threads, and how many items
 * are left. Taking an item is a compare-and-swap on that word, so a worker that wakes late either
 * holds an item of the present job, whose fields then cannot change, or nothing at all.
 *
 * Workers spin for a moment after work, since the next phase of a layer follows in microseconds,
 * then sleep on a condition. The caller never waits for a worker that has not yet taken an item.
 */
#include "pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

enum { STACK_BYTES = 1 << 20, SPINS_PER_LOOK = 64, SPIN_NANOSECONDS = 40000 };

static struct {
  pthread_mutex_t owner;
  pthread_mutex_t mutex;
  pthread_cond_t work_here;
  pthread_cond_t work_done;
  pthread_once_t once;
  _Atomic uint64_t ticket; /* job number << 40 | threads << 32 | items left */
  _Atomic int32_t unfinished;
  _Atomic int32_t sleepers;
  work *do_item;
  void *job;
  int32_t count;
  int32_t workers;
} pool = {.owner = PTHREAD_MUTEX_INITIALIZER,
          .mutex = PTHREAD_MUTEX_INITIALIZER,
          .work_here = PTHREAD_COND_INITIALIZER,
          .work_done = PTHREAD_COND_INITIALIZER,
          .once = PTHREAD_ONCE_INIT};

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void breathe(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static int32_t left(uint64_t ticket) { return (int32_t)(ticket & 0xffffffffu); }

static int32_t threads_of(uint64_t ticket) { return (int32_t)(ticket >> 32 & 0xff) + 1; }

/* Take items until none is left for this worker. */
static void take_part(int32_t worker) {
  uint64_t ticket = atomic_load_explicit(&pool.ticket, memory_order_acquire);
  while (left(ticket) > 0 && worker < threads_of(ticket)) {
    if (!atomic_compare_exchange_weak_explicit(&pool.ticket, &ticket, ticket - 1,
                                               memory_order_acq_rel, memory_order_acquire))
      continue;
    pool.do_item(pool.job, pool.count - left(ticket), worker);
    if (atomic_fetch_sub_explicit(&pool.unfinished, 1, memory_order_acq_rel) == 1 && worker) {
      pthread_mutex_lock(&pool.mutex);
      pthread_cond_signal(&pool.work_done);
      pthread_mutex_unlock(&pool.mutex);
    }
    ticket = atomic_load_explicit(&pool.ticket, memory_order_acquire);
  }
}

static bool work_for(int32_t worker) {
  uint64_t ticket = atomic_load_explicit(&pool.ticket, memory_order_seq_cst);
  return left(ticket) > 0 && worker < threads_of(ticket);
}

/* Whether there is something to do, after a moment's look. */
static bool seen_soon(int32_t worker) {
  int64_t until = nanoseconds() + SPIN_NANOSECONDS;
  do {
    for (int i = 0; i < SPINS_PER_LOOK; i++) {
      if (work_for(worker))
        return true;
      breathe();
    }
  } while (nanoseconds() < until);
  return false;
}

static void *work_for_ever(void *number) {
  int32_t worker = (int32_t)(intptr_t)number;
  for (;;) {
    take_part(worker);
    if (seen_soon(worker))
      continue;
    pthread_mutex_lock(&pool.mutex);
    atomic_fetch_add(&pool.sleepers, 1);
    while (!work_for(worker))
      pthread_cond_wait(&pool.work_here, &pool.mutex);
    atomic_fetch_sub(&pool.sleepers, 1);
    pthread_mutex_unlock(&pool.mutex);
  }
  return NULL;
}

static bool start_worker(int32_t number) {
  pthread_t thread;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0)
    return false;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  int failed = pthread_create(&thread, &attributes, work_for_ever, (void *)(intptr_t)number);
  pthread_attr_destroy(&attributes);
  return failed == 0;
}

/* With every signal blocked, so that workers inherit it: signals are for Python's threads. */
static void start_workers(int32_t wanted) {
  sigset_t every, before;
  sigfillset(&every);
  if (pthread_sigmask(SIG_SETMASK, &every, &before) != 0)
    return;
  while (pool.workers < wanted && start_worker(pool.workers + 1))
    pool.workers++;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void before_fork(void) {
  pthread_mutex_lock(&pool.owner);
  pthread_mutex_lock(&pool.mutex);
}

static void after_fork_in_parent(void) {
  pthread_mutex_unlock(&pool.mutex);
  pthread_mutex_unlock(&pool.owner);
}

/* The child has none of the workers, and conditions that no one else holds. */
static void after_fork_in_child(void) {
  pool.workers = 0;
  atomic_store(&pool.sleepers, 0);
  pthread_cond_init(&pool.work_here, NULL);
  pthread_cond_init(&pool.work_done, NULL);
  after_fork_in_parent();
}

static void watch_forks(void) {
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void pool_take(void) {
  pthread_once(&pool.once, watch_forks);
  pthread_mutex_lock(&pool.owner);
}

void pool_leave(void) { pthread_mutex_unlock(&pool.owner); }

static void publish(work *do_item, void *job, int32_t count, int32_t threads) {
  uint64_t number = (atomic_load(&pool.ticket) >> 40) + 1;
  pool.do_item = do_item;
  pool.job = job;
  pool.count = count;
  atomic_store(&pool.unfinished, count);
  atomic_store(&pool.ticket,
               number << 40 | (uint64_t)(threads - 1) << 32 | (uint64_t)(uint32_t)count);
  if (atomic_load(&pool.sleepers) > 0) {
    pthread_mutex_lock(&pool.mutex);
    pthread_cond_broadcast(&pool.work_here);
    pthread_mutex_unlock(&pool.mutex);
  }
}

static void wait_for_others(void) {
  int64_t until = nanoseconds() + SPIN_NANOSECONDS;
  while (atomic_load_explicit(&pool.unfinished, memory_order_acquire) > 0) {
    for (int i = 0; i < SPINS_PER_LOOK; i++)
      breathe();
    if (nanoseconds() > until)
      break;
  }
  if (atomic_load_explicit(&pool.unfinished, memory_order_acquire) == 0)
    return;
  pthread_mutex_lock(&pool.mutex);
  while (atomic_load_explicit(&pool.unfinished, memory_order_acquire) > 0)
    pthread_cond_wait(&pool.work_done, &pool.mutex);
  pthread_mutex_unlock(&pool.mutex);
}

void pool_run(work *do_item, void *job, int32_t count, int32_t threads) {
  if (threads > POOL_MOST)
    threads = POOL_MOST;
  if (threads > count)
    threads = count;
  if (threads > 1 && pool.workers < threads - 1)
    start_workers(threads - 1);
  if (threads <= 1) {
    for (int32_t item = 0; item < count; item++)
      do_item(job, item, 0);
    return;
  }
  publish(do_item, job, count, threads);
  take_part(0);
  wait_for_others();
}
