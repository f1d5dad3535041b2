"""The tables of costs in docs/recipes.md: their command lines, and parameters beside the published networks."""

from itertools import pairwise
from typing import Any

import pytest

from lit_an.training_costs.devices import USABLE
from lit_an.training_costs.estimate import Setting, estimate
from tests.benchmark_modules import BENCHMARKS, loaded
from tests.test_configs import parsed

ROOT = BENCHMARKS.parent


@pytest.fixture(scope="module")
def recipes() -> Any:
    return loaded("recipes")


def test_a_recipe_counts_its_own_networks(recipes: Any) -> None:
    """FLOPs of an image do not depend on how many there are; half precision keeps about half."""
    config = recipes.config_of(recipes.PAPER)
    task = recipes.build(config, width=4, num_classes=3)
    each = recipes.flops_per_image(task, images=2)
    assert recipes.flops_per_image(task, images=4) == pytest.approx(each, rel=1e-3)
    wide = recipes.flops_per_image(recipes.build(config, width=8, num_classes=3), images=2)
    assert 3 < wide / each < 4.5
    ratio = recipes.kept_per_image(task, "bf16-mixed") / recipes.kept_per_image(task, "32-true")
    assert 0.45 < ratio < 0.75


# The table of machines in docs/recipes.md.


def rows_of_machines() -> list[dict[str, str]]:
    """The table's rows, by the names of its columns."""
    lines = (ROOT / "docs/recipes.md").read_text().splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("| recipe | machine |"))
    names, rows = cells(lines[start]), []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(names, cells(line), strict=True)))
    return rows


def cells(line: str) -> list[str]:
    return [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]


ROWS = rows_of_machines()
# The others differ little from these two: other layers, other data.
FEW = ("imagenet128_an", "places256_an")


def row_id(row: dict[str, str]) -> str:
    return f"{row['recipe']} on {row['machine']}"


def row_mark(row: dict[str, str]) -> Any:
    quick = row["recipe"] in FEW and not row["machine"].startswith("1 × A100")
    return pytest.param(row, id=row_id(row), marks=[] if quick else [pytest.mark.slow])


def test_every_recipe_has_a_row_for_every_machine(recipes: Any) -> None:
    expected = [
        (path.stem, machine.name) for path in (*recipes.RECIPES, *recipes.INPAINTING) for machine in recipes.MACHINES
    ]
    assert [(row["recipe"], row["machine"]) for row in ROWS] == expected


@pytest.mark.parametrize("row", [row_mark(row) for row in ROWS])
def test_a_command_line_of_the_table_parses_and_fits_its_machine(recipes: Any, row: dict[str, str]) -> None:
    """The options of the row, as ``fit`` understands them, have the memory that the row says, below the card's."""
    path = next(path for path in (*recipes.RECIPES, *recipes.INPAINTING) if path.stem == row["recipe"])
    machine = next(machine for machine in recipes.MACHINES if machine.name == row["machine"])
    options = [str(ROOT / word) if word.startswith("configs/") else word for word in row["options"].split()]
    given: Any = parsed(path, extra=tuple(options))
    images, task = given["data"]["init_args"]["batch_size"], recipes.build(given)
    batch, published = machine.count * images, recipes.config_of(path)["data"]["init_args"]["batch_size"]
    assert batch == published, "the batch of the recipe"
    assert given["trainer"]["devices"] == machine.count
    precision = given["trainer"]["precision"]
    setting = Setting(images, given["data"]["init_args"]["image_size"], precision, machine.count)
    memory = estimate(task, setting, given["iterations"]).memory
    assert f"{memory / 1e9:.1f}" == row["GB a device"]
    assert memory < USABLE * machine.device.memory
    assert row["images a device, at once"] == f"{images}, {images // task.accumulate}"


# Parameters of the published networks, layer by layer. Every convolution and linear layer has biases but where noted.


def conv(inputs: int, outputs: int, kernel: int = 3) -> int:
    return inputs * outputs * kernel**2 + outputs


def linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def conditional(features: int, condition: int = 1000) -> int:
    """Gain and shift of a conditional batch norm, without biases."""
    return 2 * condition * features


def attention(features: int) -> int:
    """Of a non-local block: four 1×1 convolutions without biases, and the gain."""
    return features * (features // 8 + features // 8 + features // 2) + features // 2 * features + 1


def generator(width: int, latent: int, condition: int, long_range: int) -> int:
    """A linear layer to 4×4, five blocks, and batch norm and a convolution that do not see the class."""
    total = linear(latent, 16 * width * 4 * 4) + long_range
    for inputs, outputs in pairwise([width * multiple for multiple in (16, 16, 8, 4, 2, 1)]):
        total += conditional(inputs, condition) + conv(inputs, outputs)
        total += conditional(outputs, condition) + conv(outputs, outputs)
        total += conv(inputs, outputs, 1)
    return total + 2 * width + conv(width, 3)


def discriminator(width: int, wide: bool, long_range: int) -> int:
    """Five blocks that halve, one that does not and has no skip of its own, the logit, the embedding."""
    total = conv(3, width) + conv(width, width) + conv(3, width, 1) + long_range
    for inputs, outputs in pairwise([width * multiple for multiple in (1, 2, 4, 8, 16)]):
        hidden = outputs if wide else inputs
        total += conv(inputs, hidden) + conv(hidden, outputs) + conv(inputs, outputs, 1)
    total += 2 * conv(16 * width, 16 * width)
    return total + linear(16 * width, 1) + 1000 * 16 * width


def hierarchical(width: int) -> int:
    """BigGAN's generator has 20 of its 120 numbers of the latent at the foot, and 20 more in each conditional norm."""
    features = [width * multiple for multiple in (16, 16, 8, 4, 2, 1)]
    norms = sum(conditional(inputs, 20) + conditional(outputs, 20) for inputs, outputs in pairwise(features))
    return norms - (128 - 20) * 16 * width * 4 * 4


# gen_models/resnet.py and dis_models/snresnet.py of SNGAN-projection; generator_test and discriminator_test of SAGAN;
# G_arch and D_arch at 128 of BigGAN-PyTorch, scripts/launch_BigGAN_bs256x8.sh, with the embedding for all classes.
PUBLISHED = {
    "imagenet128_sngan": (generator(64, 128, 1000, 0), discriminator(64, wide=False, long_range=0)),
    "imagenet128_sagan": (
        generator(64, 128, 1000, attention(256)),
        discriminator(64, wide=True, long_range=attention(128)),
    ),
    "imagenet128_modern": (
        generator(96, 128, 128, attention(192)) + 1000 * 128 + hierarchical(96),
        discriminator(96, wide=True, long_range=attention(96)),
    ),
}


def test_the_sums_give_the_parameters_of_the_published_modules() -> None:
    """Counted in the modules of BigGAN-PyTorch itself; the others are made of the same sums."""
    assert PUBLISHED["imagenet128_modern"] == (70_433_988, 87_982_370)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_recipe_has_as_many_parameters_as_the_published_code(recipes: Any, name: str) -> None:
    """Of its generator but for what its head says under Differs: attentive normalization, and latents in each block."""
    config = recipes.config_of(next(path for path in recipes.RECIPES if path.stem == name))
    long_range = {"long_range": "self_attention", "long_range_kwargs": None} if "modern" in name else {}
    task = recipes.build(config, **long_range)
    latents = hierarchical(96) if "modern" in name else 0
    assert (recipes.parameters(task.generator) + latents, recipes.parameters(task.discriminator)) == PUBLISHED[name]


def test_the_papers_recipe_has_the_parameters_of_sagan_but_for_the_long_range_layers(recipes: Any) -> None:
    config = recipes.config_of(recipes.PAPER)
    task = recipes.build(config, long_range="none", long_range_kwargs=None)
    counts = recipes.parameters(task.generator), recipes.parameters(task.discriminator)
    assert counts == (generator(64, 128, 1000, 0), discriminator(64, wide=True, long_range=0))
