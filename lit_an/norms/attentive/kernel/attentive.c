/* Attentive normalization over panels of positions, forward and backward in closed form.

   The formulas are those of block_path.py, and so are their names. A panel is read, its values and layout are projected
   into blocks that stay in the first and second caches, and everything that uses them is done before the next panel:
   forward reads the map twice (the statistics lie between), and so does backward. */

#include <math.h>
#include <stddef.h>

#include "projection.h"

/* ---- forward ---- */

static void measure(const Call *call, const Sizes *s, const Shared *shared, Work *work, long image, long lane) {
    long end = least((lane + 1) * s->lane, call->length), moments = moment_count(s), since = 0;
    double *totals = shared->moments + (image * call->lanes + lane) * moments;
    sample_offset(call, s, work, image, work->offset);
    if (lane == 0) memcpy(call->offset + image * call->channels, work->offset, call->channels * sizeof(float));
    prepare_filters(call, work, image, work->offset);
    memset(totals, 0, moments * sizeof(double));
    clear(work->sums, moments);
    for (long first = lane * s->lane; first < end; first += s->panel * BLOCK) {
        Panel panel = panel_at(call, s, work, image, first, end);
        read_map(call, s, work, &panel);
        project_panel(call, s, shared, work, work->offset, &panel);
        for (long block = 0; block < panel.blocks; block++) {
            const float *values = panel.values + block * s->channels * BLOCK;
            float *rows = work->rows + block * s->moment_rows * BLOCK;
            for (long i = 0; i < s->channels * BLOCK; i += LANES) {
                vec value = load(values + i);
                store(rows + i, value);
                store(rows + s->channels * BLOCK + i, value * value);
            }
            for (long i = 0; i < BLOCK; i++) rows[2 * s->channels * BLOCK + i] = 1.0f; /* gathers the mass */
        }
        gather_by_region(s, work, &panel);
        since += panel.count;
        if (since >= FLUSHED || first + s->panel * BLOCK >= end) flush(work->sums, moments, totals), since = 0;
    }
}

/* Mass, mean and variance of an image from its totals, for the backward pass, and A and D, times the residual scale. */
static void conclude(const Call *call, const Sizes *s, const Shared *shared, Work *work, long image, int first_lane) {
    float rho = *call->residual_scale;
    total_moments(call, s, shared, work, image);
    clear(work->to_map, 2 * s->channels * call->regions);
    for (long n = 0; n < call->regions; n++) {
        double mass = fmax(moment(s, work, 2 * s->channels, n), SMALLEST_MASS);
        if (first_lane) call->mass[image * call->regions + n] = (float)mass;
        for (long c = 0; c < call->channels; c++) {
            double mean = moment(s, work, c, n) / mass, square = moment(s, work, s->channels + c, n) / mass;
            double variance = square - mean * mean;
            variance = variance < 0 ? 0 : variance; /* and not a number stays what it is */
            double scale = 1 / sqrt(variance + call->eps), shift;
            long place = (image * call->regions + n) * call->channels + c;
            if (call->weight) scale *= call->weight[place];
            shift = -mean * scale + (call->bias ? call->bias[place] : 0);
            float *pair = work->to_map + (c / 2 * call->regions + n) * 4 + c % 2;
            pair[0] = (float)(rho * scale), pair[2] = (float)(rho * shift);
            if (!first_lane) continue;
            call->mean[place] = (float)mean, call->variance[place] = (float)variance;
        }
    }
}

static void normalize(const Call *call, const Sizes *s, const Shared *shared, Work *work, long image, long lane) {
    long end = least((lane + 1) * s->lane, call->length);
    const float *offset = call->offset + image * call->channels;
    conclude(call, s, shared, work, image, lane == 0);
    if (!call->values) prepare_filters(call, work, image, offset);
    for (long first = lane * s->lane; first < end; first += s->panel * BLOCK) {
        Panel panel = panel_at(call, s, work, image, first, end);
        read_map(call, s, work, &panel);
        if (!call->values) project_panel(call, s, shared, work, offset, &panel);
        for (long block = 0; block < panel.blocks; block++)
            for (long c = 0; c < s->channels; c += 2) {
                vec sums[STRIP][VECTORS];
                const float *values = panel.values + (block * s->channels + c) * BLOCK;
                float *map = work->map + (block * s->channels + c) * BLOCK;
                spread(STRIP, call->regions, work->to_map + c * call->regions * 2,
                       panel.layout + block * s->regions * BLOCK, sums);
#pragma GCC unroll 2
                for (int r = 0; r < 2; r++)
#pragma GCC unroll 3
                    for (int v = 0; v < VECTORS; v++) {
                        long i = r * BLOCK + v * LANES;
                        store(map + i, load(map + i) + (load(values + i) * sums[r][v] + sums[2 + r][v]));
                    }
            }
        write_panel(&call->out, image, first, panel.count, call->channels, work->map, s->channels * BLOCK, work->wide);
    }
}

/* ---- backward ---- */

static void read_gradient(const Call *call, const Sizes *s, const Work *work, const Panel *panel, float *to, long step) {
    read_panel(&call->gradient, panel->image, panel->first, panel->count, call->channels, s->channels, to, step,
               work->wide);
}

/* ∂/∂A = (G ∘ V) Sᵀ and ∂/∂D = G Sᵀ. */
static void measure_back(const Call *call, const Sizes *s, const Shared *shared, Work *work, long image, long lane) {
    long end = least((lane + 1) * s->lane, call->length), moments = moment_count(s), since = 0;
    const float *offset = call->offset + image * call->channels;
    double *totals = shared->moments + (image * call->lanes + lane) * moments;
    if (!call->values) prepare_filters(call, work, image, offset);
    memset(totals, 0, moments * sizeof(double));
    clear(work->sums, moments);
    for (long first = lane * s->lane; first < end; first += s->panel * BLOCK) {
        Panel panel = panel_at(call, s, work, image, first, end);
        if (!call->values) {
            read_map(call, s, work, &panel);
            project_panel(call, s, shared, work, offset, &panel);
        }
        read_gradient(call, s, work, &panel, work->rows + s->channels * BLOCK, s->moment_rows * BLOCK);
        for (long block = 0; block < panel.blocks; block++) {
            const float *values = panel.values + block * s->channels * BLOCK;
            float *rows = work->rows + block * s->moment_rows * BLOCK;
            for (long i = 0; i < s->channels * BLOCK; i += LANES)
                store(rows + i, load(values + i) * load(rows + s->channels * BLOCK + i));
        }
        gather_by_region(s, work, &panel);
        since += panel.count;
        if (since >= FLUSHED || first + s->panel * BLOCK >= end) flush(work->sums, moments, totals), since = 0;
    }
}

/* From the totals: the gradients of what belongs to regions, and the factors of the second pass. */
static void conclude_back(const Call *call, const Sizes *s, const Shared *shared, Work *work, long image,
                          int first_lane) {
    double rho = *call->residual_scale, for_residual = 0;
    long channels = call->channels, regions = call->regions;
    total_moments(call, s, shared, work, image);
    clear(work->to_map, 3 * s->channels * regions);
    clear(work->to_layout, 4 * s->channels * s->regions);
    for (long n = 0; n < regions; n++) {
        double mass = call->mass[image * regions + n], by_mass = 0;
        for (long c = 0; c < channels; c++) {
            long place = (image * regions + n) * channels + c;
            double mean = call->mean[place], variance = call->variance[place];
            double inverse = 1 / sqrt(variance + call->eps);
            double scale = inverse * (call->weight ? call->weight[place] : 1);
            double shift = -mean * scale + (call->bias ? call->bias[place] : 0);
            double by_scale = moment(s, work, c, n), by_shift = moment(s, work, s->channels + c, n);
            for_residual += scale * by_scale + shift * by_shift;
            by_shift *= rho;
            by_scale = rho * by_scale - mean * by_shift;
            if (first_lane && call->for_weight) call->for_weight[place] = (float)(by_scale * inverse);
            if (first_lane && call->for_bias) call->for_bias[place] = (float)by_shift;
            /* A variance that was raised to 0 does not move. */
            double by_variance = variance > 0 ? -0.5 * by_scale * scale * inverse * inverse : 0;
            double by_mean = -scale * by_shift - 2 * mean * by_variance;
            double by_total = by_mean / mass, by_square = by_variance / mass;
            by_mass -= by_total * mean + by_square * (variance + mean * mean);
            float *to_value = work->to_map + (c * regions + n) * 3;
            to_value[0] = (float)(rho * scale), to_value[1] = (float)(2 * by_square), to_value[2] = (float)by_total;
            float *to_layout = work->to_layout + n / STRIP * 4 * s->channels * STRIP + n % STRIP;
            to_layout[c * STRIP] = (float)(rho * scale);
            to_layout[(s->channels + c) * STRIP] = (float)by_square;
            to_layout[(2 * s->channels + c) * STRIP] = (float)by_total;
            to_layout[(3 * s->channels + c) * STRIP] = (float)(rho * shift);
        }
        work->by_mass[n] = mass > (float)SMALLEST_MASS ? (float)by_mass : 0.0f;
    }
    if (first_lane) call->for_residual[image] = for_residual;
}

/* ∂/∂logits of a block, from its layout; sums of each region over positions go to work->logit_sums.
   ∂/∂S = Aᵀ (G ∘ V) + Eᵀ V² + Mᵀ V + Dᵀ G + the mass, E and M the gradients of the two sums. */
static void layout_back(const Call *call, const Sizes *s, const Work *work, const float *products, const float *values,
                        const float *gradient, const float *layout, float *for_logits) {
    for (long n = 0; n < s->regions; n += STRIP) {
        vec sums[STRIP][VECTORS] = {{{0}}};
        const float *left = work->to_layout + n * 4 * s->channels;
        spread_more(STRIP, 2 * s->channels, left, products, sums);
        spread_more(STRIP, s->channels, left + 2 * s->channels * STRIP, values, sums);
        spread_more(STRIP, s->channels, left + 3 * s->channels * STRIP, gradient, sums);
#pragma GCC unroll 4
        for (int r = 0; r < STRIP; r++)
#pragma GCC unroll 3
            for (int v = 0; v < VECTORS; v++) store(for_logits + (n + r) * BLOCK + v * LANES, sums[r][v]);
    }
    for (int v = 0; v < VECTORS; v++) {
        vec mean = (vec){0};
        for (long n = 0; n < call->regions; n++) {
            float *one = for_logits + n * BLOCK + v * LANES;
            vec share = load(layout + n * BLOCK + v * LANES) * (load(one) + work->by_mass[n]);
            mean += share;
            store(one, share);
        }
        for (long n = 0; n < call->regions; n++) {
            float *one = for_logits + n * BLOCK + v * LANES;
            vec found = load(one) - mean * load(layout + n * BLOCK + v * LANES);
            store(one, found);
            store(work->logit_sums + n * LANES, load(work->logit_sums + n * LANES) + found);
        }
    }
    clear(for_logits + call->regions * BLOCK, (s->regions - call->regions) * BLOCK);
}

/* ∂/∂V = G ∘ (A S) + V ∘ (2 E S) + M S of a block. */
static void values_back(const Call *call, const Sizes *s, const Work *work, const float *values, const float *gradient,
                        const float *layout, float *for_values) {
    for (long c = 0; c < s->channels; c++) {
        vec sums[3][VECTORS];
        spread(3, call->regions, work->to_map + c * call->regions * 3, layout, sums);
#pragma GCC unroll 3
        for (int v = 0; v < VECTORS; v++) {
            long i = c * BLOCK + v * LANES;
            store(for_values + i, load(gradient + i) * sums[0][v] + (load(values + i) * sums[1][v] + sums[2][v]));
        }
    }
}

/* Adds the gradient of the map to what is there, the gradient of the result: the way past the norm. */
static void map_back(const Call *call, const Sizes *s, const Shared *shared, const Work *work, const float *both,
                     float *gradient) {
    for (long c = 0; c < s->channels; c += STRIP) {
        vec sums[STRIP][VECTORS] = {{{0}}};
        spread_more(STRIP, call->channels, shared->from_value + c * call->channels, both, sums);
        spread_more(STRIP, call->regions, work->to_logits_back + c * call->regions, both + s->channels * BLOCK, sums);
#pragma GCC unroll 4
        for (int r = 0; r < STRIP; r++)
#pragma GCC unroll 3
            for (int v = 0; v < VECTORS; v++) {
                float *place = gradient + (c + r) * BLOCK + v * LANES;
                store(place, load(place) + sums[r][v]);
            }
    }
}

/* Sums of the joint gradient (values and logits by channels), to the thread's totals and the lane's. */
static void flush_joint(const Call *call, const Sizes *s, Work *work, double *logits) {
    flush(work->sums, s->channel_groups * s->joint_rows * COLUMNS, work->joint);
    for (long n = 0; n < call->regions; n++) {
        double *row = logits + n * (call->channels + 1);
        for (long c = 0; c < call->channels; c++) {
            double *total = work->joint + (c / COLUMNS * s->joint_rows + s->channels + n) * COLUMNS + c % COLUMNS;
            row[c] += *total, *total = 0;
        }
        for (int i = 0; i < LANES; i++) row[call->channels] += work->logit_sums[n * LANES + i];
    }
    clear(work->logit_sums, s->regions * LANES);
}

static void normalize_back(const Call *call, const Sizes *s, const Shared *shared, Work *work, long image, long lane) {
    long end = least((lane + 1) * s->lane, call->length), since = 0, joint = s->joint_rows * BLOCK;
    const float *offset = call->offset + image * call->channels;
    double *logits = shared->logits + (image * call->lanes + lane) * call->regions * (call->channels + 1);
    conclude_back(call, s, shared, work, image, lane == 0);
    prepare_filters(call, work, image, offset);
    pack(call->filters + image * call->regions * call->channels, call->channels, call->regions, 1, call->channels,
         (float)call->temperature, work->to_logits_back);
    memset(logits, 0, call->regions * (call->channels + 1) * sizeof(double));
    for (long first = lane * s->lane; first < end; first += s->panel * BLOCK) {
        Panel panel = panel_at(call, s, work, image, first, end);
        read_map(call, s, work, &panel);
        read_gradient(call, s, work, &panel, work->gradient, s->channels * BLOCK);
        if (!call->values) project_panel(call, s, shared, work, offset, &panel);
        for (long block = 0; block < panel.blocks; block++) {
            long rows = block * s->channels * BLOCK;
            const float *values = panel.values + rows, *layout = panel.layout + block * s->regions * BLOCK;
            float *gradient = work->gradient + rows, *both = work->both + block * joint, *products = work->rows;
            for (long i = 0; i < s->channels * BLOCK; i += LANES) {
                vec value = load(values + i);
                store(products + i, value * load(gradient + i));
                store(products + s->channels * BLOCK + i, value * value);
            }
            if (call->values) center(work->map + rows, offset, call->channels, s->channels, work->centered + rows);
            layout_back(call, s, work, products, values, gradient, layout, both + s->channels * BLOCK);
            values_back(call, s, work, values, gradient, layout, both);
            map_back(call, s, shared, work, both, gradient);
        }
        /* The values are shift-invariant, so their gradient sums to 0 and the offset needs no term. */
        write_panel(&call->out, image, first, panel.count, call->channels, work->gradient, s->channels * BLOCK,
                    work->wide);
        turn(panel.blocks, s->channels, work->centered, s->channels * BLOCK, work->turned);
        for (long group = 0; group < s->channel_groups; group++)
            gather(panel.blocks, s->joint_rows, work->both, joint,
                   work->turned + group * panel.blocks * BLOCK * COLUMNS,
                   work->sums + group * s->joint_rows * COLUMNS);
        since += panel.count;
        if (since >= FLUSHED || first + s->panel * BLOCK >= end) flush_joint(call, s, work, logits), since = 0;
    }
}

/* Sums over threads and lanes. */
static void sum_up(const Call *call, const Sizes *s, const Shared *shared, const Work *works) {
    long channels = call->channels, regions = call->regions;
    for (long row = 0; row < channels; row++)
        for (long c = 0; c < channels; c++) {
            double total = 0;
            for (long thread = 0; thread < call->threads; thread++)
                total += works[thread].joint[(c / COLUMNS * s->joint_rows + row) * COLUMNS + c % COLUMNS];
            call->for_value[row * channels + c] = (float)total;
        }
    for (long index = 0; index < call->batch * regions; index++) {
        long image = index / regions, n = index % regions;
        double constant = 0;
        const double *lanes = shared->logits + (image * call->lanes * regions + n) * (channels + 1);
        long step = regions * (channels + 1);
        for (long lane = 0; lane < call->lanes; lane++) constant += lanes[lane * step + channels];
        if (call->for_constants) call->for_constants[index] = (float)(call->temperature * constant);
        for (long c = 0; c < channels; c++) {
            double total = constant * call->offset[image * channels + c];
            for (long lane = 0; lane < call->lanes; lane++) total += lanes[lane * step + c];
            call->for_filters[index * channels + c] = (float)(call->temperature * total);
        }
    }
}

/* ---- threads ---- */

typedef void (*Pass)(const Call *, const Sizes *, const Shared *, Work *, long image, long lane);

typedef struct {
    const Call *call;
    const Sizes *sizes;
    const Shared *shared;
    Work *works;
    Pass pass;
    long next;
} Job;

static void take_part(void *argument) {
    Job *job = argument;
    const Call *call = job->call;
    long thread; /* a runtime may start fewer threads than it was asked for */
    while ((thread = __atomic_fetch_add(&job->next, 1, __ATOMIC_RELAXED)) < call->threads)
        for (long segment = first_segment(call, thread); segment < first_segment(call, thread + 1); segment++)
            job->pass(call, job->sizes, job->shared, job->works + thread, segment / call->lanes,
                      segment % call->lanes);
}

static void run(Job *job, Pass pass) {
    job->pass = pass, job->next = 0;
    if (job->call->threads > 1)
        job->call->parallel(take_part, job, (unsigned)job->call->threads, 0);
    else
        take_part(job);
}

static void run_passes(const Call *call, Pass first, Pass second, int backward) {
    Sizes sizes = sizes_of(call);
    char *memory = call->scratch;
    Work *works = (Work *)carve(&memory, call->threads * sizeof(Work));
    Shared shared = shared_of(call, &sizes, &memory);
    for (long thread = 0; thread < call->threads; thread++) works[thread] = work_of(call, &sizes, &memory);
    pack(call->value_weight, call->channels, call->channels, call->channels, 1, 1.0f, shared.to_value);
    if (backward) {
        pack(call->value_weight, call->channels, call->channels, 1, call->channels, 1.0f, shared.from_value);
        for (long thread = 0; thread < call->threads; thread++) {
            long joint = sizes.channel_groups * sizes.joint_rows * COLUMNS;
            memset(works[thread].joint, 0, joint * sizeof(double));
            clear(works[thread].logit_sums, sizes.regions * LANES);
        }
    }
    Job job = {call, &sizes, &shared, works, NULL, 0};
    run(&job, first);
    if (backward)
        for (long thread = 0; thread < call->threads; thread++)
            clear(works[thread].sums, sizes.channel_groups * sizes.joint_rows * COLUMNS);
    run(&job, second);
    if (backward) sum_up(call, &sizes, &shared, works);
}

/* ---- what kernel_path.py calls ---- */

long scratch_bytes(const Call *call) {
    Sizes sizes = sizes_of(call);
    char *end = NULL;
    carve(&end, call->threads * sizeof(Work));
    shared_of(call, &sizes, &end);
    for (long thread = 0; thread < call->threads; thread++) work_of(call, &sizes, &end);
    return end - (char *)NULL;
}

/* The values and layouts of an image are kept in whole blocks of positions and whole strips of rows. */
long block_positions(void) { return BLOCK; }

long strip_rows(void) { return STRIP; }

void forward(const Call *call) { run_passes(call, measure, normalize, 0); }

void backward(const Call *call) { run_passes(call, measure_back, normalize_back, 1); }
