// The few calls that Headrace makes into SQLite itself, beside the Go driver that carries the library: whole blocks of
// rows bound, stepped and fetched in one crossing from Go, and the functions that both stores have in common.
#ifndef HR_SHIM_H
#define HR_SHIM_H

#include <stdint.h>

typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;

// Installs hr_fold, hr_handle and the collation hr_decimal on every connection opened from now on. The pairs map code
// points to their lower case, sorted; they are copied.
int hr_install(const uint32_t *from, const uint32_t *to, int n);

sqlite3 *hr_db(int64_t handle);
void hr_interrupt(sqlite3 *db);
int hr_error(sqlite3 *db, char *buf, int cap, int *used);
int hr_prepare(sqlite3 *db, const char *sql, int n, sqlite3_stmt **out, int *columns);
void hr_finalize(sqlite3_stmt *stmt);
void hr_reset(sqlite3_stmt *stmt);

// Binds args from text, their lengths in lens; a negative length is null.
int hr_bind(sqlite3_stmt *stmt, const char *text, const int32_t *lens, int first, int n);
// Runs the statement once for each of rows, binding width parameters from first on each time; changed, when given,
// receives for each row whether it changed anything. Stops at the first failure; done
// tells how many succeeded, and the statement must be reset before anything else: the texts bound are the caller's.
int hr_run(sqlite3_stmt *stmt, const char *text, const int32_t *lens, int first, int width, int rows, uint8_t *changed, int *done);
// Steps up to maxrows rows into text and lens. When a row does not fit, need says how many bytes it wants; calling again
// with held = 1 delivers that row first.
int hr_fetch(sqlite3_stmt *stmt, int columns, int held, char *text, int cap, int32_t *lens, int maxrows, int *rows, int *need);
// Changes made by the last statement.
int hr_changes(sqlite3 *db);

// Keeps the number of pages that the write-ahead log has in pages after each commit of the connection, and writes the log
// back at most, in the place of SQLite's own limit. The memory is freed by hr_unwatch_log, after the connection is closed.
int *hr_watch_log(sqlite3 *db, int most);
void hr_unwatch_log(int *pages);

#endif
