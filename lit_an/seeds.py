"""Seeds as functions of a position such as the iteration, so that no random state has to be saved."""


def mix_seed(*parts: int) -> int:
    """A well-mixed 63-bit seed, a function of the sequence ``parts`` alone, by the finalizer of splitmix64.

    Args:
        parts: any integers, such as a run's seed, an iteration and a rank.

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.

    Example:
        >>> mix_seed(0, 1) == mix_seed(0, 1), mix_seed(0, 1) == mix_seed(1, 0)
        (True, False)
    """
    mask = (1 << 64) - 1
    state = 0
    for part in parts:
        state = (state + (part & mask) + 0x9E3779B97F4A7C15) & mask
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
        state ^= state >> 31
    return state >> 1
