"""The text files that come with ImageNet: which class a validation image has, what a class is called."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from lit_an.errors import InputError
from lit_an.files.text import lines_of

WORDNET_ID = re.compile(r"n\d{8}")

GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
LABEL_FILES = ("LOC_val_solution.csv", "val_labels.csv", "val_labels.txt", "val.txt", "val_annotations.txt")
NAME_FILES = ("LOC_synset_mapping.txt", "words.txt", "synset_words.txt")
DEVKIT_FOLDERS = ("devkit", "devkit/data", "ILSVRC2012_devkit_t12/data", "data")

WAYS_OUT = (
    "sort it into class folders, or put beside it LOC_val_solution.csv, a val_labels.txt with a line "
    "'file wnid' for each image, or the development kit's data folder"
)


def validation_labels(root: Path, folder: Path, images: Sequence[str], given: Path | None = None) -> dict[str, str]:
    """The WordNet id of each image of a flat validation folder, by file name.

    Args:
        root: the folder of the data set; the files are looked for there, beside the images and where the development
            kit puts them.
        folder: where the images lie.
        images: names of the images, sorted: the development kit's ground truth has a line for each in that order.
        given: a label file, where it lies elsewhere.

    Raises:
        InputError: no file says it, a file is not as it should be, or an image is missing from it.
    """
    file = given or find(root, (*LABEL_FILES, GROUND_TRUTH), folder.name)
    if file is None:
        raise InputError(f"data: nothing says which classes the images in {str(folder)!r} have; {WAYS_OUT}")
    if not file.is_file():
        raise InputError(f"data: the file val_labels={str(file)!r} does not exist; {WAYS_OUT}")
    if file.name == GROUND_TRUTH:
        return devkit_labels(file, images)
    pairs = read_pairs(file)
    if not pairs:
        raise InputError(
            f"data: {str(file)!r} has no line 'file wnid', such as '{images[0]} n01440764'; replace or remove it, or "
            f"name another with val_labels"
        )
    # LOC_val_solution.csv leaves out the ending.
    labels = {name: pairs.get(name) or pairs.get(Path(name).stem) for name in images}
    missing = next((name for name, wnid in labels.items() if wnid is None), None)
    if missing is not None:
        raise InputError(f"data: {str(file)!r} has no line for the image {missing!r}; add it or remove the image")
    return {name: wnid for name, wnid in labels.items() if wnid is not None}


def read_pairs(file: Path) -> dict[str, str]:
    """Image and WordNet id from lines ``file wnid …``, parted by blanks or commas; other lines are headings.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "val_labels.csv"
        >>> _ = path.write_text("ImageId,PredictionString\\na.JPEG,n01440764 1 2 3 4\\n")
        >>> read_pairs(path)
        {'a.JPEG': 'n01440764'}
    """
    rows = (re.split(r"[,\s]+", line.strip()) for line in lines_of(file))
    return {row[0]: row[1] for row in rows if len(row) > 1 and WORDNET_ID.fullmatch(row[1])}


def devkit_labels(file: Path, images: Sequence[str]) -> dict[str, str]:
    """WordNet ids out of the development kit's ground truth: a number a line, in the order of the sorted images.

    The numbers count the synsets of ``meta.mat``, which are not in the order of their WordNet ids: without a file
    that says which is which, they mean nothing.

    Raises:
        InputError: the number of lines is not that of the images, or a number is unknown.
    """
    numbers = [line for line in lines_of(file) if line.strip()]
    if len(numbers) != len(images):
        raise InputError(
            f"data: {str(file)!r} has {len(numbers)} lines, but there are {len(images)} images in the validation "
            f"folder; its lines stand for all images in the order of their names, so none may be missing or added"
        )
    wnid_of = devkit_synsets(file.parent)
    unknown = next((number for number in numbers if number.strip() not in wnid_of), None)
    if unknown is not None:
        raise InputError(f"data: {str(file)!r} has the class {unknown!r}, which the synset list beside it lacks")
    return {name: wnid_of[number.strip()] for name, number in zip(images, numbers, strict=True)}


def devkit_synsets(folder: Path) -> dict[str, str]:
    """WordNet id of each number of the development kit: from ``meta.txt`` or ``meta.csv`` (lines ``number wnid``),
    else from ``meta.mat``, which SciPy reads where it is installed.

    Raises:
        InputError: neither can be read.
    """
    for name in ("meta.txt", "meta.csv"):
        if (folder / name).is_file():
            return read_pairs(folder / name)
    mat = folder / "meta.mat"
    if not mat.is_file():
        raise InputError(
            f"data: the numbers in {str(folder / GROUND_TRUTH)!r} need the development kit's meta.mat beside them "
            f"(or a meta.txt with lines 'number wnid'): they are not in the order of the WordNet ids"
        )
    try:
        from scipy.io import loadmat
    except ImportError:
        raise InputError(
            f"data: reading {str(mat)!r} needs SciPy; pip install scipy, or write a meta.txt with lines 'number wnid'"
        ) from None
    try:
        # A .mat file of this age holds arrays and structures, nothing that runs.
        synsets = loadmat(mat, squeeze_me=True)["synsets"]
        return {str(int(synset["ILSVRC2012_ID"])): str(synset["WNID"]) for synset in synsets}
    except Exception as error:  # SciPy raises many kinds for a broken file
        raise InputError(
            f"data: {str(mat)!r} is not the development kit's ({type(error).__name__}: {error})"
        ) from error


def class_names(root: Path, wnids: Sequence[str]) -> list[str]:
    """A name for each class: its WordNet id, with its first word where a file beside the images says it.

    The id stays in front: several classes share a first word ("crane", "maillot"), and names become folders.
    """
    file = find(root, NAME_FILES)
    words: dict[str, str] = {}
    if file is not None:
        rows = (line.strip().split(maxsplit=1) for line in lines_of(file))
        words = {row[0]: row[1].split(",")[0].strip() for row in rows if len(row) == 2}
    spelt = {wnid: re.sub(r"[^\w-]+", "_", word) for wnid, word in words.items()}
    return [f"{wnid}_{spelt[wnid]}" if spelt.get(wnid) else wnid for wnid in wnids]


def find(root: Path, names: Iterable[str], beside: str = "val") -> Path | None:
    """The first of these files that is there, in the folder ``beside`` or in the development kit's folders."""
    places = (root / folder / name for name in names for folder in ("", beside, *DEVKIT_FOLDERS))
    return next((place for place in places if place.is_file()), None)
