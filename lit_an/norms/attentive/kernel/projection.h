/* From a block of the map to its values and its layout. */

#ifndef LIT_AN_PROJECTION_H
#define LIT_AN_PROJECTION_H

#include "call.h"

/* left[strip][k][STRIP] of a matrix (rows, depth), whose row and column are steps apart; rows beyond are 0. */
static void pack(const float *matrix, long rows, long depth, long row_step, long column_step, float factor,
                 float *left) {
    for (long row = 0; row < up_to(rows, STRIP); row++)
        for (long k = 0; k < depth; k++)
            left[(row / STRIP * depth + k) * STRIP + row % STRIP] =
                row < rows ? factor * matrix[row * row_step + k * column_step] : 0.0f;
}

/* A number near each channel's mean, from positions spread over the image: what is taken away only has to be of the
   size of the mean, and a pass over the whole map costs as much as a block's products. */
static void sample_offset(const Call *call, const Sizes *s, Work *work, long image, float *offset) {
    long groups = SAMPLED / BLOCK, all_groups = s->blocks;
    double count = 0, *totals = work->statistics;
    if (all_groups <= 2 * groups) groups = all_groups;
    for (long c = 0; c < call->channels; c++) totals[c] = 0;
    for (long group = 0; group < groups; group++) {
        long first = all_groups * group / groups * BLOCK, here = least(BLOCK, call->length - first);
        read_panel(&call->x, image, first, here, call->channels, s->channels, work->map, 0, work->wide);
        for (long c = 0; c < call->channels; c++) {
            float sum = 0;
            for (long i = 0; i < BLOCK; i++) sum += work->map[c * BLOCK + i];
            totals[c] += sum;
        }
        count += here;
    }
    for (long c = 0; c < call->channels; c++) offset[c] = (float)(totals[c] / count);
}

/* The filters of an image, times the temperature, and the constants that belong to them. */
static void prepare_filters(const Call *call, Work *work, long image, const float *offset) {
    const float *filters = call->filters + image * call->regions * call->channels;
    float temperature = (float)call->temperature;
    pack(filters, call->regions, call->channels, call->channels, 1, temperature, work->filters);
    for (long n = 0; n < call->regions; n++) {
        double base = call->constants ? call->constants[image * call->regions + n] : 0;
        for (long c = 0; c < call->channels; c++) base += (double)filters[n * call->channels + c] * offset[c];
        work->base[n] = (float)(call->temperature * base);
    }
}

INLINE void center(const float *map, const float *offset, long channels, long rows, float *centered) {
    for (long c = 0; c < channels; c++)
#pragma GCC unroll 3
        for (int v = 0; v < VECTORS; v++)
            store(centered + c * BLOCK + v * LANES, load(map + c * BLOCK + v * LANES) - offset[c]);
    if (rows > channels) clear(centered + channels * BLOCK, (rows - channels) * BLOCK);
}

/* Softmax over regions, in place; rows beyond the regions and positions beyond `count` are 0. */
static void softmax(float *logits, long regions, long rows, long count) {
    for (int v = 0; v < VECTORS; v++) {
        float *column = logits + v * LANES;
        vec most = load(column), sum = (vec){0};
        for (long n = 1; n < regions; n++) most = larger(most, load(column + n * BLOCK));
        for (long n = 0; n < regions; n++) {
            vec power = exponential(load(column + n * BLOCK) - most);
            sum += power;
            store(column + n * BLOCK, power);
        }
        vec share = 1.0f / sum;
        for (long n = 0; n < regions; n++) store(column + n * BLOCK, load(column + n * BLOCK) * share);
    }
    clear(logits + regions * BLOCK, (rows - regions) * BLOCK);
    if (count < BLOCK)
        for (long n = 0; n < regions; n++) clear(logits + n * BLOCK + count, BLOCK - count);
}

/* Values and layout of a block of the centered map. */
static void project(const Call *call, const Sizes *s, const Shared *shared, const Work *work, const float *centered,
                    long count, float *values, float *layout) {
    vec sums[STRIP][VECTORS];
    for (long row = 0; row < s->channels; row += STRIP) {
        spread(STRIP, call->channels, shared->to_value + row * call->channels, centered, sums);
#pragma GCC unroll 4
        for (int r = 0; r < STRIP; r++)
#pragma GCC unroll 3
            for (int v = 0; v < VECTORS; v++) store(values + (row + r) * BLOCK + v * LANES, sums[r][v]);
    }
    for (long row = 0; row < s->regions; row += STRIP) {
        spread(STRIP, call->channels, work->filters + row * call->channels, centered, sums);
#pragma GCC unroll 4
        for (int r = 0; r < STRIP; r++)
#pragma GCC unroll 3
            for (int v = 0; v < VECTORS; v++)
                store(layout + (row + r) * BLOCK + v * LANES, sums[r][v] + work->base[row + r]);
    }
    softmax(layout, call->regions, s->regions, count);
}

/* A panel on its way: where it is, and its values and layout, kept or computed. */
typedef struct {
    long image, first, count, blocks;
    float *values, *layout; /* blocks of C and N rows */
} Panel;

static Panel panel_at(const Call *call, const Sizes *s, const Work *work, long image, long first, long end) {
    long count = least(s->panel * BLOCK, end - first), block = image * s->blocks + first / BLOCK;
    Panel panel = {image, first, count, (count + BLOCK - 1) / BLOCK, work->values, work->layout};
    if (call->values) {
        panel.values = call->values + block * s->channels * BLOCK;
        panel.layout = call->layouts + block * s->regions * BLOCK;
    }
    return panel;
}

/* From the map's panel in work->map: the centered panel, values and layout. */
static void project_panel(const Call *call, const Sizes *s, const Shared *shared, const Work *work, const float *offset,
                          const Panel *panel) {
    for (long block = 0; block < panel->blocks; block++) {
        float *centered = work->centered + block * s->channels * BLOCK;
        center(work->map + block * s->channels * BLOCK, offset, call->channels, s->channels, centered);
        project(call, s, shared, work, centered, panel->count - block * BLOCK,
                panel->values + block * s->channels * BLOCK, panel->layout + block * s->regions * BLOCK);
    }
}

static void read_map(const Call *call, const Sizes *s, const Work *work, const Panel *panel) {
    read_panel(&call->x, panel->image, panel->first, panel->count, call->channels, s->channels, work->map,
               s->channels * BLOCK, work->wide);
}

/* Adds the rows of a panel times its layout to work->sums, in groups of regions. */
static void gather_by_region(const Sizes *s, const Work *work, const Panel *panel) {
    turn(panel->blocks, s->regions, panel->layout, s->regions * BLOCK, work->turned);
    for (long group = 0; group < s->region_groups; group++)
        gather(panel->blocks, s->moment_rows, work->rows, s->moment_rows * BLOCK,
               work->turned + group * panel->blocks * BLOCK * COLUMNS,
               work->sums + group * s->moment_rows * COLUMNS);
}

/* Moves sums from float32 to the totals in float64. */
static void flush(float *sums, long count, double *totals) {
    for (long i = 0; i < count; i++) totals[i] += sums[i];
    clear(sums, count);
}

/* All lanes of an image, summed up in work->statistics. */
static void total_moments(const Call *call, const Sizes *s, const Shared *shared, const Work *work, long image) {
    long count = moment_count(s);
    const double *lanes = shared->moments + image * call->lanes * count;
    for (long i = 0; i < count; i++) {
        work->statistics[i] = 0;
        for (long lane = 0; lane < call->lanes; lane++) work->statistics[i] += lanes[lane * count + i];
    }
}

INLINE double moment(const Sizes *s, const Work *work, long row, long n) {
    return work->statistics[(n / COLUMNS * s->moment_rows + row) * COLUMNS + n % COLUMNS];
}

#endif
