"""Shards for inpainting: made of every layout of photographs, the same pixels as from the folder, labels ignored."""

import hashlib
from itertools import islice
from pathlib import Path

import pytest
import torch

from lit_an.batch import InpaintingBatch
from lit_an.data import CelebAHQ, EarthTiles, ImageFolder, ParisStreetView, Photographs, Places365, PreparedPhotographs
from lit_an.data.manifest import Recipe
from lit_an.data.preparation import prepare
from lit_an.data.sources import Layout, Lists, Source, TileSource, layout_of, open_source
from lit_an.errors import InputError
from tests.photo_folders import make_faces, make_paris, make_photographs, make_places, write

pytest.importorskip("streaming")
# Of the validation images of the folder that many tests share: its paths and labels, fixed for good.
LISTING = "54fb32291391407b"

pytestmark = pytest.mark.filterwarnings("ignore:CelebA-HQ has")


def made(source: Source, out: Path, image_size: int = 16, stored_as: str = "raw") -> Path:
    outcome = prepare(source, out, Recipe(image_size, stored_as, 95, images_per_shard=4))
    assert outcome.manifest is not None, outcome.complaint
    return out


def same(first: InpaintingBatch, second: InpaintingBatch) -> bool:
    return torch.equal(first.image, second.image) and torch.equal(first.mask, second.mask)


@pytest.mark.parametrize("stored_as", ["raw", "png"])
def test_training_sees_what_it_sees_of_the_folder(tmp_path: Path, stored_as: str) -> None:
    root = make_photographs(tmp_path / "root", 30)
    shards = made(open_source(str(root), 16, layout="photographs"), tmp_path / "out", stored_as=stored_as)
    folder = Photographs(root, 16, crop="centre", batch_size=5, seed=3)
    prepared = PreparedPhotographs(shards, 16, batch_size=5, seed=3)
    both = zip(folder.train_dataloader(), prepared.train_dataloader(), strict=True)
    assert all(same(ours, theirs) for ours, theirs in islice(both, 12))
    for ours, theirs in zip(folder.val_dataloader(), prepared.val_dataloader(), strict=True):
        assert same(ours, theirs)


@pytest.mark.parametrize(
    ("layout", "make", "kind"),
    [
        ("places365", make_places, Places365),
        ("paris_street_view", make_paris, ParisStreetView),
        ("celeba_hq", make_faces, CelebAHQ),
        ("photographs", make_photographs, Photographs),
    ],
)
def test_every_layout_has_its_splits(tmp_path: Path, layout: Layout, make: object, kind: type) -> None:
    root = make(tmp_path / "root")  # type: ignore[operator]
    folder = kind(root, 16, crop="centre")
    shards = PreparedPhotographs(made(open_source(str(root), 16, layout=layout), tmp_path / "out"), 16)
    assert shards.manifest["class_names"] == ["all"]
    assert set(shards.manifest["splits"]) == {"train", "val"}
    for split in ("train", "val", "test"):
        ours, theirs = folder.dataset(split), shards.dataset(split)  # type: ignore[arg-type]
        assert len(ours) == len(theirs)
        assert all(same(ours[index], theirs[index]) for index in range(len(ours)))


def test_lists_are_prepared_in_their_order(tmp_path: Path) -> None:
    root = make_faces(tmp_path / "root", 12)
    for name, lines in (("val", "11.jpg\n3.jpg\n"), ("test", "0.jpg\n")):
        (tmp_path / f"{name}.flist").write_text(lines)
    lists = Lists(val=str(tmp_path / "val.flist"), test=str(tmp_path / "test.flist"))
    shards = PreparedPhotographs(
        made(open_source(str(root), 16, layout="celeba_hq", lists=lists), tmp_path / "out"), 16
    )
    sizes = {name: split["images"] for name, split in shards.manifest["splits"].items()}
    assert sizes == {"train": 9, "val": 2, "test": 1}
    blue = [float(shards.dataset("val")[index].image[2].mean()) for index in range(2)]
    assert blue == pytest.approx([110 / 127.5 - 1, 30 / 127.5 - 1], abs=0.03)


def test_a_layout_is_found_out(tmp_path: Path) -> None:
    assert layout_of("earth_tiles") == "earth_tiles"
    assert layout_of(str(make_places(tmp_path / "places"))) == "places365"
    assert layout_of(str(make_paris(tmp_path / "paris"))) == "paris_street_view"
    assert layout_of(str(make_faces(tmp_path / "flat"))) == "photographs"
    for split in ("train", "val"):
        make_faces(tmp_path / "split" / split, 3)
    assert layout_of(str(tmp_path / "split")) == "photographs"
    assert layout_of(str(make_photographs(tmp_path / "deep"))) == "classes"
    assert layout_of(str(tmp_path / "nowhere")) == "classes"


def test_large_places_go_before_small_ones(tmp_path: Path) -> None:
    root = make_places(tmp_path)
    for path in list((root / "data_256").rglob("*.jpg")) + list((root / "val_256").rglob("*.jpg")):
        large = path.relative_to(root).as_posix().replace("_256", "_large")
        write(root / large, 3, (60, 90))
    split = open_source(str(root), 16).splits["train"]
    assert "data_large" in split.name(0)


def test_labelled_shards_serve_too(tmp_path: Path, image_folder: Path) -> None:
    shards = PreparedPhotographs(made(open_source(str(image_folder), 16), tmp_path / "out"), 16)
    folder = ImageFolder(image_folder, 16)
    assert len(shards.manifest["class_names"]) == 3
    assert torch.equal(shards.dataset("val")[2].image, folder.dataset("val")[2].image)


def test_regions_are_kept(tmp_path: Path, few_tiles: EarthTiles) -> None:
    tiles = few_tiles.dataset("val")
    few = TileSource(tiles)  # type: ignore[arg-type]
    labels = torch.tensor(few.labels)
    few.tiles.positions = few.tiles.positions[[int((labels == label).nonzero()[0]) for label in range(6)]]
    source = Source(few_tiles.class_names, {"train": few, "val": few}, [])
    shards = PreparedPhotographs(made(source, tmp_path / "out", 32, "png"), 32)
    for index in range(6):
        item = shards.dataset("val")[index]
        assert torch.equal(item.image, tiles[index].image)
        assert item.regions is not None
        assert torch.equal(item.regions, tiles[index].regions)


def test_shards_may_be_larger_but_not_smaller(tmp_path: Path) -> None:
    root = make_photographs(tmp_path / "root", 6)
    shards = made(open_source(str(root), 16, layout="photographs", val_fraction=0.4), tmp_path / "out")
    assert PreparedPhotographs(shards, 8, crop="random").dataset("train")[0].image.shape == (3, 8, 8)
    with pytest.raises(InputError) as caught:
        PreparedPhotographs(shards, 32)
    assert str(caught.value) == (
        f"data: the shards in {str(shards)!r} hold images of 16 px, less than image_size=32; lower it, or prepare "
        f"shards of 32 px"
    )


def test_shards_are_fetched_once(tmp_path: Path) -> None:
    root = make_photographs(tmp_path / "root", 6)
    shards = made(open_source(str(root), 16, layout="photographs", val_fraction=0.4), tmp_path / "out")
    data = PreparedPhotographs(shards, 16, cache_dir=str(tmp_path / "cache"))
    data.prepare_data()
    for path in shards.rglob("*.mds"):
        path.unlink()
    again = PreparedPhotographs(shards, 16, cache_dir=str(tmp_path / "cache"))
    assert same(again.dataset("val")[0], data.dataset("val")[0])
    assert again.folder.parent == tmp_path / "cache"


def test_hashes_of_labelled_sources_are_what_they_were(tmp_path: Path, image_folder: Path) -> None:
    """A source's listing names its shards' plan: were it another, every finished preparation would begin anew."""
    split = open_source(str(image_folder), 16).splits["val"]
    lines = list(split.listing())
    path, label = lines[0].split("\t")
    assert path.split("/")[0] == ["blue", "green", "red"][int(label)]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] == LISTING


def test_arguments_of_other_layouts_are_refused(tmp_path: Path) -> None:
    root = make_places(tmp_path / "places")
    for arguments, sentence in (
        ({"classes": 2}, r"classes and val_labels are for ImageNet's layout"),
        ({"lists": Lists(val="x.txt")}, r"lists are for the layouts photographs and celeba_hq; '.*' is places365$"),
        ({"layout": "places"}, r"layout must be one of auto, imagenet, .*, earth_tiles, got 'places'$"),
    ):
        with pytest.raises(InputError, match=f"^prepare: {sentence}"):
            open_source(str(root), 16, **arguments)  # type: ignore[arg-type]
