/* See room.h. A few slots, each lent to one call at a time; a call that finds none free, or needs
 * more than is worth keeping, has memory of its own for as long as it lasts. */
#include "room.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { SLOTS = 4, ALIGNMENT = 64, PAGE = 4096, NO_SLOT = -1 };
#define KEPT_BYTES ((int64_t)32 << 20)

static struct {
  atomic_flag taken;
  uint8_t *bytes;
  int64_t size;
} slots[SLOTS] = {{.taken = ATOMIC_FLAG_INIT},
                  {.taken = ATOMIC_FLAG_INIT},
                  {.taken = ATOMIC_FLAG_INIT},
                  {.taken = ATOMIC_FLAG_INIT}};

static uint8_t *allocated(int64_t *size) {
  *size = (*size + PAGE - 1) / PAGE * PAGE;
  return aligned_alloc(ALIGNMENT, (size_t)*size);
}

static struct room own_room(int64_t size) {
  uint8_t *bytes = allocated(&size);
  return (struct room){bytes, size, NO_SLOT};
}

struct room room_take(int64_t size) {
  if (size > KEPT_BYTES)
    return own_room(size);
  for (int32_t slot = 0; slot < SLOTS; slot++) {
    if (atomic_flag_test_and_set_explicit(&slots[slot].taken, memory_order_acquire))
      continue;
    if (slots[slot].size < size) {
      free(slots[slot].bytes);
      slots[slot].size = size;
      slots[slot].bytes = allocated(&slots[slot].size);
      if (!slots[slot].bytes)
        slots[slot].size = 0;
    }
    struct room room = {slots[slot].bytes, slots[slot].size, slot};
    if (!room.bytes)
      room_leave(room);
    return room;
  }
  return own_room(size);
}

void room_leave(struct room room) {
  if (room.slot == NO_SLOT)
    free(room.bytes);
  else
    atomic_flag_clear_explicit(&slots[room.slot].taken, memory_order_release);
}
