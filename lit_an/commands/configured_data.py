"""The data module of a run's config, for commands that need the training images."""

from pathlib import Path

from jsonargparse import ArgumentParser

from lit_an.data.class_data import ClassData
from lit_an.errors import InputError
from lit_an.trained.checkpoints import read_config


def configured_data(config: str | Path) -> ClassData:
    """Builds the data module of a config, and fetches what its source needs.

    Raises:
        InputError: the config has no data module with labeled images, or it cannot be built.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(ClassData, "data", required=True)
    chosen = read_config(config, "data")
    try:
        built = parser.instantiate(parser.parse_object({"data": chosen}))
    except Exception as error:  # jsonargparse raises its own and what a class raises
        reason = " ".join(str(error).split())
        raise InputError(f"{config}: its data cannot be built as labeled images ({reason[:300]})") from error
    data: ClassData = built["data"]
    data.prepare_data()
    return data
