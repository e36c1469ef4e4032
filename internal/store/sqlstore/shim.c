#include "shim.h"
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

typedef struct sqlite3_context sqlite3_context;
typedef struct sqlite3_value sqlite3_value;
typedef int64_t sqlite3_int64;
typedef uint64_t sqlite3_uint64;
typedef void (*hr_destructor)(void *);

#define SQLITE_OK 0
#define SQLITE_ROW 100
#define SQLITE_DONE 101
#define SQLITE_NULL 5
#define SQLITE_UTF8 1
#define SQLITE_DETERMINISTIC 0x000000800
#define SQLITE_DIRECTONLY 0x000080000
#define SQLITE_INNOCUOUS 0x000200000
#define SQLITE_PREPARE_PERSISTENT 0x01
#define SQLITE_STATIC ((hr_destructor)0)
#define SQLITE_TRANSIENT ((hr_destructor)-1)

extern int sqlite3_auto_extension(void (*)(void));
extern int sqlite3_create_function_v2(sqlite3 *, const char *, int, int, void *,
	void (*)(sqlite3_context *, int, sqlite3_value **), void (*)(sqlite3_context *, int, sqlite3_value **),
	void (*)(sqlite3_context *), hr_destructor);
extern int sqlite3_create_collation_v2(sqlite3 *, const char *, int, void *,
	int (*)(void *, int, const void *, int, const void *), hr_destructor);
extern sqlite3 *sqlite3_context_db_handle(sqlite3_context *);
extern void sqlite3_result_int64(sqlite3_context *, sqlite3_int64);
extern void sqlite3_result_text64(sqlite3_context *, const char *, sqlite3_uint64, hr_destructor, unsigned char);
extern void sqlite3_result_value(sqlite3_context *, sqlite3_value *);
extern void sqlite3_result_error_nomem(sqlite3_context *);
extern int sqlite3_value_type(sqlite3_value *);
extern const unsigned char *sqlite3_value_text(sqlite3_value *);
extern int sqlite3_value_bytes(sqlite3_value *);
extern void *sqlite3_malloc64(sqlite3_uint64);
extern void sqlite3_free(void *);
extern void sqlite3_interrupt(sqlite3 *);
extern int sqlite3_extended_errcode(sqlite3 *);
extern const char *sqlite3_errmsg(sqlite3 *);
extern int sqlite3_prepare_v3(sqlite3 *, const char *, int, unsigned int, sqlite3_stmt **, const char **);
extern int sqlite3_finalize(sqlite3_stmt *);
extern int sqlite3_reset(sqlite3_stmt *);
extern int sqlite3_step(sqlite3_stmt *);
extern int sqlite3_clear_bindings(sqlite3_stmt *);
extern int sqlite3_bind_null(sqlite3_stmt *, int);
extern int sqlite3_bind_text64(sqlite3_stmt *, int, const char *, sqlite3_uint64, hr_destructor, unsigned char);
extern int sqlite3_column_count(sqlite3_stmt *);
extern const unsigned char *sqlite3_column_text(sqlite3_stmt *, int);
extern int sqlite3_column_bytes(sqlite3_stmt *, int);
extern int sqlite3_changes(sqlite3 *);
extern sqlite3 *sqlite3_db_handle(sqlite3_stmt *);
extern void *sqlite3_wal_hook(sqlite3 *, int (*)(void *, sqlite3 *, const char *, int), void *);
extern int sqlite3_wal_checkpoint_v2(sqlite3 *, const char *, int, int *, int *);

static uint32_t *fold_from, *fold_to;
static int fold_pairs;

static uint32_t fold_rune(uint32_t r) {
	int lo = 0, hi = fold_pairs;
	while (lo < hi) {
		int mid = (lo + hi) / 2;
		if (fold_from[mid] < r) lo = mid + 1; else hi = mid;
	}
	return lo < fold_pairs && fold_from[lo] == r ? fold_to[lo] : r;
}

// Decodes one code point of valid UTF-8; anything else counts as one byte and comes back as 0.
static int decode(const unsigned char *s, int n, uint32_t *r) {
	int size = s[0] >= 0xF0 && s[0] < 0xF8 ? 4 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : 1;
	*r = 0;
	if (size == 1 || size > n) return 1;
	uint32_t v = s[0] & (0xFF >> (size + 1));
	for (int i = 1; i < size; i++) {
		if ((s[i] & 0xC0) != 0x80) return 1;
		v = v << 6 | (s[i] & 0x3F);
	}
	if ((size == 3 && (v < 0x800 || (v >= 0xD800 && v < 0xE000))) || (size == 4 && (v < 0x10000 || v > 0x10FFFF))) return 1;
	*r = v;
	return size;
}

static int encode(unsigned char *out, uint32_t r) {
	if (r < 0x80) { out[0] = r; return 1; }
	if (r < 0x800) { out[0] = 0xC0 | r >> 6; out[1] = 0x80 | (r & 0x3F); return 2; }
	if (r < 0x10000) { out[0] = 0xE0 | r >> 12; out[1] = 0x80 | (r >> 6 & 0x3F); out[2] = 0x80 | (r & 0x3F); return 3; }
	out[0] = 0xF0 | r >> 18; out[1] = 0x80 | (r >> 12 & 0x3F); out[2] = 0x80 | (r >> 6 & 0x3F); out[3] = 0x80 | (r & 0x3F);
	return 4;
}

static int fold_text(unsigned char *out, const unsigned char *s, int n) {
	int used = 0;
	for (int i = 0; i < n;) {
		unsigned char c = s[i];
		if (c < 0x80) {
			out[used++] = c >= 'A' && c <= 'Z' ? c + 32 : c;
			i++;
			continue;
		}
		uint32_t r;
		int size = decode(s + i, n - i, &r);
		if (r == 0) out[used++] = c; else used += encode(out + used, fold_rune(r));
		i += size;
	}
	return used;
}

static void sql_fold(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
	(void)argc;
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
	const unsigned char *s = sqlite3_value_text(argv[0]);
	int n = sqlite3_value_bytes(argv[0]), i = 0;
	while (i < n && s[i] < 0x80 && !(s[i] >= 'A' && s[i] <= 'Z')) i++;
	if (i == n) {
		sqlite3_result_value(ctx, argv[0]);
		return;
	}
	unsigned char small[256];
	// No lower case form is more than half as long again as its upper case: two bytes become at most three.
	sqlite3_uint64 cap = (sqlite3_uint64)n * 3 / 2 + 4;
	unsigned char *out = cap <= sizeof small ? small : sqlite3_malloc64(cap);
	if (out == 0) {
		sqlite3_result_error_nomem(ctx);
		return;
	}
	int used = fold_text(out, s, n);
	sqlite3_result_text64(ctx, (char *)out, used, out == small ? SQLITE_TRANSIENT : sqlite3_free, SQLITE_UTF8);
}

static void sql_handle(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
	(void)argc; (void)argv;
	sqlite3_result_int64(ctx, (sqlite3_int64)(intptr_t)sqlite3_context_db_handle(ctx));
}

static int whole_digits(const char *s, int n) {
	int i = 0;
	while (i < n && s[i] != '.') i++;
	return i;
}

// Compares two decimals in canonical text: no leading zeros, no trailing zeros behind the point.
static int compare_decimal(void *unused, int na, const void *pa, int nb, const void *pb) {
	(void)unused;
	const char *a = pa, *b = pb;
	int minus = na > 0 && a[0] == '-';
	if (minus != (nb > 0 && b[0] == '-')) return minus ? -1 : 1;
	a += minus; na -= minus; b += minus; nb -= minus;
	int wa = whole_digits(a, na), wb = whole_digits(b, nb), order;
	if (wa != wb) {
		order = wa - wb;
	} else {
		order = memcmp(a, b, na < nb ? na : nb);
		if (order == 0) order = na - nb;
	}
	return minus ? -order : order;
}

static int install(sqlite3 *db, char **message, const void *api) {
	(void)message; (void)api;
	int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
	int rc = sqlite3_create_function_v2(db, "hr_fold", 1, flags, 0, sql_fold, 0, 0, 0);
	if (rc == SQLITE_OK)
		rc = sqlite3_create_function_v2(db, "hr_handle", 0, SQLITE_UTF8 | SQLITE_DIRECTONLY, 0, sql_handle, 0, 0, 0);
	if (rc == SQLITE_OK) rc = sqlite3_create_collation_v2(db, "hr_decimal", SQLITE_UTF8, 0, compare_decimal, 0);
	return rc;
}

int hr_install(const uint32_t *from, const uint32_t *to, int n) {
#ifdef __GLIBC__
	// A Go process calls SQLite from many threads in turn. With an arena a thread, glibc would keep what one thread gave
	// back from the next.
	mallopt(M_ARENA_MAX, 1);
#endif
	size_t size = (size_t)n * sizeof(uint32_t);
	fold_from = malloc(size);
	fold_to = malloc(size);
	if (fold_from == 0 || fold_to == 0) return 7; // SQLITE_NOMEM
	memcpy(fold_from, from, size);
	memcpy(fold_to, to, size);
	fold_pairs = n;
	return sqlite3_auto_extension((void (*)(void))install);
}

sqlite3 *hr_db(int64_t handle) { return (sqlite3 *)(intptr_t)handle; }
void hr_interrupt(sqlite3 *db) { sqlite3_interrupt(db); }
int hr_changes(sqlite3 *db) { return sqlite3_changes(db); }
void hr_finalize(sqlite3_stmt *stmt) { sqlite3_finalize(stmt); }

int hr_error(sqlite3 *db, char *buf, int cap, int *used) {
	const char *message = sqlite3_errmsg(db);
	int n = (int)strlen(message);
	*used = n < cap ? n : cap;
	memcpy(buf, message, *used);
	return sqlite3_extended_errcode(db);
}

int hr_prepare(sqlite3 *db, const char *sql, int n, sqlite3_stmt **out, int *columns) {
	int rc = sqlite3_prepare_v3(db, sql, n, SQLITE_PREPARE_PERSISTENT, out, 0);
	if (rc == SQLITE_OK) *columns = sqlite3_column_count(*out);
	return rc;
}

void hr_reset(sqlite3_stmt *stmt) {
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
}

static int bind_row(sqlite3_stmt *stmt, const char **text, const int32_t *lens, int first, int n, hr_destructor keep) {
	for (int i = 0; i < n; i++) {
		int rc;
		if (lens[i] < 0) {
			rc = sqlite3_bind_null(stmt, first + i);
		} else {
			rc = sqlite3_bind_text64(stmt, first + i, *text, lens[i], keep, SQLITE_UTF8);
			*text += lens[i];
		}
		if (rc != SQLITE_OK) return rc;
	}
	return SQLITE_OK;
}

int hr_bind(sqlite3_stmt *stmt, const char *text, const int32_t *lens, int first, int n) {
	return bind_row(stmt, &text, lens, first, n, SQLITE_TRANSIENT);
}

int hr_run(sqlite3_stmt *stmt, const char *text, const int32_t *lens, int first, int width, int rows, uint8_t *changed, int *done) {
	sqlite3 *db = sqlite3_db_handle(stmt);
	int rc = SQLITE_OK;
	for (*done = 0; *done < rows; (*done)++) {
		rc = bind_row(stmt, &text, lens, first, width, SQLITE_STATIC);
		if (rc != SQLITE_OK) return rc;
		lens += width;
		rc = sqlite3_step(stmt);
		if (changed != 0) changed[*done] = rc == SQLITE_DONE && sqlite3_changes(db) > 0;
		if (rc != SQLITE_DONE && rc != SQLITE_ROW) return rc;
		rc = sqlite3_reset(stmt);
		if (rc != SQLITE_OK) return rc;
	}
	for (int i = 0; i < width; i++) sqlite3_bind_null(stmt, first + i); // the texts are Go's again
	return rc;
}

int hr_fetch(sqlite3_stmt *stmt, int columns, int held, char *text, int cap, int32_t *lens, int maxrows, int *rows, int *need) {
	int used = 0;
	*need = 0;
	for (*rows = 0; *rows < maxrows; (*rows)++) {
		int rc = held ? SQLITE_ROW : sqlite3_step(stmt);
		held = 0;
		if (rc != SQLITE_ROW) return rc;
		int size = 0;
		for (int i = 0; i < columns; i++) {
			const unsigned char *v = sqlite3_column_text(stmt, i);
			lens[i] = v == 0 ? -1 : sqlite3_column_bytes(stmt, i);
			if (v != 0) size += lens[i];
		}
		if (size > cap - used) {
			*need = size;
			return SQLITE_ROW;
		}
		for (int i = 0; i < columns; i++) {
			if (lens[i] <= 0) continue;
			memcpy(text + used, sqlite3_column_text(stmt, i), lens[i]);
			used += lens[i];
		}
		lens += columns;
	}
	return SQLITE_ROW;
}

struct hr_log {
	int pages; // first: its address is that of the struct
	int most;
};

static int hr_logged(void *at, sqlite3 *db, const char *name, int pages) {
	struct hr_log *log = at;
	log->pages = pages;
	if (pages >= log->most)
		sqlite3_wal_checkpoint_v2(db, name, 0, 0, 0); // passive; as SQLite's own, what it cannot do is done another time
	return SQLITE_OK;
}

int *hr_watch_log(sqlite3 *db, int most) {
	struct hr_log *log = calloc(1, sizeof *log);
	if (log == 0)
		return 0;
	log->most = most;
	sqlite3_wal_hook(db, hr_logged, log);
	return &log->pages;
}

void hr_unwatch_log(int *pages) { free(pages); }
