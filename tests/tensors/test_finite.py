"""What is not a finite number is found, and large numbers are not taken for it."""

import torch

from lit_an.tensors.finite import first_non_finite


def test_the_first_that_is_not_finite_is_named() -> None:
    infinite = torch.tensor([float("inf"), -float("inf")])
    tensors = {"a": torch.ones(3), "count": torch.arange(3), "b": infinite, "c": torch.tensor(float("nan"))}
    assert first_non_finite(tensors) == "b"
    assert first_non_finite({"d": torch.zeros(0), "e": torch.tensor([complex(1, float("inf"))])}) == "e"


def test_large_numbers_whose_sum_overflows_are_finite() -> None:
    large = {"float32": torch.full((10,), 3e38), "float16": torch.full((9,), 60000.0, dtype=torch.float16)}
    assert first_non_finite(large) is None
    large["float16"][4] = float("nan")
    assert first_non_finite(large) == "float16"
