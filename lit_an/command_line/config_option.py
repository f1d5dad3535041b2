"""The option ``--config``: a file and its bases."""

import re
from typing import Any

from jsonargparse import ActionConfigFile

from lit_an.command_line.callback_options import keep_last_of_a_kind
from lit_an.command_line.known_configs import check_config
from lit_an.command_line.saved_config import places_as_long
from lit_an.errors import InputError
from lit_an.files import user_path
from lit_an.files.configs import chain_of, on_one_line


class ConfigOption(ActionConfigFile):
    """Applies the bases of a config before the config itself; see ``lit_an.files.configs``.

    Its parser keeps the files in ``config_files`` and their keys that have the length of the run in ``places_as_long``.
    """

    def __call__(self, parser: Any, config: Any, value: Any, option_string: str | None = None) -> None:
        if str(value).lstrip().startswith("{") or "\n" in str(value):  # a config in place of the name of one
            super().__call__(parser, config, value, option_string)
            keep_last_of_a_kind(config)
            return
        path = user_path(str(value))
        check_config(path)
        parser.config_files.append(path)
        chain = chain_of(path)
        for file in chain:
            lines = [line for line in file.text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
            if not lines and len(chain) > 1:  # a base is all that it has
                continue
            if not lines or lines[0].startswith("- "):
                what = "is a list" if lines else "is empty"
                raise InputError(f"the config {file.path} {what}; a config has lines of KEY: VALUE")
            try:
                self.apply_config(parser, config, self.dest, file.text)
            except TypeError as error:
                reason = on_one_line(error).removeprefix(f'Parser key "{self.dest}": ')
                remedy = "; indent with spaces, not tabs" if re.search(r"^ *\t", file.text, re.MULTILINE) else ""
                raise InputError(f"the config {file.path} cannot be read ({reason}{remedy})") from error
            parser.places_as_long |= places_as_long(file.text)
            keep_last_of_a_kind(config)
