/*
 * dict.h - zstd dictionaries in the form that zstd works with, shared by the whole process.
 *
 * To digest a dictionary takes 50 to 500 us, so digested ones are kept, at most
 * VS_DICT_CACHE_BYTES_MAX of them by last use. They are found by their content: two databases that
 * use one id for different dictionaries never meet.
 */
#ifndef VS_DICT_H
#define VS_DICT_H

#include "cache.h"
#include "error.h"

/* Ids below and above are reserved by zstd's format. */
#define VS_DICT_ID_MIN 32768u
#define VS_DICT_ID_MAX 0x7fffffffu
#define VS_DICT_BYTES_MIN 256u
#define VS_DICT_BYTES_MAX (1u << 20)
#define VS_DICT_CACHE_BYTES_MAX (8u << 20)

#define VS_DICT_DECODE 0 /* in place of a level */
#define VS_DICT_LEVEL 3  /* what vec_pack_text compresses with */

/* A digested dictionary; immutable. Released by vs_cached_unref. */
typedef struct vs_dict {
    vs_cached cached;
    uint32_t id;
    uint32_t crc;                       /* CRC-32C of the bytes */
    int level;                          /* VS_DICT_DECODE, or that of the encoder */
    size_t n;                           /* of the bytes */
    const unsigned char *bytes;         /* within the object, as the tables are */
    const struct ZSTD_CDict_s *encoder; /* NULL in a decoder's dictionary */
    const struct ZSTD_DDict_s *decoder; /* NULL in an encoder's */
} vs_dict;

/*
 * The id within a dictionary's header, 0 where the bytes are none; and the way to change it. n at
 * least 8 for the latter.
 */
uint32_t vs_dict_id(const void *bytes, size_t n);
void vs_dict_set_id(void *bytes, size_t n, uint32_t id);

/*
 * The digested form of the dictionary in `bytes`, from the cache or made now.
 *
 *   who    begins messages
 *   id     what the dictionary's own header must say
 *   crc    what the bytes must add up to
 *   level  VS_DICT_DECODE, or a level of zstd
 *   *out   one reference, the caller's; NULL on failure
 *
 * Bytes may be anything. Returns SQLITE_OK, SQLITE_NOMEM, or SQLITE_CORRUPT_VTAB with a sentence
 * when they are no whole dictionary with that id and checksum. Any thread.
 */
int vs_dict_get(const char *who, const void *bytes, size_t n, uint32_t id, uint32_t crc, int level,
                vs_dict **out, vs_err *err);

void vs_dict_cache_clear(void);       /* those in use live until they are released */
size_t vs_dict_cache_bytes(void);     /* held now */
unsigned vs_dict_cache_digests(void); /* made since the process began */

#endif
