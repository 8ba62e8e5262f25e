/* A few threads that share the items of a job with the thread that brings it. */
#ifndef REMOE_POOL_H
#define REMOE_POOL_H

#include <stdint.h>

typedef void work(void *job, int32_t item, int32_t worker);

/* Do items 0..count-1 with up to `threads` threads, the caller among them; returns when all are
 * done. `worker` is below `threads`, and no two items run at once with the same one. */
void pool_run(work *do_item, void *job, int32_t count, int32_t threads);

/* One caller has the pool at a time; others wait here. Needed around pool_run with threads > 1. */
void pool_take(void);
void pool_leave(void);

enum { POOL_MOST = 256 };

#endif
