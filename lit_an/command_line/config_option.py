"""The option ``--config``: a file and its bases."""

from typing import Any

from jsonargparse import ActionConfigFile

from lit_an.command_line.callback_options import keep_last_of_a_kind
from lit_an.command_line.known_configs import check_config
from lit_an.errors import InputError
from lit_an.files import user_path
from lit_an.files.configs import chain_of, on_one_line


class ConfigOption(ActionConfigFile):
    """Applies the bases of a config before the config itself; see ``lit_an.files.configs``.

    Its parser keeps the files in ``config_files``.
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
        # jsonargparse reads in the encoding of the locale, which every text in ASCII is in.
        if len(chain) < 2 and chain[0].text.isascii():
            super().__call__(parser, config, str(path), option_string)
            keep_last_of_a_kind(config)
            return
        for file in chain:
            try:
                self.apply_config(parser, config, self.dest, file.text)
            except TypeError as error:
                raise InputError(f"the config {file.path} cannot be read ({on_one_line(error)})") from error
            keep_last_of_a_kind(config)
