/* The two products of the layer over a block of positions.

   Both keep their sums in registers. A block holds rows of BLOCK positions, one after the other:
   block[row · BLOCK + position]. */

#ifndef LIT_AN_PRODUCTS_H
#define LIT_AN_PRODUCTS_H

#include "vectors.h"

#define STRIP 4    /* rows of a product that spreads */
#define COLUMNS 16 /* columns of a product that gathers */
#define COLUMN_VECTORS (COLUMNS / LANES)
#if LANES == 16
#define GATHERED 12 /* its rows */
#elif LANES == 8
#define GATHERED 6
#else
#define GATHERED 3
#endif

/* Spreads: adds Σ_k left[k · rows + r] · right row k to sums[r], for each of the block's positions. */
INLINE void spread_more(const int rows, long depth, const float *left, const float *right, vec sums[][VECTORS]) {
    for (long k = 0; k < depth; k++) {
        vec row[VECTORS];
#pragma GCC unroll 3
        for (int v = 0; v < VECTORS; v++) {
            row[v] = load(right + k * BLOCK + v * LANES);
            HOLD(row[v]);
        }
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            vec factor = all(left[k * rows + r]);
#pragma GCC unroll 3
            for (int v = 0; v < VECTORS; v++) sums[r][v] += factor * row[v];
        }
    }
}

/* The same from 0. */
INLINE void spread(const int rows, long depth, const float *left, const float *right, vec sums[][VECTORS]) {
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
        for (int v = 0; v < VECTORS; v++) sums[r][v] = (vec){0};
    spread_more(rows, depth, left, right, sums);
}

/* Gathers: sums[r · COLUMNS + n] += Σ_positions left row r · right[position · COLUMNS + n], over some blocks.

   left: of each block its rows, `left_step` floats from one block to the next; rows up to the next multiple of
   GATHERED are read and summed, whatever they hold. */
static void gather(long blocks, long rows, const float *left, long left_step, const float *right, float *sums) {
    for (long first = 0; first < rows; first += GATHERED) {
        vec sum[GATHERED][COLUMN_VECTORS];
#pragma GCC unroll 12
        for (int r = 0; r < GATHERED; r++)
#pragma GCC unroll 4
            for (int v = 0; v < COLUMN_VECTORS; v++) sum[r][v] = load(sums + (first + r) * COLUMNS + v * LANES);
        for (long block = 0; block < blocks; block++) {
            const float *row = left + block * left_step + first * BLOCK;
            const float *column = right + block * BLOCK * COLUMNS;
            for (long position = 0; position < BLOCK; position++) {
                vec other[COLUMN_VECTORS];
#pragma GCC unroll 4
                for (int v = 0; v < COLUMN_VECTORS; v++) {
                    other[v] = load(column + position * COLUMNS + v * LANES);
                    HOLD(other[v]);
                }
#pragma GCC unroll 12
                for (int r = 0; r < GATHERED; r++) {
                    vec factor = all(row[r * BLOCK + position]);
#pragma GCC unroll 4
                    for (int v = 0; v < COLUMN_VECTORS; v++) sum[r][v] += factor * other[v];
                }
            }
        }
#pragma GCC unroll 12
        for (int r = 0; r < GATHERED; r++)
#pragma GCC unroll 4
            for (int v = 0; v < COLUMN_VECTORS; v++) store(sums + (first + r) * COLUMNS + v * LANES, sum[r][v]);
    }
}

/* Columns of 16 rows of some blocks: to[column group][position of all blocks][16]. rows: a multiple of 4;
   the columns of a last group that has fewer rows stay as they are. */
static void turn(long blocks, long rows, const float *from, long from_step, float *to) {
    for (long block = 0; block < blocks; block++)
        for (long row = 0; row < rows; row += 4) {
            const float *source = from + block * from_step + row * BLOCK;
            float *target = to + ((row / COLUMNS) * blocks + block) * BLOCK * COLUMNS + row % COLUMNS;
            for (long position = 0; position < BLOCK; position += 4)
                transpose4(source + position, BLOCK, target + position * COLUMNS, COLUMNS);
        }
}

#endif
