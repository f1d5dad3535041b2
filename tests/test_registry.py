"""The registry itself, apart from what is registered."""

import re

import pytest

from lit_an.errors import InputError
from lit_an.registry import Registry


def shapes() -> Registry[str]:
    registry: Registry[str] = Registry("shape")

    @registry.register("circle")
    def circle(radius: float, *, dashed: bool = False, width: float | None = None) -> str:
        return f"circle {radius} {dashed} {width}"

    @registry.register("star")
    def star(radius: float, points: int = 5) -> str:
        return f"star {radius} {points}"

    return registry


def test_create_and_factory() -> None:
    assert shapes().names() == ["circle", "star"]
    assert shapes().create("star", 2.0, points=6) == "star 2.0 6"
    assert shapes().factory("circle", dashed=True, width=None)(1.0) == "circle 1.0 True None"
    assert shapes().arguments("circle") == ["dashed", "width"]


@pytest.mark.parametrize(
    ("name", "kwargs", "sentence"),
    [
        ("stars", {}, "unknown shape 'stars', did you mean 'star'? Known: circle, star"),
        ("hexagon", {}, "unknown shape 'hexagon'. Known: circle, star"),
        ("star", {"point": 3}, "shape 'star' has no argument 'point', did you mean 'points'? It accepts: points"),
        ("star", {"points": 2.5}, "shape 'star': points must be int, got 2.5 (float)"),
        ("star", {"points": True}, "shape 'star': points must be int, got True (bool)"),
        ("circle", {"width": "1"}, "shape 'circle': width must be float | None, got '1' (str)"),
    ],
)
def test_sentences(name: str, kwargs: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        shapes().factory(name, **kwargs)


def test_an_int_is_a_float() -> None:
    assert shapes().create("circle", 1, width=2) == "circle 1 False 2"


def test_split_arguments_parts_mine_from_others_and_refuses_nobodys() -> None:
    assert shapes().split_arguments("star", {"points": 3, "dashed": True}) == ({"points": 3}, ["dashed"])
    with pytest.raises(InputError, match="has no argument 'shade'"):
        shapes().split_arguments("star", {"shade": 3})


def test_a_broken_entry_point_is_named_and_the_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    points = [
        EntryPoint("ghost", "no_such_module_anywhere:Ghost", "some.group"),
        EntryPoint("number", "math:pi", "some.group"),
        EntryPoint("square", "math:isqrt", "some.group"),
        EntryPoint("taken", "math:floor", "some.group"),
    ]
    monkeypatch.setattr("lit_an.registry.entry_points", lambda group: points)
    shapes = Registry[str]("shape", entry_point_group="some.group")
    shapes.register("taken")(len)  # type: ignore[arg-type]
    with pytest.warns(UserWarning, match="the shape 'ghost' of the installed package no_such_module_anywhere:Ghost"):
        assert shapes.names() == ["square", "taken"]
    assert shapes.create("square", 9) == 3
    for name, sentence in (("ghost", "No module named 'no_such_module_anywhere'"), ("number", "is not a callable")):
        with pytest.raises(InputError, match=sentence):
            shapes.get(name)


def test_a_class_in_the_place_of_a_name_is_named() -> None:
    shapes = Registry[str]("shape")
    shapes.register("text")(str)
    with pytest.raises(InputError, match=r"a shape is named by a text, got str\. Known: text"):
        shapes.get(str)  # type: ignore[arg-type]
