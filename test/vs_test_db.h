/*
 * vs_test_db.h - one connection for the tests of a program: setup and teardown of a cmocka group.
 */
#ifndef VS_TEST_DB_H
#define VS_TEST_DB_H

#include "vs_test.h"

static sqlite3 *db;

static inline int open_db(void **state)
{
    (void)state;
    db = vs_test_open();
    return 0;
}

static inline int close_db(void **state)
{
    (void)state;
    vs_test_close(db);
    return 0;
}

#endif
