"""The images below a folder: links that lead back, elsewhere or nowhere; what is left out, and who says so."""

import os
from pathlib import Path

import pytest

from lit_an.data import InpaintingData
from lit_an.data.sources import ImageFolder, Photographs
from lit_an.data.sources.detection import source_at
from lit_an.data.sources.walking import LeftOut, sub_folders, walk
from lit_an.errors import InputError
from tests.photo_folders import write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("cat/0.png", "cat/deep/1.png", "dog/2.png"):
        write(tmp_path / "root" / name)
    return tmp_path / "root"


def images(folder: Path) -> list[str]:
    return walk(folder).images[""]


def test_a_link_to_a_folder_above_ends(root: Path) -> None:
    (root / "cat" / "loop").symlink_to(root)
    (root / "cat" / "deep" / "up").symlink_to("..")
    (root / "dog" / "far").symlink_to(root.parent)
    (root / "dog" / "self").symlink_to("self")
    images, left_out, _ = walk(root)
    assert images[""] == ["cat/0.png", "cat/deep/1.png", "dog/2.png"]
    assert left_out.repeated == ["cat/deep/up", "cat/loop", "dog/far"]
    assert left_out.broken == ["dog/self"]


def test_a_file_counts_once_at_its_own_place(root: Path) -> None:
    (root / "also").symlink_to(root / "cat")
    (root / "bird").symlink_to("cat/deep")
    (root / "a.png").symlink_to("dog/2.png")
    assert images(root) == ["cat/0.png", "cat/deep/1.png", "dog/2.png"]


def test_what_lies_elsewhere_is_taken_once(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "pool" / "in" / "3.png")
    write(tmp_path / "pool" / "4.png")
    (root / "dog" / "a").symlink_to(tmp_path / "pool" / "in")
    (root / "dog" / "b").symlink_to(tmp_path / "pool")
    (root / "dog" / "c.png").symlink_to(tmp_path / "pool" / "in" / "3.png")
    (tmp_path / "pool" / "back").symlink_to(root)
    assert images(root)[2:] == ["dog/2.png", "dog/a/3.png", "dog/b/4.png"]


def test_links_into_a_hidden_store_are_images(root: Path) -> None:
    write(root / ".store" / "abc.png").rename(root / ".store" / "abc")
    (root / "dog" / "stored.png").symlink_to("../.store/abc")
    (root / "dog" / "twice.png").symlink_to("../.store/abc")
    assert images(root)[2:] == ["dog/2.png", "dog/stored.png"]


def test_links_leak_nothing_into_validation(root: Path) -> None:
    for number in range(20):
        write(root / "dog" / f"more{number}.png")
    (root / "cat" / "dogs").symlink_to("../dog")
    source = ImageFolder(root, val_fraction=0.4)
    listed = [list(source.open(split, 8).paths) for split in ("train", "val")]  # type: ignore[arg-type]
    assert sorted(listed[0] + listed[1]) == sorted({*listed[0], *listed[1]}) == images(root)
    assert not [path for path in listed[0] + listed[1] if path.startswith("cat/dogs")]


def test_a_class_that_is_another_one_is_named(root: Path) -> None:
    (root / "bird").symlink_to("dog")
    with pytest.raises(InputError, match=r"bird' holds no images .*; 1 link leads to what is listed already \(bird\)$"):
        ImageFolder(root).open("train", 8)


def test_a_listed_image_is_not_trained_on_under_another_name(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "pool" / "3.png")
    (root / "dog" / "a").symlink_to(tmp_path / "pool")
    (root / "link.png").symlink_to("cat/0.png")
    (tmp_path / "val.txt").write_text(f"link.png\n{tmp_path / 'pool' / '3.png'}\n")
    source = Photographs(root, val_list=str(tmp_path / "val.txt"))
    assert list(source.open("train", 8).paths) == ["cat/deep/1.png", "dog/2.png"]


def test_dangling_links_are_said_by_name(root: Path) -> None:
    (root / "dog" / "gone.png").symlink_to("/nowhere/gone.png")
    (root / "dog" / "more").symlink_to("/nowhere")
    images, left_out, linked = walk(root)
    assert images[""][2:] == ["dog/2.png", "dog/gone.png"]
    assert linked == {"dog/gone.png"}
    assert str(left_out) == "the link 'dog/more' leads nowhere"
    pictures = ImageFolder(root, val_fraction=1e-9).open("train", 8)
    with pytest.raises(InputError, match=r"gone.png' cannot be read \(No such file or directory\)"):
        pictures.picture(3)


def test_a_class_folder_that_is_gone_is_no_smaller_data_set(root: Path) -> None:
    (root / "emu").symlink_to("/nowhere")
    with pytest.raises(
        InputError, match=r"the link '.*emu' leads to '/nowhere', which is not there; mend or remove it"
    ):
        ImageFolder(root)
    (root / "emu").rename(root / "old.zip")
    assert sub_folders(root) == ["cat", "dog"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(root: Path) -> None:
    (root / "dog").chmod(0)
    with pytest.raises(InputError, match="dog' cannot be read"):
        walk(root)


def test_pipes_are_no_images(root: Path) -> None:
    os.mkfifo(root / "dog" / "pipe.png")
    assert images(root) == ["cat/0.png", "cat/deep/1.png", "dog/2.png"]


def test_what_is_left_out_is_counted_by_ending(root: Path) -> None:
    for name in ("a.heic", "b.HEIC", "c", "sub/notes.txt", ".hidden.heic"):
        (root / "dog" / name).parent.mkdir(exist_ok=True)
        (root / "dog" / name).touch()
    write(root / "stray.png")
    left_out = ImageFolder(root, val_fraction=1e-9).open("train", 8).left_out
    assert str(left_out) == (
        "4 files are no images by their endings (2 .heic, 1 without, 1 .txt); "
        "1 image lies in no class folder (stray.png)"
    )
    assert str(LeftOut()) == ""


def test_a_run_warns_of_what_is_left_out(root: Path) -> None:
    (root / "dog" / "a.heic").touch()
    data = InpaintingData(Photographs(root, val_fraction=0.5), 8)
    with pytest.warns(UserWarning, match=r"^data: in '.*root' 1 file is no image by its ending \(1 .heic\)$"):
        data.train_dataloader()


def test_a_link_that_leads_to_itself_stops_nothing(root: Path) -> None:
    (root / "loop").symlink_to("loop")
    (root / "here").symlink_to("there")
    (root / "there").symlink_to("here")
    source = source_at(root)
    assert source.class_names == sub_folders(root) == ["cat", "dog"]
    assert source.pictures("train", 8).left_out.broken == ["here", "loop", "there"]
    assert isinstance(source_at(root / "dog"), Photographs)
