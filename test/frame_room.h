/*
 * frame_room.h - room for one block, `raw`, for the tests of a program: setup and teardown of a
 * cmocka group of tests of frames.
 */
#ifndef FRAME_ROOM_H
#define FRAME_ROOM_H

#include "frame_fixture.h"

enum { RAW_MAX = 4 << 20 };

static unsigned char *raw; /* [RAW_MAX + 1] */

static inline int open_room(void **state)
{
    (void)state;
    (void)vsk_init(NULL);
    raw = malloc(RAW_MAX + 1);
    return raw == NULL;
}

static inline int close_room(void **state)
{
    (void)state;
    free(raw);
    return 0;
}

#endif
