/* What the library is asked for, how the work is cut, and the memory it needs. */

#ifndef LIT_AN_CALL_H
#define LIT_AN_CALL_H

#include "panels.h"
#include "products.h"

#define SMALLEST_MASS 1e-12 /* as in functional.py */
#define FLUSHED 4096        /* positions; float32 sums of more are added up in float64 */
#define PANEL_BYTES (192 << 10) /* about what of a panel is used again and again; half and one and a half do as well */
#define SAMPLED 1024        /* positions that a channel's offset is taken from */

/* The parallel region of the OpenMP runtime that PyTorch itself runs on (GOMP_parallel): a second pool of threads would
   spin against the first. Each of `threads` threads calls the function once. */
typedef void (*Parallel)(void (*)(void *), void *, unsigned threads, unsigned flags);

/* One call, forward or backward. Letters as in functional.py; kernel_path.py fills it in, field by field. */
typedef struct {
    Parallel parallel;
    long threads;
    long batch, channels, regions, length;
    long lanes;           /* parts each image is cut into */
    Map x, gradient, out; /* out: the result, or the gradient of x */
    const float *value_weight;          /* (C, C) */
    const float *filters, *constants;   /* (B, N, C), (B, N) or NULL */
    const float *weight, *bias;         /* (B, N, C) or NULL */
    const float *residual_scale;
    double temperature, eps;
    float *offset;                      /* (B, C), anything near the channel's mean */
    float *mass, *mean, *variance;      /* (B, N), (B, N, C), (B, N, C) */
    float *values, *layouts;            /* kept from pass to pass, see block_positions; or NULL, then computed again */
    float *for_value, *for_filters, *for_constants; /* (C, C), (B, N, C), (B, N) */
    float *for_weight, *for_bias;       /* (B, N, C): of each image */
    double *for_residual;               /* (B,): of each image */
    char *scratch;                      /* scratch_bytes */
} Call;

INLINE long up_to(long value, long multiple) { return (value + multiple - 1) / multiple * multiple; }

/* Sizes that follow from a call. */
typedef struct {
    long channels, regions;    /* rounded up to STRIP */
    long channel_groups, region_groups; /* of COLUMNS */
    long moment_rows, joint_rows;       /* rows of the two kinds of sums, rounded up to GATHERED */
    long panel;                /* blocks in a panel */
    long lane;                 /* positions in a lane, a multiple of BLOCK */
    long blocks;               /* of an image */
} Sizes;

static Sizes sizes_of(const Call *call) {
    Sizes s;
    s.channels = up_to(call->channels, STRIP);
    s.regions = up_to(call->regions, STRIP);
    s.channel_groups = up_to(call->channels, COLUMNS) / COLUMNS;
    s.region_groups = up_to(call->regions, COLUMNS) / COLUMNS;
    s.moment_rows = up_to(2 * s.channels + 1, GATHERED);
    s.joint_rows = up_to(s.channels + s.regions, GATHERED);
    long positions = PANEL_BYTES / (4 * (3 * s.channels + s.regions));
    s.panel = positions / (2 * BLOCK) * 2;
    s.panel = s.panel < 2 ? 2 : s.panel > 12 ? 12 : s.panel;
    s.lane = up_to(up_to(call->length, call->lanes) / call->lanes, 2 * BLOCK);
    s.blocks = up_to(call->length, BLOCK) / BLOCK;
    return s;
}

/* What a thread works in. */
typedef struct {
    float *map, *gradient;  /* panels of C rows */
    float *centered;         /* a panel of C rows */
    float *rows;            /* a panel of moment_rows */
    float *both;            /* a panel of joint_rows */
    float *values, *layout; /* panels of C and N rows */
    float *turned;          /* a panel, positions first, of all channel or region groups */
    float *sums;            /* what gather adds to */
    float *filters, *base;  /* of an image, as spread wants them */
    float *to_logits_back;  /* the filters the other way round */
    float *to_map;          /* of an image: scale and shift; or three factors of the gradient of the values */
    float *to_layout;       /* of an image: four factors of the gradient of the layout */
    float *by_mass, *logit_sums, *offset, *wide;
    double *statistics; /* totals of an image, and numbers that belong to a region and a channel */
    double *joint;      /* totals of the thread: the gradient of the value weight */
} Work;

/* What all threads share: the value weight as spread wants it, both ways, and the totals of each lane. */
typedef struct {
    float *to_value, *from_value;
    double *moments; /* (B, lanes, region_groups, moment_rows, COLUMNS) */
    double *logits;  /* (B, lanes, N, C + 1) */
} Shared;

static char *carve(char **memory, long bytes) {
    char *found = *memory;
    *memory += up_to(bytes, 64) + 64;
    return found;
}

#define FLOATS(count) (float *)carve(memory, (count) * 4)
#define DOUBLES(count) (double *)carve(memory, (count) * 8)

static long moment_count(const Sizes *s) { return s->region_groups * s->moment_rows * COLUMNS; }

static Shared shared_of(const Call *call, const Sizes *s, char **memory) {
    Shared shared;
    shared.to_value = FLOATS(s->channels * call->channels);
    shared.from_value = FLOATS(s->channels * call->channels);
    shared.moments = DOUBLES(call->batch * call->lanes * moment_count(s));
    shared.logits = DOUBLES(call->batch * call->lanes * call->regions * (call->channels + 1));
    return shared;
}

static Work work_of(const Call *call, const Sizes *s, char **memory) {
    Work work;
    long panel = s->panel * BLOCK, joint = s->channel_groups * s->joint_rows * COLUMNS, moments = moment_count(s);
    long pairs = s->channels * call->regions;
    work.map = FLOATS(panel * s->channels);
    work.gradient = FLOATS(panel * s->channels);
    work.centered = FLOATS(panel * s->channels);
    work.rows = FLOATS(panel * s->moment_rows + GATHERED * BLOCK);
    work.both = FLOATS(panel * s->joint_rows + GATHERED * BLOCK);
    work.values = FLOATS(panel * s->channels);
    work.layout = FLOATS(panel * s->regions);
    work.turned = FLOATS(panel * COLUMNS * (s->channel_groups > s->region_groups ? s->channel_groups : s->region_groups));
    work.sums = FLOATS(joint > moments ? joint : moments);
    work.filters = FLOATS(s->regions * call->channels);
    work.base = FLOATS(s->regions);
    work.to_logits_back = FLOATS(pairs);
    work.to_map = FLOATS(3 * pairs);
    work.to_layout = FLOATS(4 * s->channels * s->regions);
    work.by_mass = FLOATS(s->regions);
    work.logit_sums = FLOATS(s->regions * LANES);
    work.offset = FLOATS(s->channels);
    work.wide = FLOATS(BLOCK * call->channels);
    work.statistics = DOUBLES(moments);
    work.joint = DOUBLES(joint);
    return work;
}

/* The segments of a thread: from its first to before the next one's first. */
static long first_segment(const Call *call, long thread) { return call->batch * call->lanes * thread / call->threads; }

#endif
