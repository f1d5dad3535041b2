"""Protocols by name: what they take, in the table of the docs too, and what contradicts them."""

import re
from pathlib import Path
from typing import get_args

import pytest

from lit_an.errors import InputError
from lit_an.metrics.feature_networks.extractors import EXTRACTORS
from lit_an.metrics.protocols import PROTOCOLS, Protocol, ProtocolName, protocol_of


def test_without_a_name_what_is_given_goes_over_the_defaults() -> None:
    assert protocol_of(None) == Protocol()
    assert protocol_of(None, num_images=7, real_split=None) == Protocol(num_images=7)


def test_an_argument_may_repeat_a_protocol_but_not_contradict_it() -> None:
    assert protocol_of("biggan", num_images=50_000, real_split="train") == PROTOCOLS["biggan"]
    with pytest.raises(InputError, match="num_images=2000 contradicts protocol 'biggan', which takes 50000; leave one"):
        protocol_of("biggan", num_images=2000)
    with pytest.raises(InputError, match="real_images=10 contradicts protocol 'biggan', which takes all; leave one"):
        protocol_of("biggan", real_images=10)
    with pytest.raises(InputError, match="images_per_class=50 contradicts protocol 'an_paper', which takes those"):
        protocol_of("an_paper", images_per_class=50)
    with pytest.raises(InputError, match="unknown protocol 'bigan', did you mean 'biggan'"):
        protocol_of("bigan")


def test_each_says_where_it_is_from_and_stands_in_the_docs() -> None:
    """docs/metrics.md: | `name` | generated | per class | split | extractor | statistics | …"""
    assert get_args(ProtocolName) == tuple(PROTOCOLS)
    document = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    for name, protocol in PROTOCOLS.items():
        assert protocol.extractor in EXTRACTORS.names()
        assert re.search(r"arXiv \d{4}\.\d{5}", protocol.source)
        row = re.search(rf"^\| `{name}` \|(.*)$", document, re.MULTILINE)
        assert row, f"docs/metrics.md has no row for {name}"
        cells = [cell.strip().replace(",", "") for cell in row[1].split("|")]
        of_class = {None: "50", "real": "as many as real"}.get(
            protocol.images_per_class, str(protocol.images_per_class)
        )
        expected = [str(protocol.num_images), of_class, protocol.real_split, protocol.extractor, protocol.statistics]
        assert cells[:5] == expected
