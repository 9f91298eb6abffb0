/*
 * test_vs_api.c - what calls of newer SQLite versions are for holds on every version.
 */
#include "../search_fixture.h"

/*
 * A statement over vec_search holds a read transaction on the attached database that its table lies
 * in, so that a stream sees one snapshot: from 3.41 on because it asks for that, before because the
 * transaction of its first batch lasts as long as the statement.
 */
static void a_stream_holds_the_snapshot_of_an_attached_database(void **state)
{
    sqlite3 *db = vs_test_open();
    sqlite3_stmt *stmt = NULL;
    (void)state;
    vs_test_run(db, "ATTACH ':memory:' AS aux; CREATE TABLE aux.t(v); INSERT INTO aux.t VALUES "
                    "('[1,2]'), ('[3,4]')");
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT id FROM vec_search('aux.t', 'v', '[1,2]')", -1, &stmt, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_txn_state(db, "aux"), SQLITE_TXN_READ);
    sqlite3_finalize(stmt);
    assert_int_equal(sqlite3_txn_state(db, "aux"), SQLITE_TXN_NONE);
    vs_test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_holds_the_snapshot_of_an_attached_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
