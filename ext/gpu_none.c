/*
 * gpu_none.c - where no module can be opened: every answer is "no module".
 *
 * Calls: nothing.
 * Called by: whoever calls gpu.h.
 * Threads: all.
 */
#include "gpu_impl.h"

#if !defined(VS_GPU_POSIX)

static vs_gpu_settings gpu_none_settings = {0, VS_GPU_MIN_ROWS_DEFAULT, VS_GPU_IDLE_S_DEFAULT,
                                            VS_GPU_PRECISION_AUTO};
static atomic_int gpu_none_prefers;

void vs_gpu_read_settings(vs_gpu_settings *out)
{
    *out = gpu_none_settings;
}

void vs_gpu_set_settings(const vs_gpu_settings *settings)
{
    gpu_none_settings = *settings;
}

int vs_gpu_prefers(void)
{
    return atomic_load(&gpu_none_prefers);
}

void vs_gpu_set_prefers(int prefers)
{
    atomic_store(&gpu_none_prefers, prefers);
}

int vs_gpu_is_possible(void)
{
    return 0;
}

void vs_gpu_read_info(vs_gpu_info *out)
{
    memset(out, 0, sizeof *out);
    out->state = VS_GPU_NO_MODULE;
    memcpy(out->why, "no module", sizeof "no module");
}

vs_gpu_advice vs_gpu_advise(const vs_gpu_want *want, vs_gpu_image **out_image,
                            vs_gpu_reason *out_reason)
{
    *out_image = NULL;
    *out_reason = want->mode == VS_GPU_OFF ? VS_GPU_IS_OFF : VS_GPU_ABSENT;
    return VS_GPU_TAKE_CPU;
}

vs_gpu_reason vs_gpu_refusal(const vs_gpu_want *want)
{
    return want->mode == VS_GPU_OFF ? VS_GPU_IS_OFF : VS_GPU_ABSENT;
}

vs_gpu_image *vs_gpu_image_make(const vs_gpu_want *want, vs_gpu_precision precision,
                                vs_gpu_reason *out_reason)
{
    (void)want;
    (void)precision;
    *out_reason = VS_GPU_ABSENT;
    return NULL;
}

vs_gpu_image *vs_gpu_image_find(const vs_gpu_want *want)
{
    (void)want;
    return NULL;
}

void vs_gpu_image_unref(vs_gpu_image *image)
{
    (void)image;
}

uint64_t vs_gpu_evict(const vs_gpu_key *key)
{
    (void)key;
    return 0;
}

void vs_gpu_evict_file(uint64_t file, vs_gpu_kind kind)
{
    (void)file;
    (void)kind;
}

void vs_gpu_stop(void)
{
}

void *vs_gpu_image_owned(vs_gpu_image *image)
{
    (void)image;
    return NULL;
}

void vs_gpu_image_own(vs_gpu_image *image, void *owned, void (*free_owned)(void *owned))
{
    (void)image;
    (void)owned;
    (void)free_owned;
}

uint32_t vs_gpu_image_segment_rows(const vs_gpu_image *image)
{
    (void)image;
    return VSG_TILE_ROWS;
}

uint32_t vs_gpu_image_segments(vs_gpu_image *image)
{
    (void)image;
    return 0;
}

int vs_gpu_image_is_resident(vs_gpu_image *image, uint32_t segment)
{
    (void)image;
    (void)segment;
    return 0;
}

uint64_t vs_gpu_image_version(vs_gpu_image *image)
{
    (void)image;
    return 0;
}

vs_gpu_fill *vs_gpu_fill_begin(vs_gpu_image *image)
{
    (void)image;
    return NULL;
}

int vs_gpu_fill_segment(vs_gpu_fill *fill, uint32_t segment)
{
    (void)fill;
    (void)segment;
    return 0;
}

int vs_gpu_fill_rows(vs_gpu_fill *fill, uint32_t segment, uint32_t first, const void *rows,
                     uint32_t count)
{
    (void)fill;
    (void)segment;
    (void)first;
    (void)rows;
    (void)count;
    return 0;
}

int vs_gpu_fill_live(vs_gpu_fill *fill, uint32_t segment, const uint32_t *bits)
{
    (void)fill;
    (void)segment;
    (void)bits;
    return 0;
}

void vs_gpu_fill_end(vs_gpu_fill *fill, int is_good)
{
    (void)fill;
    (void)is_good;
}

uint64_t vs_gpu_fill_bytes(const vs_gpu_fill *fill)
{
    (void)fill;
    return 0;
}

vs_gpu_search *vs_gpu_search_begin(vs_gpu_image *image, const vs_gpu_query *query,
                                   vs_gpu_reason *out_reason)
{
    (void)image;
    (void)query;
    *out_reason = VS_GPU_ABSENT;
    return NULL;
}

int vs_gpu_search_wait(vs_gpu_search *search, int (*poll)(void *arg), void *arg,
                       vs_gpu_reason *out_reason)
{
    (void)search;
    (void)poll;
    (void)arg;
    *out_reason = VS_GPU_ABSENT;
    return SQLITE_OK;
}

const vs_gpu_hit *vs_gpu_search_hits(vs_gpu_search *search, size_t query, size_t *out_count,
                                     vs_gpu_reason *out_reason)
{
    (void)search;
    (void)query;
    *out_count = 0;
    *out_reason = VS_GPU_ABSENT;
    return NULL;
}

void vs_gpu_search_end(vs_gpu_search *search)
{
    (void)search;
}

void vs_gpu_note_time(const vs_gpu_want *want, int is_gpu, double us)
{
    (void)want;
    (void)is_gpu;
    (void)us;
}

int vs_gpu_is_likely(const vs_gpu_want *want)
{
    (void)want;
    return 0;
}

void vs_gpu_count_fallback(vs_gpu_reason reason, size_t queries)
{
    (void)reason;
    (void)queries;
}

size_t vs_gpu_read_cache(vs_gpu_cache_row *rows, size_t capacity)
{
    (void)rows;
    (void)capacity;
    return 0;
}

#endif
