/*
 * gpu.h - the GPU, where there is one: its module, its memory, what is resident on it, searches there.
 *
 * The GPU proposes: it names every row that may be in an answer. The CPU disposes: it computes their
 * canonical distances. So answers are the same with and without a GPU, and every refusal or failure
 * here means no more than that the CPU answers alone. Nothing in this file is an error for a user.
 *
 * An image is a copy of one vector column on the device, in segments that come and go; what a row
 * of it is, its owner knows (gpu_table.c, gpu_index.c), who fills it. The cache of images is the
 * process's: budgeted, least recently used first, admitted on the second use.
 *
 * Threads: all functions may be called from every thread. None calls SQLite, but for what `poll`
 * does. After a fork the child has no GPU.
 */
#ifndef VS_GPU_H
#define VS_GPU_H

#include "../kernels/cuda/vsg.h"
#include "vs_base.h"

typedef enum vs_gpu_mode {
    VS_GPU_AUTO,  /* where it is faster */
    VS_GPU_OFF,   /* never */
    VS_GPU_PREFER /* wherever it can: also small tables, admitted on first use */
} vs_gpu_mode;

typedef enum vs_gpu_precision {
    VS_GPU_PRECISION_AUTO, /* f16 with the vectors beside it where that fits the budget, else f16, else int8 */
    VS_GPU_PRECISION_F16,
    VS_GPU_PRECISION_INT8,
    VS_GPU_PRECISION_F32, /* f16 and the vectors beside it, so that the device computes final sums */
    VS_GPU_PRECISION_COUNT
} vs_gpu_precision;
extern const char *const vs_gpu_precision_names[VS_GPU_PRECISION_COUNT]; /* "auto", "f16", ... */

/* Why the CPU answered. */
typedef enum vs_gpu_reason {
    VS_GPU_NONE,    /* it did not */
    VS_GPU_IS_OFF,  /* by setting or option */
    VS_GPU_ABSENT,  /* no module, driver or device */
    VS_GPU_SMALL,   /* fewer rows than gpu_min_rows */
    VS_GPU_SHAPE,   /* a metric, type, dimension or k that it does not take */
    VS_GPU_COST,    /* the CPU is as fast */
    VS_GPU_COLD,    /* not resident: not asked for often enough, or being filled */
    VS_GPU_BUDGET,  /* no room within the budget, or the card's memory is short */
    VS_GPU_STALE,   /* what is resident is of another state of the table */
    VS_GPU_TXN,     /* the transaction has written */
    VS_GPU_CROWDED, /* too many rows within the bounds */
    VS_GPU_BUSY,    /* searches of others are under way */
    VS_GPU_ERROR,   /* the device or its module failed */
    VS_GPU_REASON_COUNT
} vs_gpu_reason;
const char *vs_gpu_reason_name(vs_gpu_reason reason); /* "budget", ... Static */

/* ---- settings: of the process ---------------------------------------------------------------- */

#define VS_GPU_MIN_ROWS_DEFAULT 5000
#define VS_GPU_IDLE_S_DEFAULT 300
typedef struct vs_gpu_settings {
    int budget_mb; /* context included; 0: min(a quarter of the card's memory, 4,096) */
    int min_rows;
    int idle_s; /* everything is evicted after so many seconds without a search; 0: never */
    vs_gpu_precision precision; /* of images made from now on */
} vs_gpu_settings;
void vs_gpu_read_settings(vs_gpu_settings *out);
void vs_gpu_set_settings(const vs_gpu_settings *settings); /* a smaller budget evicts at once */

/* Do searches that say nothing else use the GPU wherever they can (VS_GPU_PREFER), or where it is
 * faster (VS_GPU_AUTO, at first)? Read by each search, so without a lock. */
int vs_gpu_prefers(void);
void vs_gpu_set_prefers(int prefers);

/* ---- what there is --------------------------------------------------------------------------- */

typedef enum vs_gpu_state {
    VS_GPU_UNKNOWN,   /* nobody has asked yet */
    VS_GPU_NO_MODULE, /* vecshard_cuda.so is not beside vecshard.so, or switched off */
    VS_GPU_NO_DEVICE, /* no driver, or no device */
    VS_GPU_READY,     /* probed; no context yet */
    VS_GPU_OPEN,      /* with a context */
    VS_GPU_DEAD,      /* a failure that lasts for the process */
    VS_GPU_FORKED     /* this is the child of a process that used it */
} vs_gpu_state;

typedef struct vs_gpu_info {
    vs_gpu_state state;
    vsg_info device;       /* from VS_GPU_READY on */
    uint64_t budget_bytes; /* context included; not below what the context and scratch take */
    uint64_t used_bytes;   /* context included; above the budget only while searches read what a
                              lower one has no room for */
    uint64_t context_bytes;
    uint64_t low_water_bytes;  /* with less free on the card, images are evicted */
    uint64_t images, segments; /* resident */
    uint64_t upload_bytes, searches, evictions;
    uint64_t fallbacks[VS_GPU_REASON_COUNT]; /* queries, by reason */
    int is_refused; /* it could not be opened for want of memory, and is not tried again yet */
    char why[160]; /* words for the state, or the last failure: "no module", "no driver", ... */
} vs_gpu_info;

/* Could there be a GPU? Probes when nobody has yet; costs next to nothing later. */
int vs_gpu_is_possible(void);

/* Probes when nobody has yet (see vsg_api.probe); never makes a context. */
void vs_gpu_read_info(vs_gpu_info *out);

/* ---- images ---------------------------------------------------------------------------------- */

typedef enum vs_gpu_kind {
    VS_GPU_TABLE, /* of an ordinary table: for one connection, under a tag */
    VS_GPU_INDEX  /* of a vecshard table: its owner knows the state of every part */
} vs_gpu_kind;

typedef struct vs_gpu_key {
    uint64_t file; /* vs_store.file_identity, or vs_conn.identity */
    uint8_t table[16];
    uint32_t column;
    uint32_t kind;
} vs_gpu_key; /* 32 bytes without padding */

#define VS_GPU_LABEL_BYTES 160 /* longer names are cut */

/* One wish to search. */
typedef struct vs_gpu_want {
    vs_gpu_key key;
    uint8_t
        tag[16]; /* VS_GPU_TABLE: of the state; an image of another tag is dropped. Else zeros */
    char label[VS_GPU_LABEL_BYTES]; /* "docs.embedding": for vec_gpu_cache */
    vsk_type type;
    size_t dim;
    vs_metric metric;
    double rows;      /* of the table, about */
    size_t unit_rows; /* a segment holds a multiple of it: a power of two; 0: any */
    size_t query_count, k;
    vs_gpu_mode mode;
} vs_gpu_want;

typedef struct vs_gpu_image vs_gpu_image; /* counted by references */

typedef enum vs_gpu_advice {
    VS_GPU_TAKE_CPU,  /* *out_image is NULL */
    VS_GPU_TAKE_FILL, /* the CPU answers, and the caller should fill the image meanwhile */
    VS_GPU_TAKE_GPU /* search the image; what of the table is not in it, the CPU scans, and may fill */
} vs_gpu_advice;

/*
 * What to do: settings, admission (the second want of the same key and tag within 60 s, or
 * VS_GPU_PREFER), cost (times measured so far; offload when the estimate is below the CPU's / 1.3),
 * what is resident. With an image the caller owns a reference (vs_gpu_image_unref). The reason is
 * set for VS_GPU_TAKE_CPU and VS_GPU_TAKE_FILL and counted. Opens the device when it is to be used:
 * that may take a second, once.
 */
vs_gpu_advice vs_gpu_advise(const vs_gpu_want *want, vs_gpu_image **out_image,
                            vs_gpu_reason *out_reason);

/* What speaks against a GPU before anybody looks at what is resident, or at the table's state; counts
 * nothing. VS_GPU_NONE: nothing does. vs_gpu_advise asks it, too. */
vs_gpu_reason vs_gpu_refusal(const vs_gpu_want *want);

/* The image, made where there is none, as for the command to load: no admission, no cost. NULL with
 * a reason where there can be none. precision: as asked for. */
vs_gpu_image *vs_gpu_image_make(const vs_gpu_want *want, vs_gpu_precision precision,
                                vs_gpu_reason *out_reason);
/* The image of this key (and tag), if there is one, with a reference; neither makes nor counts. */
vs_gpu_image *vs_gpu_image_find(const vs_gpu_want *want);
void vs_gpu_image_unref(vs_gpu_image *image); /* NULL is fine */

/* Lets go of an image: it is found no more, its memory is freed when nobody uses it. Returns how many
 * bytes. VS_GPU_TABLE: all images of the key's file and table, whatever `column` is. NULL:
 * everything. */
uint64_t vs_gpu_evict(const vs_gpu_key *key);
/* All images of kind VS_GPU_TABLE of this connection: when it closes. */
void vs_gpu_evict_file(uint64_t file, vs_gpu_kind kind);
/* Ends the thread that watches, and evicts: when the last connection of the process goes. */
void vs_gpu_stop(void);

/* What the owner keeps with an image, made once: freed with it. Set under the right to fill, read by
 * holders of a reference. */
void *vs_gpu_image_owned(vs_gpu_image *image);
void vs_gpu_image_own(vs_gpu_image *image, void *owned, void (*free_owned)(void *owned));

uint32_t vs_gpu_image_segment_rows(const vs_gpu_image *image); /* capacity of every segment */
uint32_t vs_gpu_image_segments(vs_gpu_image *image);           /* numbers in use: 0 .. n - 1 */
/* Is segment i on the device with its content? Rises with every change of what is resident: a
 * search names the version that its masks were made for. */
int vs_gpu_image_is_resident(vs_gpu_image *image, uint32_t segment);
uint64_t vs_gpu_image_version(vs_gpu_image *image);

/* ---- filling: one at a time for an image ------------------------------------------------------ */

typedef struct vs_gpu_fill vs_gpu_fill;

/* The right to fill, or NULL: somebody else has it, or there is no memory. */
vs_gpu_fill *vs_gpu_fill_begin(vs_gpu_image *image);
/*
 * Makes room for segment `segment` (at most one beyond the last), evicting others by least recent
 * use, never one that is in use or of this fill. 1: it is there, with no live rows if it is new. 0:
 * the budget or the card has no room. Segments of an image need not be filled in order.
 */
int vs_gpu_fill_segment(vs_gpu_fill *fill, uint32_t segment);
/* Copies rows ([rows][dim] as want.type, packed) to places first .. of the segment, on their way to the
 * device. 0: it failed; the rest of the fill does nothing. For a segment that is being searched: 0
 * as well, unless these places are not live; then nothing has happened, and the fill goes on. Where
 * one of the places is live, the segment is not resident until vs_gpu_fill_live. */
int vs_gpu_fill_rows(vs_gpu_fill *fill, uint32_t segment, uint32_t first, const void *rows,
                     uint32_t count);
/* Makes exactly these rows live: bits [segment_rows / 32]. From then on the segment is resident. */
int vs_gpu_fill_live(vs_gpu_fill *fill, uint32_t segment, const uint32_t *bits);
/* Ends it. Not is_good: what this fill has touched is dropped again. */
void vs_gpu_fill_end(vs_gpu_fill *fill, int is_good);
uint64_t vs_gpu_fill_bytes(const vs_gpu_fill *fill); /* of vectors sent so far */

/* ---- searching -------------------------------------------------------------------------------- */

typedef struct vs_gpu_query {
    vs_metric metric; /* VS_L2, VS_L2SQ, VS_DOT, VS_COSINE */
    const float
        *queries; /* [count][dim]: the values of the query in its own type, exact in float32 */
    size_t count, k;
    double distance_lo, distance_hi; /* in the metric's unit; infinities: no limit */
    const uint32_t *wanted;          /* [segments][segment_rows / 32]; NULL: all live rows */
    double wanted_rows;              /* about how many that are */
    uint64_t version;                /* of the image, that `wanted` was made for */
} vs_gpu_query;

typedef struct vs_gpu_search vs_gpu_search;

/* A row that may be in the answer of a query. */
typedef struct vs_gpu_hit {
    double lo; /* not above its canonical distance; the distance itself when is_exact */
    uint32_t segment, row;
    int is_exact;
} vs_gpu_hit;

/* Starts a search of all segments that are resident, which are in use until the end: of their rows
 * that are wanted and live now, whatever is filled meanwhile. NULL: a reason (STALE: the image has
 * another version by now; or BUSY, BUDGET, ERROR, SHAPE). */
vs_gpu_search *vs_gpu_search_begin(vs_gpu_image *image, const vs_gpu_query *query,
                                   vs_gpu_reason *out_reason);

/*
 * Waits for it, calling poll about every millisecond: when that is not SQLITE_OK, it is returned.
 * The deadline is 2 s and ten times the estimate, from the first waiting on; a device that misses it is dead. SQLITE_OK with
 * *out_reason VS_GPU_NONE: the answer is there; with another reason the CPU must answer.
 */
int vs_gpu_search_wait(vs_gpu_search *search, int (*poll)(void *arg), void *arg,
                       vs_gpu_reason *out_reason);
/* Hits of one query after waiting, by rising (lo, segment, row). Memory of the search. A query alone
 * may be crowded: *out_reason. */
const vs_gpu_hit *vs_gpu_search_hits(vs_gpu_search *search, size_t query, size_t *out_count,
                                     vs_gpu_reason *out_reason);
void vs_gpu_search_end(vs_gpu_search *search); /* NULL is fine; at any time */

/* What a search cost, for the next advice: whole microseconds of the CPU way, or of the GPU way with
 * all that the CPU finishes. */
void vs_gpu_note_time(const vs_gpu_want *want, int is_gpu, double us);
/* What EXPLAIN says: would an image of this want be searched now? Does not open, count or admit. */
int vs_gpu_is_likely(const vs_gpu_want *want);

/* Counts queries that fell back after an advice to use the GPU. */
void vs_gpu_count_fallback(vs_gpu_reason reason, size_t queries);

/* ---- the cache in rows, for vec_gpu_cache ----------------------------------------------------- */

typedef struct vs_gpu_cache_row {
    char label[VS_GPU_LABEL_BYTES];
    uint32_t segment;
    const char *precision; /* "f16", "int8", "f32". Static */
    uint64_t bytes, hits;
    double age_s; /* since its last use */
    const char
        *state; /* "resident", "in use", "filling", "waiting" (seen once, not admitted). Static */
} vs_gpu_cache_row;

/* At most `capacity` rows, from a snapshot; returns their number. capacity 0: how many there are. */
size_t vs_gpu_read_cache(vs_gpu_cache_row *rows, size_t capacity);

#endif
