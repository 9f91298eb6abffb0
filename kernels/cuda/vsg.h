/*
 * vsg.h - what vecshard asks of its GPU module, vecshard_cuda.so.
 *
 * The module is opened at run time (ext/gpu.c). It exports one function, VSG_ENTRY, which gives a
 * table of functions. The device holds a reduced copy of vectors with an error term for each row; a
 * search gives every row that may be among the k nearest, with a lower bound on its distance, or the
 * canonical sums of these rows where the vectors themselves are on the device, too. The caller
 * finishes: what a user sees does not depend on the device.
 *
 * Nothing of CUDA is in this file, and the module knows nothing of SQLite.
 *
 * Threads: every function may be called from any thread, but for one device only by one thread at a
 * time, except that search_wait may run beside the others. Calls never block for long but for
 * search_wait, which takes a time. After a fork the child must not call anything.
 */
#ifndef VSG_H
#define VSG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VSG_ABI 1 /* changes with every change of this file that old callers would not survive */
#define VSG_ENTRY "vecshard_cuda_v1"

#define VSG_DIM_MAX 8192     /* elements of a vector */
#define VSG_K_MAX 4096       /* rows asked for */
#define VSG_TILE_ROWS 128    /* rows of a segment are a multiple of it */
#define VSG_QUERIES_MAX 4096 /* of one search */
#define VSG_NAME_BYTES 96

typedef enum vsg_rc {
    VSG_OK,
    VSG_PENDING,     /* not finished within the time */
    VSG_ABSENT,      /* no driver or no device: for the life of the process */
    VSG_NO_MEMORY,   /* of the device, or pinned; nothing has changed */
    VSG_UNSUPPORTED, /* a shape or value beyond the limits above */
    VSG_BUSY,        /* all searches that can be under way at once are */
    VSG_DEAD         /* the context is lost: no further call but device_close helps */
} vsg_rc;

/* What a device is, found without making a context. */
typedef struct vsg_info {
    char name[VSG_NAME_BYTES]; /* "NVIDIA H200" */
    int major, minor;          /* compute capability; 0: not known yet */
    uint64_t total_bytes, free_bytes;
    uint32_t driver; /* as CUDA counts: 13000; 0: not known */
} vsg_info;

typedef struct vsg_memory {
    uint64_t total_bytes, free_bytes; /* of the card, other users included */
    uint64_t context_bytes;           /* that making the context took */
    uint64_t used_bytes;              /* by this device's segments and scratch, context excluded */
} vsg_memory;

typedef struct vsg_limits {
    uint64_t budget_bytes;  /* most that context, scratch and segments may take: a hard stop */
    uint64_t scratch_bytes; /* for searches; 0: the module's choice */
    uint64_t room_bytes;    /* that the card must have free, or nothing is opened */
} vsg_limits;

typedef enum vsg_format {
    VSG_F16, /* 2 bytes an element, each row scaled by a power of two */
    VSG_I8   /* 1 byte, rotated first, each row with its own step */
} vsg_format;

/* Element types of rows as they are given: the numbers of vsk_type. */
typedef enum vsg_type { VSG_TYPE_F32, VSG_TYPE_F16, VSG_TYPE_BF16, VSG_TYPE_I8 } vsg_type;

/* The distances that a search knows; the caller takes roots. */
typedef enum vsg_metric { VSG_L2SQ, VSG_DOT, VSG_COSINE } vsg_metric;

/* What the rows of a segment are. All segments of a search have the same shape. */
typedef struct vsg_shape {
    uint32_t dim;
    vsg_type type;
    vsg_format format;
    int keeps_vectors; /* the rows as they were given stay on the device, beside the format */
    uint32_t rows;     /* capacity: a multiple of VSG_TILE_ROWS, at most 2^24 */
} vsg_shape;

typedef struct vsg_device vsg_device;   /* an open device */
typedef struct vsg_segment vsg_segment; /* rows on it */
typedef struct vsg_ticket vsg_ticket;   /* a search under way */

typedef struct vsg_search {
    vsg_segment *const
        *segments; /* [segment_count], of one shape; they stay until the ticket ends */
    uint32_t segment_count;
    vsg_metric metric;
    const float
        *queries; /* [query_count][dim], finite, exactly the values that are meant; copied */
    uint32_t query_count; /* 1 .. VSG_QUERIES_MAX */
    uint32_t k;           /* 1 .. VSG_K_MAX */
    double limit;         /* rows at a larger distance are not wanted; +infinity: no limit */
    double floor;         /* rows at a smaller one are not; one at `floor` does not count for k */
    const uint32_t
        *wanted;          /* [segment_count][shape.rows / 32] bits of rows; NULL: all that are live;
                               copied */
    uint64_t wanted_rows; /* how many rows that leaves, about */
} vsg_search;

typedef enum vsg_query_state {
    VSG_ANSWERED,
    VSG_CROWDED, /* more rows than there is room for are within the bounds of this query */
    VSG_UNBOUND  /* its values are beyond what bounds hold for */
} vsg_query_state;

/*
 * Of query q, rows entries[first[q]] .. entries[first[q] + count[q] - 1], in no order: every row
 * that is live, wanted, not beyond limit and floor, and whose canonical distance may be among the k
 * smallest of such rows, and perhaps some others. Memory of the ticket.
 */
typedef struct vsg_answer {
    const uint8_t *states; /* [query_count] vsg_query_state */
    const uint32_t *first; /* [query_count] */
    const uint32_t *count; /* [query_count]; 0 unless VSG_ANSWERED */
    const uint32_t *rows;  /* segment number * shape.rows + row in it */
    const double *lows;    /* not above the distance; -infinity where nothing is known */
    /* NULL without keeps_vectors: */
    const double *sums; /* canonical (kernels/vsk.h): l2sq for VSG_L2SQ, else the dot product */
    const double *row_sumsqs; /* canonical sum of the row's squares */
    double device_us;         /* that the device worked, as far as it can tell; 0: unknown */
} vsg_answer;

typedef struct vsg_api {
    uint32_t abi;   /* VSG_ABI */
    uint32_t bytes; /* sizeof(vsg_api) */

    /* The device `index`, without a context. VSG_ABSENT: there is none. At most 10 ms without a
     * driver, some more with one; seconds where nobody else uses the card and no persistence daemon
     * keeps it ready, since then the driver makes it ready for the moment of the question. */
    int (*probe)(int index, vsg_info *out);

    /* Makes a context, the private memory pool, scratch and pinned buffers. On failure *out is NULL
     * and nothing is held that can be given back. */
    int (*device_open)(int index, const vsg_limits *limits, vsg_device **out);
    /* Frees everything that can be freed; of a dead device, its host memory alone. No searches or
     * segments may be left, but for a dead device. */
    void (*device_close)(vsg_device *device);
    int (*device_info)(vsg_device *device, vsg_info *out);
    int (*device_memory)(vsg_device *device, vsg_memory *out);
    int (*device_limit)(vsg_device *device, uint64_t budget_bytes); /* changes the budget */
    int (*device_trim)(vsg_device *device); /* gives freed memory back to the card */
    double (*device_speed)(
        vsg_device *device); /* bytes a microsecond that it reads, measured at opening */
    const char *(*last_error)(
        vsg_device *device); /* words of the last failure; NULL device: of probe
                                                      or device_open. Never NULL */

    /* Bytes of device memory that a segment takes; 0: VSG_UNSUPPORTED. */
    uint64_t (*segment_bytes)(const vsg_shape *shape);
    /* A segment without live rows. */
    int (*segment_new)(vsg_device *device, const vsg_shape *shape, vsg_segment **out);
    void (*segment_free)(vsg_device *device, vsg_segment *segment);

    /*
     * Uploading. stage gives a pinned buffer to fill, one of several in turn, waiting until its last
     * contents are on the device; upload sends the first `rows` rows in it ([rows][dim] of
     * shape.type, packed) to places first .. first + rows - 1 of the segment and converts them
     * there, while the next buffer is filled. Rows that are not finite, or too large or small for
     * bounds, are kept with no bound: they are in every answer. live makes exactly these rows live:
     * bits [shape.rows / 32]. Both are in order with searches that begin later.
     */
    int (*stage)(vsg_device *device, void **out, size_t *out_bytes);
    int (*upload)(vsg_device *device, vsg_segment *segment, uint32_t first, uint32_t rows);
    int (*live)(vsg_device *device, vsg_segment *segment, const uint32_t *bits);

    /* Starts a search. On success the ticket is the caller's: search_end. */
    int (*search_begin)(vsg_device *device, const vsg_search *search, vsg_ticket **out);
    /* Waits at most `us` microseconds (0: looks). VSG_OK: *out is filled. */
    int (*search_wait)(vsg_device *device, vsg_ticket *ticket, int64_t us, vsg_answer *out);
    /* Ends a search, also one that is under way: its memory is used again when the device is done.
     * The segments must stay until search_is_idle(ticket's device). */
    void (*search_end)(vsg_device *device, vsg_ticket *ticket);
    /* 1: no search that was ended early still runs. */
    int (*search_is_idle)(vsg_device *device);
} vsg_api;

/* What the host gives; memory and messages are the module's own so far. */
typedef struct vsg_host {
    uint32_t abi;   /* VSG_ABI */
    uint32_t bytes; /* sizeof(vsg_host) */
} vsg_host;

/* The exported function: NULL when the host speaks another ABI. Does not touch the driver. */
typedef const vsg_api *vsg_entry_fn(const vsg_host *host);

#ifdef __cplusplus
}
#endif

#endif
