# ruff: noqa: N803 (constants of a kernel are in capitals)
"""Attentive normalization in Triton: the kernels of ``triton_launches.py``; imported only where Triton runs.

Letters as in ``block_path.py``: V (C, L) values of an image, S (N, L) its layout, G the gradient of its result. A
program projects a tile of positions to values and layout, which stay in registers, and uses both there. Everything is
computed in float32; ``PRECISION`` says how products round their factors. No program adds to memory that another one
writes: sums over positions are written per program, and added up in a fixed order afterwards.

Maps have three strides: of images, of channels (``*_row``) and of positions (``*_step``), so that both orders of memory
are read as they lie. ``offset`` (B, C) is a constant per channel taken out of x first; ``filters`` (B, N, C) and
``base`` (B, N) give logits of what is left, times the temperature.
"""

import triton
import triton.language as tl


@triton.jit
def _centered(x, x_row, x_step, offset, k, p, length, C: tl.constexpr):
    """(K, P): channels k at positions p, without their offset; 0 outside the map."""
    inside = (k[:, None] < C) & (p[None, :] < length)
    found = tl.load(x + k[:, None] * x_row + p[None, :] * x_step, mask=inside, other=0.0).to(tl.float32)
    return tl.where(inside, found - tl.load(offset + k, mask=k < C, other=0.0)[:, None], 0.0)


@triton.jit
def _matrix(matrix, rows, columns, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """(rows, columns) of a contiguous float32 matrix (ROWS, COLUMNS), 0 outside of it."""
    inside = (rows[:, None] < ROWS) & (columns[None, :] < COLUMNS)
    return tl.load(matrix + rows[:, None] * COLUMNS + columns[None, :], mask=inside, other=0.0)


@triton.jit
def _layout(logits, base, n, p, length, N: tl.constexpr):
    """(N, P): softmax over regions; 0 outside the map."""
    logits += tl.load(base + n, mask=n < N, other=float("-inf"))[:, None]
    shares = tl.exp(logits - tl.max(logits, 0)[None, :])
    shares = shares / tl.sum(shares, 0)[None, :]
    return tl.where(p[None, :] < length, shares, 0.0)


@triton.jit
def _project(
    x, x_row, x_step, offset, value_weight, filters, base, rows, n, p, length,
    C: tl.constexpr, N: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_K: tl.constexpr, BLOCK_N: tl.constexpr,
    BLOCK_P: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Channels ``rows`` of the values, (BLOCK_C, P), and the layout, (N, P), of one read of x."""
    value = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    logits = tl.zeros((BLOCK_N, BLOCK_P), tl.float32)
    for start in range(0, C, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        centered = _centered(x, x_row, x_step, offset, k, p, length, C)
        value = tl.dot(_matrix(value_weight, rows, k, C, C), centered, value, input_precision=PRECISION)
        logits = tl.dot(_matrix(filters, n, k, N, C), centered, logits, input_precision=PRECISION)
    return value, _layout(logits, base, n, p, length, N)


@triton.jit
def region_sums(
    x, x_image, x_row, x_step, gradient, g_image, g_row, g_step, offset, value_weight, filters, base,
    first, second, mass, length, tiles, splits, tiles_each,
    C: tl.constexpr, N: tl.constexpr, BACKWARD: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_K: tl.constexpr,
    BLOCK_N: tl.constexpr, BLOCK_P: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Sums over ``tiles_each`` tiles of positions: V Sᵀ, V² Sᵀ and S; backward (G ∘ V) Sᵀ and G Sᵀ.

    first, second (B · splits, C, N), mass (B · splits, N); mass is written forward only.
    """
    blocks: tl.constexpr = (C + BLOCK_C - 1) // BLOCK_C
    block, part = tl.program_id(0) % blocks, tl.program_id(0) // blocks
    image, split = (part // splits).to(tl.int64), part % splits
    rows, n = block * BLOCK_C + tl.arange(0, BLOCK_C), tl.arange(0, BLOCK_N)
    x, gradient = x + image * x_image, gradient + image * g_image
    offset, filters, base = offset + image * C, filters + image * N * C, base + image * N
    one = tl.zeros((BLOCK_C, BLOCK_N), tl.float32)
    two = tl.zeros((BLOCK_C, BLOCK_N), tl.float32)
    masses = tl.zeros((BLOCK_N,), tl.float32)
    for tile in range(split * tiles_each, min((split + 1) * tiles_each, tiles)):
        p = tile * BLOCK_P + tl.arange(0, BLOCK_P)
        value, layout = _project(
            x, x_row, x_step, offset, value_weight, filters, base, rows, n, p, length,
            C, N, BLOCK_C, BLOCK_K, BLOCK_N, BLOCK_P, PRECISION,
        )  # fmt: skip
        membership = tl.trans(layout)
        if BACKWARD:
            inside = (rows[:, None] < C) & (p[None, :] < length)
            g = tl.load(gradient + rows[:, None] * g_row + p[None, :] * g_step, mask=inside, other=0.0).to(tl.float32)
            one = tl.dot(g * value, membership, one, input_precision=PRECISION)
            two = tl.dot(g, membership, two, input_precision=PRECISION)
        else:
            one = tl.dot(value, membership, one, input_precision=PRECISION)
            two = tl.dot(value * value, membership, two, input_precision=PRECISION)
            masses += tl.sum(layout, 1)
    inside = (rows[:, None] < C) & (n[None, :] < N)
    to = part.to(tl.int64) * C * N + rows[:, None] * N + n[None, :]
    tl.store(first + to, one, mask=inside)
    tl.store(second + to, two, mask=inside)
    if not BACKWARD:
        tl.store(mass + part * N + n, masses, mask=(n < N) & (block == 0))


@triton.jit
def normalized(
    x, x_image, x_row, x_step, out, out_image, out_row, out_step, offset, value_weight, filters, base, scale, shift,
    length, tiles,
    C: tl.constexpr, N: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_K: tl.constexpr, BLOCK_N: tl.constexpr,
    BLOCK_P: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """out = x + V ∘ (A S) + D S of a tile of positions; scale A and shift D (B, C, N) hold the residual scale."""
    blocks: tl.constexpr = (C + BLOCK_C - 1) // BLOCK_C
    block, part = tl.program_id(0) % blocks, tl.program_id(0) // blocks
    image, tile = (part // tiles).to(tl.int64), part % tiles
    rows, n = block * BLOCK_C + tl.arange(0, BLOCK_C), tl.arange(0, BLOCK_N)
    p = tile * BLOCK_P + tl.arange(0, BLOCK_P)
    x, out = x + image * x_image, out + image * out_image
    offset, filters, base = offset + image * C, filters + image * N * C, base + image * N
    scale, shift = scale + image * C * N, shift + image * C * N
    value, layout = _project(
        x, x_row, x_step, offset, value_weight, filters, base, rows, n, p, length,
        C, N, BLOCK_C, BLOCK_K, BLOCK_N, BLOCK_P, PRECISION,
    )  # fmt: skip
    found = value * tl.dot(_matrix(scale, rows, n, C, N), layout, input_precision=PRECISION)
    found = tl.dot(_matrix(shift, rows, n, C, N), layout, found, input_precision=PRECISION)
    inside = (rows[:, None] < C) & (p[None, :] < length)
    found += tl.load(x + rows[:, None] * x_row + p[None, :] * x_step, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + rows[:, None] * out_row + p[None, :] * out_step, found.to(out.dtype.element_ty), mask=inside)


@triton.jit
def joint_gradient(
    x, x_image, x_row, x_step, gradient, g_image, g_row, g_step, joint, j_image, j_row, j_step,
    offset, value_weight, filters, base, scale, shift, by_square, by_total, by_mass, length, tiles,
    C: tl.constexpr, N: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_K: tl.constexpr, BLOCK_N: tl.constexpr,
    BLOCK_P: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """joint (B, C + N, L): the gradients of values and logits (without the temperature) of a tile of positions."""
    image, tile = (tl.program_id(0) // tiles).to(tl.int64), tl.program_id(0) % tiles
    n, p = tl.arange(0, BLOCK_N), tile * BLOCK_P + tl.arange(0, BLOCK_P)
    x, gradient, joint = x + image * x_image, gradient + image * g_image, joint + image * j_image
    offset, filters, base = offset + image * C, filters + image * N * C, base + image * N
    scale, shift = scale + image * C * N, shift + image * C * N
    by_square, by_total, by_mass = by_square + image * C * N, by_total + image * C * N, by_mass + image * N
    logits = tl.zeros((BLOCK_N, BLOCK_P), tl.float32)
    for start in range(0, C, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        centered = _centered(x, x_row, x_step, offset, k, p, length, C)
        logits = tl.dot(_matrix(filters, n, k, N, C), centered, logits, input_precision=PRECISION)
    layout = _layout(logits, base, n, p, length, N)
    # ∂/∂S = Aᵀ (G ∘ V) + Eᵀ V² + Mᵀ V + Dᵀ G + the mass, E and M the gradients of the two sums
    s = tl.zeros((BLOCK_N, BLOCK_P), tl.float32) + tl.load(by_mass + n, mask=n < N, other=0.0)[:, None]
    for block in range(0, C, BLOCK_C):
        rows = block + tl.arange(0, BLOCK_C)
        value = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
        for start in range(0, C, BLOCK_K):
            k = start + tl.arange(0, BLOCK_K)
            centered = _centered(x, x_row, x_step, offset, k, p, length, C)
            value = tl.dot(_matrix(value_weight, rows, k, C, C), centered, value, input_precision=PRECISION)
        inside = (rows[:, None] < C) & (p[None, :] < length)
        g = tl.load(gradient + rows[:, None] * g_row + p[None, :] * g_step, mask=inside, other=0.0).to(tl.float32)
        # ∂/∂V = G ∘ (A S) + V ∘ (2 E S) + M S
        a = _matrix(scale, rows, n, C, N)
        s = tl.dot(tl.trans(a), g * value, s, input_precision=PRECISION)
        for_value = g * tl.dot(a, layout, input_precision=PRECISION)
        s = tl.dot(tl.trans(_matrix(shift, rows, n, C, N)), g, s, input_precision=PRECISION)
        e = _matrix(by_square, rows, n, C, N)
        s = tl.dot(tl.trans(e), value * value, s, input_precision=PRECISION)
        for_value += 2 * value * tl.dot(e, layout, input_precision=PRECISION)
        m = _matrix(by_total, rows, n, C, N)
        s = tl.dot(tl.trans(m), value, s, input_precision=PRECISION)
        for_value = tl.dot(m, layout, for_value, input_precision=PRECISION)
        to = joint + rows[:, None] * j_row + p[None, :] * j_step
        tl.store(to, for_value.to(joint.dtype.element_ty), mask=inside)
    for_logits = layout * s
    for_logits -= layout * tl.sum(for_logits, 0)[None, :]
    to = joint + (C + n[:, None]) * j_row + p[None, :] * j_step
    tl.store(to, for_logits.to(joint.dtype.element_ty), mask=(n[:, None] < N) & (p[None, :] < length))


@triton.jit
def input_gradient(
    gradient, g_image, g_row, g_step, joint, j_image, j_row, j_step, out, out_image, out_row, out_step,
    value_weight, filters, length, tiles,
    C: tl.constexpr, N: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_K: tl.constexpr, BLOCK_N: tl.constexpr,
    BLOCK_P: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """out = G + W_vᵀ ∂/∂V + filtersᵀ ∂/∂logits of a tile of positions."""
    blocks: tl.constexpr = (C + BLOCK_C - 1) // BLOCK_C
    block, part = tl.program_id(0) % blocks, tl.program_id(0) // blocks
    image, tile = (part // tiles).to(tl.int64), part % tiles
    rows, n = block * BLOCK_C + tl.arange(0, BLOCK_C), tl.arange(0, BLOCK_N)
    p = tile * BLOCK_P + tl.arange(0, BLOCK_P)
    joint, filters = joint + image * j_image, filters + image * N * C
    gradient, out = gradient + image * g_image, out + image * out_image
    at_map = p[None, :] < length
    inside = (rows[:, None] < C) & at_map
    found = tl.load(gradient + rows[:, None] * g_row + p[None, :] * g_step, mask=inside, other=0.0).to(tl.float32)
    for start in range(0, C, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        by_value = tl.load(joint + k[:, None] * j_row + p[None, :] * j_step, mask=(k[:, None] < C) & at_map, other=0.0)
        to_input = tl.trans(_matrix(value_weight, k, rows, C, C))
        found = tl.dot(to_input, by_value.to(tl.float32), found, input_precision=PRECISION)
    by_logits = tl.load(
        joint + (C + n[:, None]) * j_row + p[None, :] * j_step, mask=(n[:, None] < N) & at_map, other=0.0
    )
    to_input = tl.trans(_matrix(filters, n, rows, N, C))
    found = tl.dot(to_input, by_logits.to(tl.float32), found, input_precision=PRECISION)
    tl.store(out + rows[:, None] * out_row + p[None, :] * out_step, found.to(out.dtype.element_ty), mask=inside)


@triton.jit
def weight_gradient(
    x, x_image, x_row, x_step, joint, j_image, j_row, j_step, offset, out, length, tiles, group, splits, tiles_each,
    C: tl.constexpr, FIRST: tl.constexpr, ROWS: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_K: tl.constexpr,
    BLOCK_P: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """out (groups · splits, ROWS, C): rows FIRST to FIRST + ROWS of joint times the centered x, over some positions.

    A group is ``group`` tiles, of one image or of all; each split of it sums over ``tiles_each``.
    """
    row_blocks: tl.constexpr = (ROWS + BLOCK_R - 1) // BLOCK_R
    blocks: tl.constexpr = row_blocks * ((C + BLOCK_K - 1) // BLOCK_K)
    block, part = tl.program_id(0) % blocks, tl.program_id(0) // blocks
    rows = (block % row_blocks) * BLOCK_R + tl.arange(0, BLOCK_R)
    k = (block // row_blocks) * BLOCK_K + tl.arange(0, BLOCK_K)
    begin = (part // splits) * group
    first = begin + (part % splits) * tiles_each
    found = tl.zeros((BLOCK_R, BLOCK_K), tl.float32)
    for place in range(first, min(first + tiles_each, begin + group)):
        image = (place // tiles).to(tl.int64)
        p = (place % tiles) * BLOCK_P + tl.arange(0, BLOCK_P)
        centered = _centered(x + image * x_image, x_row, x_step, offset + image * C, k, p, length, C)
        inside = (rows[:, None] < ROWS) & (p[None, :] < length)
        at = joint + image * j_image + (FIRST + rows[:, None]) * j_row + p[None, :] * j_step
        by_rows = tl.load(at, mask=inside, other=0.0).to(tl.float32)
        found = tl.dot(by_rows, tl.trans(centered), found, input_precision=PRECISION)
    to = part.to(tl.int64) * ROWS * C + rows[:, None] * C + k[None, :]
    tl.store(out + to, found, mask=(rows[:, None] < ROWS) & (k[None, :] < C))
