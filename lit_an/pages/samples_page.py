"""The page for samples of a class-conditional generator: a grid, the walk between two of them, and their regions."""

import time
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from lit_an.errors import InputError
from lit_an.norms.region_editing import Move, Region, layers_with_regions
from lit_an.pages.elements import comparison, pictures, regions, row_of, said_line, sentence
from lit_an.pages.region_views import data_url, reduced, region_views
from lit_an.pages.server import said_on_the_page
from lit_an.pages.work import Work
from lit_an.sampling.images import sample
from lit_an.sampling.pairs import Sample, pair_with_layouts, pair_with_moved_regions, walk
from lit_an.trained.generator import TrainedGenerator

# Images at once, so that a visitor does not wait long and no one waits long for others.
_MOST = 64
_STEPS = 9
# Longest side in px of an image on the page.
_LARGEST = 512
# A truncation from here on is none: of 1000 values 3 are beyond it.
_NO_TRUNCATION = 3.0
# Above so many classes, they are chosen from a list that can be searched.
_BOXES = 20
_MOVES = ("A's region gets the statistics of B's", "B's region gets the statistics of A's", "They swap")


def build_samples_page(gradio: Any, generator: TrainedGenerator, work: Work) -> None:
    """Adds to the ``gradio.Blocks`` that is open: samples, and what can be done with two of them.

    Args:
        gradio: the package, from ``quiet_gradio``.
        generator: what makes the samples.
        work: of the page.
    """
    names = generator.class_names
    layer = next(iter(layers_with_regions(generator.network)), None)

    def pair_of(*numbers: Any) -> list[Sample]:
        first, first_seed, second, second_seed = numbers
        return [
            Sample(_label(names, first), _seed(first_seed, "A")),
            Sample(_label(names, second), _seed(second_seed, "B")),
        ]

    def draw(session: str, classes: Sequence[str], count: float, seed: float, truncation: float) -> list[Any]:
        start = time.perf_counter()
        labels = [_label(names, name) for name in classes or []]
        if not labels:
            raise InputError("choose at least one class")
        if len(labels) * int(count) > _MOST:
            raise InputError(f"this page draws up to {_MOST} images at once; choose fewer classes or images per class")
        wanted = [Sample(label, _seed(seed, "") + at) for label in labels for at in range(int(count))]
        with work.turn():
            seeds = [each.seed for each in wanted]
            images = sample(generator, [each.label for each in wanted], seeds, _truncation(truncation))
        shown = [
            (_shown(image), f"{names[each.label]}, seed {each.seed}")
            for image, each in zip(images, wanted, strict=True)
        ]
        rows = [
            row_of(shown[at * int(count) : (at + 1) * int(count)], title=names[label])
            for at, label in enumerate(labels)
        ]
        return [gradio.update(rows=rows), sentence(f"{len(images)} images in {time.perf_counter() - start:.1f} s")]

    def chosen_in_turn(name: str, turn: int) -> list[Any]:
        """Makes the image that was pressed on A, the next one B, and so on."""
        of_class, _, drawn = str(name).rpartition(", seed ")
        chosen, other = [of_class, int(drawn)], [gradio.skip(), gradio.skip()]
        return [1 - turn, *(other if turn else chosen), *(chosen if turn else other)]

    def compare(session: str, truncation: float, *numbers: Any) -> list[Any]:
        pair = pair_of(*numbers)
        with work.turn():
            images = walk(generator, pair[0], pair[1], _STEPS, _truncation(truncation))
            both, layouts = pair_with_layouts(generator, pair, _truncation(truncation))
        way = [(_shown(image), f"{100 * step / (_STEPS - 1):.0f} %") for step, image in enumerate(images)]
        views = [
            region_views(
                both[number, None], {name: each[number, None] for name, each in layouts.items() if name == layer}
            )
            for number in (0, 1)
        ]
        rows = [row_of(way, captions=True)]
        return [gradio.update(rows=rows), *(gradio.update(views=view) for view in views), *_not_edited(gradio), ""]

    def edit(
        session: str, truncation: float, move: str, share: float, first: Any, second: Any, *numbers: Any
    ) -> list[Any]:
        pair = pair_of(*numbers)
        if layer is None or first in (None, "") or second in (None, ""):
            raise InputError("choose a region of A and a region of B")
        a, b = Region(0, int(first)), Region(1, int(second))
        moves = {_MOVES[0]: [Move(b, a)], _MOVES[1]: [Move(a, b)], _MOVES[2]: [Move(b, a), Move(a, b)]}[move]
        with work.turn():
            before, _ = pair_with_layouts(generator, pair, _truncation(truncation))
            after = pair_with_moved_regions(generator, pair, layer, moves, share / 100, _truncation(truncation))
        shown: list[Any] = []
        for number in (0, 1):
            changed = any(target.image == number for _, target in moves)
            sides = [_shown(images[number]) if changed else "" for images in (before, after)]
            shown += [gradio.update(visible=changed), gradio.update(before=sides[0], after=sides[1])]
        return [*shown, sentence(f"region {a.region} of A and region {b.region} of B: {move}")]

    gradio.Markdown(
        f"# Draw samples, walk between two, edit their regions\nA generator with attentive normalization draws "
        f"{generator.image_size} px images of {len(names)} classes. Choose classes, then two images to compare."
    )
    with gradio.Row():
        with gradio.Column(scale=1, min_width=280):
            classes = _choice_of_classes(gradio, names)
            count = gradio.Slider(1, 12, 6, step=1, label="Images per class", elem_id="count")
            with gradio.Row():
                seed = gradio.Number(0, label="First seed", precision=0, elem_id="seed", min_width=120)
                others = gradio.Button("Other seeds", elem_id="others", min_width=120)
            truncation = gradio.Slider(
                0.2,
                _NO_TRUNCATION,
                _NO_TRUNCATION,
                step=0.1,
                label="Truncation",
                info=f"Smaller: more typical images, less varied. {_NO_TRUNCATION:g}: none.",
                elem_id="truncation",
            )
            button = gradio.Button("Draw", variant="primary", elem_id="draw")
            said = said_line(gradio, "draw_said")
        with gradio.Column(scale=2, min_width=280):
            grid = pictures(gradio, "grid", chooses=True)
    gradio.Markdown("## Two of them\nPress on an image above to make it A, on another one to make it B.")
    with gradio.Row():
        pair = [
            part
            for letter, label, number in (("A", 1 % len(names), 3), ("B", 3 % len(names), 4))
            for part in (
                gradio.Dropdown(
                    names, value=names[label], label=f"Class of {letter}", elem_id=f"class_{letter}", min_width=130
                ),
                gradio.Number(number, label=f"Seed of {letter}", precision=0, elem_id=f"seed_{letter}", min_width=130),
            )
        ]
    gradio.Markdown("The walk from A to B, through latents and classes:")
    way = pictures(gradio, "walk")
    pair_said = said_line(gradio, "pair_said")
    with gradio.Column(visible=layer is not None):
        gradio.Markdown(
            "## Their regions\nAttentive normalization found these regions by itself. Choose one of each image, by "
            "pressing on the image or on a name: its mean and spread in the network become those of the other."
        )
        with gradio.Row():
            with gradio.Column(min_width=280):
                gradio.Markdown("### A")
                first = regions(gradio, "regions_A", chooses=True)
            with gradio.Column(min_width=280):
                gradio.Markdown("### B")
                second = regions(gradio, "regions_B", chooses=True)
        move = gradio.Radio(_MOVES, value=_MOVES[0], label="What to do", elem_id="move")
        share = gradio.Slider(0, 100, 70, step=5, label="How far, in percent", elem_id="share")
        apply = gradio.Button("Apply", variant="primary", elem_id="apply")
        edit_said = said_line(gradio, "edit_said")
        with gradio.Row():
            edited: list[Any] = []
            for letter in "AB":
                with gradio.Column(visible=False, min_width=280) as place:
                    gradio.Markdown(f"### {letter}, before and after")
                    edited += [place, comparison(gradio, f"edited_{letter}")]
    at_once = {"concurrency_id": "generator", "concurrency_limit": 1, "show_progress": "minimal"}
    comparing = said_on_the_page(gradio, work, compare, [gradio.skip()] * 7)
    drawing = said_on_the_page(gradio, work, draw, [gradio.skip()])
    editing = said_on_the_page(gradio, work, edit, [gradio.skip()] * 4)
    compared = [way, first, second, *edited, pair_said]
    draw_inputs, compare_inputs = [classes, count, seed, truncation], [truncation, *pair]
    button.click(drawing, draw_inputs, [grid, said], api_name="draw", **at_once)
    others.click(
        lambda seed, count: int(seed or 0) + int(count), [seed, count], [seed], api_visibility="private", queue=False
    ).then(drawing, draw_inputs, [grid, said], api_visibility="private", **at_once)
    gradio.on(
        [part.change for part in pair] + [truncation.release],
        comparing,
        compare_inputs,
        compared,
        api_name="compare",
        trigger_mode="always_last",
        **at_once,
    )
    apply.click(
        editing, [truncation, move, share, first, second, *pair], [*edited, edit_said], api_name="edit", **at_once
    )
    turn = gradio.State(0)
    grid.select(chosen_in_turn, [grid, turn], [turn, *pair], api_visibility="private", queue=False)
    blocks = gradio.context.Context.root_block
    blocks.load(drawing, draw_inputs, [grid, said], api_visibility="private", **at_once)
    blocks.load(comparing, compare_inputs, compared, api_visibility="private", **at_once)


def _choice_of_classes(gradio: Any, names: Sequence[str]) -> Any:
    if len(names) <= _BOXES:
        return gradio.CheckboxGroup(names, value=names, label="Classes", elem_id="classes")
    return gradio.Dropdown(names, value=names[:4], multiselect=True, label="Classes", elem_id="classes")


def _not_edited(gradio: Any) -> list[Any]:
    """What the results of an edit are for another pair."""
    return [gradio.update(visible=False), gradio.update(before="", after="")] * 2


def _label(names: Sequence[str], name: str | None) -> int:
    if name not in names:
        raise InputError(f"there is no class {name!r}; choose one of the list")
    return names.index(name)


def _seed(value: float | None, of: str) -> int:
    if value is None or not 0 <= int(value) < 2**31:
        raise InputError(f"the seed{of and f' of {of}'} must be a whole number from 0 to {2**31 - 1}")
    return int(value)


def _truncation(value: float) -> float | None:
    return None if value >= _NO_TRUNCATION else float(value)


def _shown(image: Tensor) -> str:
    """An image (3, H, W), in [-1, 1], for the page."""
    return data_url(reduced(image[None], _LARGEST))
