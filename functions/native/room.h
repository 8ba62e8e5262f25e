/* Memory that a call borrows and a later call finds again, already paged in. */
#ifndef REMOE_ROOM_H
#define REMOE_ROOM_H

#include <stdint.h>

struct room {
  uint8_t *bytes; /* aligned to 64; NULL where there is no memory */
  int64_t size;
  int32_t slot;
};

struct room room_take(int64_t size);
void room_leave(struct room room);

#endif
