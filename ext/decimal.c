/*
 * decimal.c - decimal text to float32 and back, without locale and without libc's number functions.
 *
 * Reading: the first 19 digits and a power of ten give a double with an error below two units in
 * its last place. Its nearest float32 is the answer unless the double lies that close to the
 * midpoint of two float32s; then the text is compared with the midpoint exactly, in integers of
 * fixed size. A midpoint has at most 113 significant digits, so of a longer text only the first 120
 * digits count, and whether anything but zeros follows.
 *
 * Writing: digits by double arithmetic where the rounding is certain, in the same integers where it
 * is not.
 *
 * Owns: nothing.
 * Calls: nothing.
 * Called by: vectext.c.
 * Threads: any.
 * Source: the window test follows D. Lemire, Number Parsing at a Gigabyte per Second (2021); the
 *     comparison with the midpoint W. D. Clinger, How to Read Floating Point Numbers Accurately
 *     (1990).
 */
#include "decimal.h"

#include "bytes.h"

/* ---- Integers of fixed size ------------------------------------------------------------------ */

/* The largest one here is below 25 bits * 10^166 * 2^104, that is, 2^681. */
#define DECIMAL_LIMBS 24
#define DECIMAL_DIGITS_MAX 120

typedef struct decimal_big {
    uint32_t limb[DECIMAL_LIMBS]; /* least significant first; those from count on are unset */
    int count;                    /* without leading zero limbs: 0 for the number 0 */
} decimal_big;

static void decimal_big_set(decimal_big *big, uint64_t value)
{
    big->count = 0;
    for (; value != 0; value >>= 32) {
        big->limb[big->count++] = (uint32_t)value;
    }
}

/* big = big * factor + term */
static void decimal_big_mul(decimal_big *big, uint32_t factor, uint32_t term)
{
    uint64_t carry = term;
    for (int i = 0; i < big->count; i++) {
        carry += (uint64_t)big->limb[i] * factor;
        big->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry != 0) {
        assert(big->count < DECIMAL_LIMBS);
        big->limb[big->count++] = (uint32_t)carry;
    }
}

static void decimal_big_mul_pow10(decimal_big *big, int exponent)
{
    for (; exponent >= 9; exponent -= 9) {
        decimal_big_mul(big, 1000000000u, 0);
    }
    for (; exponent > 0; exponent--) {
        decimal_big_mul(big, 10u, 0);
    }
}

static void decimal_big_mul_pow2(decimal_big *big, int exponent)
{
    for (; exponent >= 31; exponent -= 31) {
        decimal_big_mul(big, 1u << 31, 0);
    }
    decimal_big_mul(big, 1u << exponent, 0);
}

/* big = big / divisor; returns the remainder */
static uint32_t decimal_big_div(decimal_big *big, uint32_t divisor)
{
    uint64_t rest = 0;
    for (int i = big->count - 1; i >= 0; i--) {
        rest = rest << 32 | big->limb[i];
        big->limb[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    while (big->count > 0 && big->limb[big->count - 1] == 0) {
        big->count--;
    }
    return (uint32_t)rest;
}

static int decimal_big_compare(const decimal_big *a, const decimal_big *b)
{
    if (a->count != b->count) {
        return a->count < b->count ? -1 : 1;
    }
    for (int i = a->count - 1; i >= 0; i--) {
        if (a->limb[i] != b->limb[i]) {
            return a->limb[i] < b->limb[i] ? -1 : 1;
        }
    }
    return 0;
}

/* ---- float32 as an integer times a power of two ---------------------------------------------- */

#define DECIMAL_INFINITY_BITS 0x7f800000u
#define DECIMAL_SIGN_BIT 0x80000000u

static uint32_t decimal_bits(float value)
{
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float decimal_float(uint32_t bits)
{
    float value = 0.0f;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A positive finite float32 is *out_mantissa * 2^(returned value), exactly. */
static int decimal_split(uint32_t bits, uint32_t *out_mantissa)
{
    uint32_t field = bits >> 23, fraction = bits & 0x7fffffu;
    *out_mantissa = field == 0 ? fraction : fraction | 0x800000u;
    return field == 0 ? -149 : (int)field - 150;
}

#define DECIMAL_POW10_MAX 22 /* the powers of ten that a double holds exactly */
static const double decimal_pow10[DECIMAL_POW10_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* value * 10^exponent, with one rounding while |exponent| <= 22 and a few more beyond. */
static double decimal_scale(double value, int exponent)
{
    for (; exponent > DECIMAL_POW10_MAX; exponent -= DECIMAL_POW10_MAX) {
        value *= decimal_pow10[DECIMAL_POW10_MAX];
    }
    for (; exponent < -DECIMAL_POW10_MAX; exponent += DECIMAL_POW10_MAX) {
        value /= decimal_pow10[DECIMAL_POW10_MAX];
    }
    return exponent < 0 ? value / decimal_pow10[-exponent] : value * decimal_pow10[exponent];
}

/* ---- Reading --------------------------------------------------------------------------------- */

#define DECIMAL_FAST_DIGITS 19 /* as many as always fit in 64 bits */

typedef struct decimal_number {
    const char *mantissa, *mantissa_end; /* digits, one of them may be the decimal point */
    int64_t exponent;                    /* of ten, belongs to the last digit of the mantissa */
    uint64_t head;                       /* the first significant digits: all, or 19 of them */
    int64_t head_exponent;               /* of ten, belongs to the last digit of the head */
    int is_negative;
} decimal_number;

static int decimal_is_digit(char c)
{
    return (unsigned)(c - '0') < 10u;
}

/* Recounts a mantissa of more than 19 digits: the head is its first 19 significant ones. */
static void decimal_shorten_head(decimal_number *number)
{
    int64_t rest = 0; /* digits after the head */
    int count = 0;
    number->head = 0;
    for (const char *p = number->mantissa; p < number->mantissa_end; p++) {
        if (*p == '.') {
            continue;
        }
        if (count == DECIMAL_FAST_DIGITS) {
            rest++;
            continue;
        }
        number->head = number->head * 10 + (uint64_t)(*p - '0');
        count += number->head != 0;
    }
    number->head_exponent = number->exponent + rest;
}

/*
 * Reads the exponent after "e"; saturates far beyond what any text of permitted length could bring
 * back into range.
 */
static const char *decimal_scan_exponent(const char *p, const char *end, int64_t *out)
{
    int is_negative = 0;
    int64_t value = 0;
    if (p < end && (*p == '-' || *p == '+')) {
        is_negative = *p++ == '-';
    }
    if (p == end || !decimal_is_digit(*p)) {
        *out = 0;
        return NULL;
    }
    for (; p < end && decimal_is_digit(*p); p++) {
        value = value < 1000000000000 ? value * 10 + (*p - '0') : value;
    }
    *out = is_negative ? -value : value;
    return p;
}

/* Whether all eight bytes are digits: their high halves are 3, and stay so when 6 is added. */
static int decimal_are_digits8(uint64_t bytes)
{
    const uint64_t high = 0xf0f0f0f0f0f0f0f0u;
    return ((bytes & high) | ((bytes + 0x0606060606060606u) & high) >> 4) == 0x3333333333333333u;
}

/* The number that eight digits spell: pairs, then pairs of pairs, side by side in one word. */
static uint64_t decimal_value8(uint64_t bytes)
{
    const uint64_t mask = 0x000000ff000000ffu;
    bytes -= 0x3030303030303030u;
    bytes = bytes * 10 + (bytes >> 8);
    return ((bytes & mask) * (100 + (1000000ull << 32)) +
            ((bytes >> 16) & mask) * (1 + (10000ull << 32))) >>
           32;
}

/*
 * Reads digits from p on: *head = *head * 10^digits + their value, modulo 2^64. Returns the first
 * byte that is none.
 */
static const char *decimal_scan_digits(const char *p, const char *end, uint64_t *head)
{
    uint64_t value = *head;
    while (end - p >= 8 && decimal_are_digits8(vs_get64((const uint8_t *)p))) {
        value = value * 100000000u + decimal_value8(vs_get64((const uint8_t *)p));
        p += 8;
    }
    for (; p < end && decimal_is_digit(*p); p++) {
        value = value * 10 + (uint64_t)(*p - '0');
    }
    *head = value;
    return p;
}

/*
 * Splits a JSON number into its parts. Returns its end, or NULL with *out_fault at the byte that
 * does not fit.
 */
static const char *decimal_scan(const char *p, const char *end, decimal_number *out,
                                const char **out_fault)
{
    uint64_t head = 0;
    int64_t fraction_digits = 0, digits = 0;
    out->is_negative = p < end && *p == '-';
    p += out->is_negative;
    out->mantissa = p;
    for (; p < end && decimal_is_digit(*p); p++) { /* mostly one */
        head = head * 10 + (uint64_t)(*p - '0');
    }
    digits = p - out->mantissa;
    if (digits == 0 || (digits > 1 && *out->mantissa == '0')) {
        *out_fault = digits == 0 ? p : out->mantissa;
        return NULL;
    }
    if (p < end && *p == '.') {
        const char *fraction = ++p;
        p = decimal_scan_digits(fraction, end, &head);
        fraction_digits = p - fraction;
        if (fraction_digits == 0) {
            *out_fault = p;
            return NULL;
        }
    }
    out->mantissa_end = p;
    out->head = head;
    out->exponent = -fraction_digits;
    if (p < end && (*p | 0x20) == 'e') {
        int64_t exponent = 0;
        *out_fault = p;
        p = decimal_scan_exponent(p + 1, end, &exponent);
        out->exponent += exponent;
        if (p == NULL) {
            return NULL;
        }
    }
    out->head_exponent = out->exponent;
    if (digits + fraction_digits > DECIMAL_FAST_DIGITS) {
        decimal_shorten_head(out);
    }
    return p;
}

/*
 * Fills *out with the first significant digits, then a 1 when anything but zeros follows. Returns
 * the exponent of its last digit.
 */
static int64_t decimal_big_digits(const decimal_number *number, decimal_big *out)
{
    int64_t exponent = number->exponent;
    int count = 0, has_more = 0;
    decimal_big_set(out, 0);
    for (const char *p = number->mantissa; p < number->mantissa_end; p++) {
        if (*p == '.') {
            continue;
        }
        if (count < DECIMAL_DIGITS_MAX) {
            decimal_big_mul(out, 10u, (uint32_t)(*p - '0'));
            count += out->count != 0;
        } else {
            exponent++;
            has_more |= *p != '0';
        }
    }
    if (has_more) {
        decimal_big_mul(out, 10u, 1u);
        exponent--;
    }
    return exponent;
}

/* The sign of digits * 10^exponent - midpoint, the midpoint of the float32s `bits` and bits + 1. */
static int decimal_compare_midpoint(const decimal_big *digits, int exponent, uint32_t bits)
{
    decimal_big left = *digits, right;
    uint32_t mantissa = 0;
    int power = decimal_split(bits, &mantissa) - 1;
    decimal_big_set(&right, 2 * (uint64_t)mantissa + 1);
    decimal_big_mul_pow10(exponent < 0 ? &right : &left, exponent < 0 ? -exponent : exponent);
    decimal_big_mul_pow2(power < 0 ? &left : &right, power < 0 ? -power : power);
    return decimal_big_compare(&left, &right);
}

/* Magnitude of the number, exactly rounded; infinity's bits beyond the range. The head is not 0. */
static uint32_t decimal_round_exact(const decimal_number *number)
{
    int head_digits = 0;
    for (uint64_t rest = number->head; rest != 0; rest /= 10) {
        head_digits++;
    }
    /* The number is in [10^(magnitude - 1), 10^magnitude). */
    int64_t magnitude = number->head_exponent + head_digits;
    if (magnitude > 39) {
        return DECIMAL_INFINITY_BITS;
    }
    if (magnitude < -45) {
        return 0; /* half of the smallest denormal is 7.0e-46 */
    }
    decimal_big digits;
    int exponent = (int)decimal_big_digits(number, &digits);
    double guess = decimal_scale((double)number->head, (int)number->head_exponent);
    uint32_t bits = guess < (double)FLT_MAX ? decimal_bits((float)guess) : decimal_bits(FLT_MAX);
    for (;;) { /* a tie goes to the even one of the two */
        int above = decimal_compare_midpoint(&digits, exponent, bits);
        if (above < 0 || (above == 0 && (bits & 1u) == 0)) {
            break;
        }
        if (++bits == DECIMAL_INFINITY_BITS) {
            return bits;
        }
    }
    while (bits > 0) {
        int below = decimal_compare_midpoint(&digits, exponent, bits - 1);
        if (below > 0 || (below == 0 && (bits & 1u) == 0)) {
            break;
        }
        bits--;
    }
    return bits;
}

/* Magnitude by double arithmetic into *out; 0 when that cannot tell which float32 is nearest. */
static int decimal_round_fast(const decimal_number *number, float *out)
{
    if (number->head_exponent < -DECIMAL_POW10_MAX || number->head_exponent > DECIMAL_POW10_MAX) {
        return 0;
    }
    double value = decimal_scale((double)number->head, (int)number->head_exponent);
    if (value < (double)FLT_MIN || value > (double)FLT_MAX) {
        return 0;
    }
    /* A double has 29 bits more than a float32; they read 1000... at a midpoint. */
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    int64_t from_midpoint = (int64_t)(bits & 0x1fffffffu) - 0x10000000;
    if (from_midpoint >= -4 && from_midpoint <= 4) {
        return 0;
    }
    *out = (float)value;
    return 1;
}

/* The number, rounded; 0 when it rounds to infinity. */
static int decimal_round(const decimal_number *number, float *out)
{
    float value = 0.0f;
    if (number->head != 0 && !decimal_round_fast(number, &value)) {
        uint32_t bits = decimal_round_exact(number);
        if (bits == DECIMAL_INFINITY_BITS) {
            return 0;
        }
        value = decimal_float(bits);
    }
    *out = number->is_negative ? -value : value;
    return 1;
}

vs_decimal_status vs_decimal_parse(const char *text, const char *end, const char **out_end,
                                   float *out)
{
    decimal_number number;
    const char *after = decimal_scan(text, end, &number, out_end);
    if (after == NULL) {
        return VS_DECIMAL_SYNTAX;
    }
    if (!decimal_round(&number, out)) {
        *out_end = text;
        return VS_DECIMAL_RANGE;
    }
    *out_end = after;
    return VS_DECIMAL_OK;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/*
 * Whether digits * 10^exponent reads back as the positive float32 `value`. digits has at most 19
 * digits.
 */
static int decimal_reads_back(uint64_t digits, int exponent, float value)
{
    char text[24], *end = text + sizeof text, *p = end;
    uint64_t rest = digits;
    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    decimal_number number = {p, end, exponent, digits, exponent, 0};
    float back = 0.0f;
    return decimal_round(&number, &back) && back == value;
}

/* Appends digits with at least `width` places. */
static char *decimal_put(char *p, uint64_t digits, int width)
{
    char text[24], *end = text + sizeof text, *q = end;
    for (; digits != 0 || width > 0; digits /= 10, width--) {
        *--q = (char)('0' + digits % 10);
    }
    memcpy(p, q, (size_t)(end - q));
    return p + (end - q);
}

/*
 * A whole number of 2^24 and more with 16 significant digits, zeros after them, and six decimals.
 *
 */
static char *decimal_put_whole(char *p, uint32_t mantissa, int power)
{
    enum { PLACES = 45, KEPT = 16 };
    char digits[PLACES];
    decimal_big big;
    int first = PLACES;
    decimal_big_set(&big, mantissa);
    decimal_big_mul_pow2(&big, power);
    while (big.count > 0) {
        digits[--first] = (char)('0' + decimal_big_div(&big, 10u));
    }
    if (PLACES - first > KEPT) {
        /*
         * No carry beyond the first digit: no float32 of this size begins with sixteen nines (all
         * were tried).
         */
        int last = first + KEPT - 1;
        int round_up = digits[last + 1] >= '5';
        memset(digits + last + 1, '0', (size_t)(PLACES - last - 1));
        for (; round_up && digits[last] == '9'; last--) {
            digits[last] = '0';
        }
        digits[last] = (char)(digits[last] + round_up);
    }
    memcpy(p, digits + first, (size_t)(PLACES - first));
    p += PLACES - first;
    memcpy(p, ".000000", 7);
    return p + 7;
}

/*
 * Six decimals, half away from zero, when that reads back as the positive float32 `value`; else
 * NULL.
 */
static char *decimal_put_fixed(char *p, float value)
{
    uint32_t mantissa = 0;
    int power = decimal_split(decimal_bits(value), &mantissa);
    if (power > 0) {
        return decimal_put_whole(p, mantissa, power);
    }
    uint64_t millionths = (uint64_t)mantissa * 1000000u;
    if (power < -45) {
        millionths = 0; /* 24 bits and 20 of the million: shifted out */
    } else if (power < 0) {
        millionths = (millionths + (1ull << (-power - 1))) >> -power;
    }
    if (!decimal_reads_back(millionths, -6, value)) {
        return NULL;
    }
    p = decimal_put(p, millionths / 1000000u, 1);
    *p++ = '.';
    return decimal_put(p, millionths % 1000000u, 6);
}

/*
 * mantissa * 2^power * 10^exponent, rounded to nearest even, exactly. The result is below 2^31;
 * near is within 1 of it.
 */
static uint64_t decimal_digits_exact(uint32_t mantissa, int power, int exponent, uint64_t near)
{
    decimal_big value, limit;
    uint64_t digits = near > 0 ? near - 1 : 0;
    for (;; digits++) { /* up to the first whose upper midpoint is not below the value */
        decimal_big_set(&value, 2 * (uint64_t)mantissa);
        decimal_big_set(&limit, 2 * digits + 1);
        decimal_big_mul_pow2(power < 0 ? &limit : &value, power < 0 ? -power : power);
        decimal_big_mul_pow10(exponent < 0 ? &limit : &value, exponent < 0 ? -exponent : exponent);
        int order = decimal_big_compare(&value, &limit);
        if (order < 0 || (order == 0 && digits % 2 == 0)) {
            return digits;
        }
    }
}

/* value * 10^exponent rounded to an integer; it must be below 2^31. */
static uint64_t decimal_digits(float value, int exponent)
{
    double scaled = decimal_scale((double)value, exponent);
    uint64_t floor = (uint64_t)scaled;
    double fraction = scaled - (double)floor;
    int is_one_rounding = exponent >= -DECIMAL_POW10_MAX && exponent <= DECIMAL_POW10_MAX;
    if (is_one_rounding && (fraction < 0.499 || fraction > 0.501)) {
        return floor + (fraction > 0.5);
    }
    uint32_t mantissa = 0;
    int power = decimal_split(decimal_bits(value), &mantissa);
    return decimal_digits_exact(mantissa, power, exponent, floor);
}

/*
 * The largest power of ten, as an exponent, that is not above the positive float32 `value` (or one
 * more, next to a power).
 */
static int decimal_magnitude(float value)
{
    static const double step[] = {1e32, 1e16, 1e8, 1e4, 1e2, 1e1};
    double rest = (double)value;
    int magnitude = 0;
    for (int i = 0, bit = 32; i < 6; i++, bit /= 2) {
        if (value >= 1.0f && rest >= step[i]) {
            rest /= step[i];
            magnitude += bit;
        } else if (value < 1.0f && rest * step[i] < 10.0) {
            rest *= step[i];
            magnitude -= bit;
        }
    }
    return magnitude;
}

/* "%.<places>g" of digits * 10^(magnitude - places + 1), digits having exactly that many places. */
static char *decimal_put_general(char *p, uint64_t digits, int places, int magnitude)
{
    int is_scientific = magnitude < -4 || magnitude >= places;
    int kept = places;
    for (; kept > 1 && digits % 10 == 0; kept--) {
        digits /= 10;
    }
    char text[24];
    decimal_put(text, digits, kept);
    int whole = is_scientific ? 1 : magnitude + 1; /* digits before the point */
    if (whole <= 0) {
        *p++ = '0';
        *p++ = '.';
        memset(p, '0', (size_t)-whole);
        p += -whole;
        whole = 0;
    }
    for (int i = 0; i < kept || i < whole; i++) {
        if (i == whole && whole > 0) {
            *p++ = '.';
        }
        *p++ = (char)(i < kept ? text[i] : '0');
    }
    if (is_scientific) {
        *p++ = 'e';
        *p++ = magnitude < 0 ? '-' : '+';
        p = decimal_put(p, (uint64_t)(magnitude < 0 ? -magnitude : magnitude), 2);
    }
    return p;
}

/*
 * The shortest of "%.6g" to "%.9g" that reads back as the positive float32 `value`; nine digits
 * always do.
 */
static char *decimal_put_shortest(char *p, float value)
{
    static const uint64_t limit[] = {1000000u, 10000000u, 100000000u, 1000000000u};
    int magnitude = 0, places = 6;
    uint64_t digits = 0;
    for (;; places++) {
        magnitude = decimal_magnitude(value);
        digits = decimal_digits(value, places - 1 - magnitude);
        if (digits < limit[places - 6] / 10) {
            magnitude--;
            digits = decimal_digits(value, places - 1 - magnitude);
        }
        if (digits >= limit[places - 6]) {
            magnitude++;
            digits = decimal_digits(value, places - 1 - magnitude);
        }
        if (places == 9 || decimal_reads_back(digits, magnitude - places + 1, value)) {
            return decimal_put_general(p, digits, places, magnitude);
        }
    }
}

size_t vs_decimal_print(float value, char out[VS_DECIMAL_BYTES_MAX])
{
    uint32_t bits = decimal_bits(value);
    char *p = out;
    assert((bits & ~DECIMAL_SIGN_BIT) < DECIMAL_INFINITY_BITS);
    if ((bits & DECIMAL_SIGN_BIT) != 0) {
        *p++ = '-';
    }
    float magnitude = decimal_float(bits & ~DECIMAL_SIGN_BIT);
    char *end = decimal_put_fixed(p, magnitude);
    if (end == NULL) {
        end = decimal_put_shortest(p, magnitude);
    }
    assert(end - out <= VS_DECIMAL_BYTES_MAX);
    return (size_t)(end - out);
}
