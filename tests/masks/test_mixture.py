"""Mixtures keep their weights, and are built from a config as the command line builds them."""

import warnings

import pytest
import torch
from jsonargparse import ArgumentParser

from lit_an.errors import InputError
from lit_an.masks import Border, Center, FreeForm, Half, HoleShape, Mixture, Rectangle, Strokes

CONFIG = """
mask:
  class_path: lit_an.masks.Mixture
  init_args:
    shapes:
    - class_path: lit_an.masks.Rectangle
      init_args: {height: 0.25}
    - class_path: lit_an.masks.Mixture
      init_args:
        shapes:
        - class_path: lit_an.masks.Strokes
          init_args: {thickness: thick}
        - class_path: lit_an.masks.FreeForm
    weights: [1, 2.5]
"""


class Data:
    """Something with a mask, as a data module is."""

    def __init__(self, mask: HoleShape, image_size: int = 8) -> None:
        self.mask, self.image_size = mask, image_size


def parser() -> ArgumentParser:
    found = ArgumentParser(exit_on_error=False, parser_mode="omegaconf+")
    found.add_argument("--config", action="config")
    found.add_class_arguments(Data, None)
    return found


@pytest.mark.parametrize("weights", [[1, 3, 0, 4], [0.25, 0.75, 0.0, 1.0]])
def test_weights_are_kept(weights: list[float]) -> None:
    shapes: list[HoleShape] = [Center(0.25, 0.25), Center(0.5, 0.5), Center(0.75, 1.0), Half()]
    shares = torch.stack([Mixture(shapes, weights).draw(16, 16, seed).mean() for seed in range(2000)])
    for share, weight in zip((1 / 16, 1 / 4, 3 / 4, 1 / 2), weights, strict=True):
        assert abs(float((shares == share).float().mean()) - weight / sum(weights)) < 0.05


def test_without_weights_each_is_as_likely() -> None:
    mixture = Mixture([Center(0.25, 0.25), Half()])
    halves = sum(float(mixture.draw(16, 16, seed).mean()) == 0.5 for seed in range(1000))
    assert 430 < halves < 570


def test_the_choice_says_nothing_about_what_is_chosen() -> None:
    """The shape draws with a seed of its own: in a mixture it is as varied as alone."""
    mixture = Mixture([Half(), Center(0.25, 0.25)])
    drawn = [mixture.draw(8, 8, seed) for seed in range(400)]
    kinds = [mask.numpy().tobytes() for mask in drawn if mask.mean() == 0.5]
    assert len({*kinds}) == 4
    assert all(abs(kinds.count(kind) / len(kinds) - 0.25) < 0.12 for kind in {*kinds})


def test_a_config_with_mixtures_in_mixtures_is_built() -> None:
    parsed = parser().parse_string(CONFIG)
    mask = parser().instantiate(parsed).mask
    assert isinstance(mask, Mixture)
    rectangle, inner = mask.shapes
    assert isinstance(rectangle, Rectangle)
    assert (rectangle.height, rectangle.width) == (0.25, 0.5)
    assert mask.weights == [1, 2.5]
    assert isinstance(inner, Mixture)
    strokes, free_form = inner.shapes
    assert isinstance(strokes, Strokes)
    assert strokes.thickness == "thick"
    assert isinstance(free_form, FreeForm)
    assert mask.draw(16, 16, 0).shape == (1, 16, 16)
    # What is written into a run folder builds the same again.
    again = parser().instantiate(parser().parse_string(parser().dump(parsed))).mask
    assert again.description() == mask.description()


def test_a_shape_is_named_and_changed_on_the_command_line() -> None:
    arguments = ["--mask=lit_an.masks.Border", "--mask.max_width=0.3", "--mask.side_probability=0.5"]
    border = parser().instantiate(parser().parse_args(arguments)).mask
    assert isinstance(border, Border)
    assert (border.max_width, border.side_probability) == (0.3, 0.5)
    short = parser().instantiate(parser().parse_args(["--mask=Half", "--mask.side=top"])).mask
    assert isinstance(short, Half)
    assert short.side == "top"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--mask=Strokes", "--mask.thickness=fat"], "thin"),
        (["--mask=Rectangle", "--mask.hight=0.5"], "hight"),
        (["--mask=Rectangle", "--mask.height=a lot"], "height"),
    ],
)
def test_what_a_parser_can_see_it_refuses(arguments: list[str], sentence: str) -> None:
    with warnings.catch_warnings(), pytest.raises(Exception, match=sentence):
        parser().parse_args(arguments)


def test_mixtures_that_cannot_be() -> None:
    with pytest.raises(InputError, match="Mixture: shapes is empty; give at least one"):
        Mixture([])
    with pytest.raises(InputError, match="weights must be as many as shapes, got 2 weights for 1 shapes"):
        Mixture([Half()], weights=[1, 2])
    for weights in ([-1.0, 2.0], [0.0, 0.0], [float("nan"), 1.0]):
        with pytest.raises(InputError, match="weights must be at least 0 and not all 0"):
            Mixture([Half(), Center()], weights=weights)
