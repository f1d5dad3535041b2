"""Where a small picture is in a large one."""

from torch import Tensor


def place_of(picture: Tensor, sheet: Tensor) -> tuple[int, int]:
    """Top and left of a picture that is in a sheet exactly once, both (3, height, width), uint8."""
    height, width = picture.shape[1:]
    windows = sheet.unfold(1, height, 1).unfold(2, width, 1)  # a view
    same = (windows[:, :, :, 0, 0] == picture[:, None, None, 0, 0]).all(0)
    found = [
        (top, left)
        for top, left in same.nonzero().tolist()
        if bool((sheet[:, top : top + height, left : left + width] == picture).all())
    ]
    assert len(found) == 1, f"found {len(found)} times"
    return found[0]


def enlarged(picture: Tensor, factor: int) -> Tensor:
    return picture.repeat_interleave(factor, dim=-2).repeat_interleave(factor, dim=-1)
