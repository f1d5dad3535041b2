/* Panels: some consecutive positions of an image, copied into blocks and back.

   A map may lie in memory channels first or last; a panel never knows. bfloat16 is widened on the way in and rounded to
   nearest on the way out. */

#ifndef LIT_AN_PANELS_H
#define LIT_AN_PANELS_H

#include "vectors.h"

/* A feature map; strides in elements. Either channels or positions are 1 apart. */
typedef struct {
    void *data;
    long half; /* bfloat16, else float32 */
    long image_stride, channel_stride, position_stride;
} Map;

INLINE float widen(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float found;
    memcpy(&found, &bits, 4);
    return found;
}

INLINE uint16_t narrow(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return value != value ? 0x7fc0 : (uint16_t)rounded;
}

INLINE long elements_before(const Map *map, long image, long position) {
    return image * map->image_stride + position * map->position_stride;
}

INLINE long least(long a, long b) { return a < b ? a : b; }

static void clear(float *to, long count) { memset(to, 0, count * sizeof(float)); }

/* One row of positions that lie side by side. */
INLINE void read_row(const float *from, long count, float *to, long to_step) {
    for (; count >= BLOCK; count -= BLOCK, from += BLOCK, to += to_step)
#pragma GCC unroll 3
        for (int v = 0; v < VECTORS; v++) store(to + v * LANES, load(from + v * LANES));
    if (count > 0) {
        clear(to, BLOCK);
        memcpy(to, from, count * sizeof(float));
    }
}

INLINE void read_half_row(const uint16_t *from, long count, float *to, long to_step) {
    for (; count > 0; count -= BLOCK, from += BLOCK, to += to_step)
        if (count >= BLOCK)
            for (int i = 0; i < BLOCK; i++) to[i] = widen(from[i]);
        else
            for (int i = 0; i < BLOCK; i++) to[i] = i < count ? widen(from[i]) : 0.0f;
}

/* Positions with their channels side by side, to rows; at most a block. */
static void read_columns(const float *from, long step, long channels, long count, float *to) {
    long whole = count & ~3L, c = 0;
    if (count < BLOCK) clear(to, channels * BLOCK);
    for (; c + 4 <= channels; c += 4) {
        for (long p = 0; p < whole; p += 4) transpose4(from + p * step + c, step, to + c * BLOCK + p, BLOCK);
        for (long p = whole; p < count; p++)
            for (long i = 0; i < 4; i++) to[(c + i) * BLOCK + p] = from[p * step + c + i];
    }
    for (; c < channels; c++)
        for (long p = 0; p < count; p++) to[c * BLOCK + p] = from[p * step + c];
}

static void write_columns(const float *from, long channels, long count, float *to, long step) {
    long whole = count & ~3L, c = 0;
    for (; c + 4 <= channels; c += 4) {
        for (long p = 0; p < whole; p += 4) transpose4(from + c * BLOCK + p, BLOCK, to + p * step + c, step);
        for (long p = whole; p < count; p++)
            for (long i = 0; i < 4; i++) to[p * step + c + i] = from[(c + i) * BLOCK + p];
    }
    for (; c < channels; c++)
        for (long p = 0; p < count; p++) to[p * step + c] = from[c * BLOCK + p];
}

/* Reads `count` positions into blocks of `rows` ≥ channels rows; rows and positions beyond the map are 0.
   wide: BLOCK · channels floats of scratch. */
static void read_panel(const Map *map, long image, long first, long count, long channels, long rows, float *to,
                       long to_step, float *wide) {
    long start = elements_before(map, image, first), blocks = (count + BLOCK - 1) / BLOCK;
    const float *floats = (const float *)map->data + start;
    const uint16_t *halves = (const uint16_t *)map->data + start;
    for (long block = 0; block < blocks && rows > channels; block++)
        clear(to + block * to_step + channels * BLOCK, (rows - channels) * BLOCK);
    if (map->position_stride == 1) {
        for (long c = 0; c < channels; c++)
            if (map->half)
                read_half_row(halves + c * map->channel_stride, count, to + c * BLOCK, to_step);
            else
                read_row(floats + c * map->channel_stride, count, to + c * BLOCK, to_step);
        return;
    }
    for (long block = 0; block < blocks; block++) {
        long here = least(BLOCK, count - block * BLOCK), step = map->position_stride;
        if (!map->half) {
            read_columns(floats + block * BLOCK * step, step, channels, here, to + block * to_step);
            continue;
        }
        for (long p = 0; p < here; p++)
            for (long c = 0; c < channels; c++)
                wide[p * channels + c] = widen(halves[(block * BLOCK + p) * step + c]);
        read_columns(wide, channels, channels, here, to + block * to_step);
    }
}

/* Writes `count` positions from blocks; scratch as above. */
static void write_panel(const Map *map, long image, long first, long count, long channels, const float *from,
                        long from_step, float *wide) {
    long start = elements_before(map, image, first), blocks = (count + BLOCK - 1) / BLOCK;
    float *floats = (float *)map->data + start;
    uint16_t *halves = (uint16_t *)map->data + start;
    if (map->position_stride == 1) {
        for (long c = 0; c < channels; c++)
            for (long block = 0; block < blocks; block++) {
                long here = least(BLOCK, count - block * BLOCK), place = c * map->channel_stride + block * BLOCK;
                const float *row = from + block * from_step + c * BLOCK;
                if (map->half)
                    for (long i = 0; i < here; i++) halves[place + i] = narrow(row[i]);
                else if (here == BLOCK)
#pragma GCC unroll 3
                    for (int v = 0; v < VECTORS; v++) store(floats + place + v * LANES, load(row + v * LANES));
                else
                    memcpy(floats + place, row, here * sizeof(float));
            }
        return;
    }
    for (long block = 0; block < blocks; block++) {
        long here = least(BLOCK, count - block * BLOCK), step = map->position_stride;
        if (!map->half) {
            write_columns(from + block * from_step, channels, here, floats + block * BLOCK * step, step);
            continue;
        }
        write_columns(from + block * from_step, channels, here, wide, channels);
        for (long p = 0; p < here; p++)
            for (long c = 0; c < channels; c++)
                halves[(block * BLOCK + p) * step + c] = narrow(wide[p * channels + c]);
    }
}

#endif
