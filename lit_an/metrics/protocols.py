"""Published evaluation protocols of class-conditional generators, by name.

How to add one: an entry in ``PROTOCOLS`` with its source, and its row in docs/metrics.md.
"""

import dataclasses
from typing import Any, Literal

from lit_an.errors import InputError
from lit_an.registry import nearest

Split = Literal["train", "val", "test"]
Statistics = Literal["running", "standing"]
ProtocolName = Literal["an_paper", "biggan", "miyato", "studiogan"]


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The settings of an evaluation.

    Attributes:
        num_images: generated images of FID, Inception score and the rest but intra-FID.
        images_per_class: generated images of each class for intra-FID: a number, ``real`` for as many as there are
            real ones, or None for those among ``num_images``.
        real_split: the split of the real images; None is that of the stage.
        real_images: real images, evenly spread over the split; None is all.
        extractor: the feature extractor, and with it the resize in front of it.
        statistics: of the generator's batch norm: ``running`` or ``standing``.
        source: where it is published, and which settings are not.
    """

    num_images: int = 10_000
    images_per_class: int | Literal["real"] | None = None
    real_split: Split | None = None
    real_images: int | None = None
    extractor: str = "efficientnet_lite0"
    statistics: Statistics = "running"
    source: str = ""


PROTOCOLS: dict[str, Protocol] = {
    "an_paper": Protocol(
        num_images=50_000,
        real_split="train",
        extractor="inception_v3",
        source="Wang et al., CVPR 2020 (arXiv 2004.03828), section 4.1; counts, split and statistics were not found in "
        "it. Its table takes SAGAN's figures, so we take SAGAN's protocol: Zhang et al., ICML 2019 (arXiv 1805.08318), "
        "section 4: 50k samples for Inception score, FID and intra-FID, 50 a class. Split and statistics are not "
        "stated there; we take the training set, as Miyato and Koyama do, and running statistics.",
    ),
    "biggan": Protocol(
        num_images=50_000,
        real_split="train",
        extractor="inception_v3",
        statistics="standing",
        source="Brock et al., ICLR 2019 (arXiv 1809.11096), appendix, for standing statistics; the counts and the "
        "training set as in the first author's code, BigGAN-PyTorch: utils.py (num_inception_images 50,000), "
        "calculate_inception_moments.py (the training set). Intra-FID is not reported; here it is that of the 50 "
        "images a class. Differs: that code's own monitoring uses running statistics and PyTorch's Inception.",
    ),
    "miyato": Protocol(
        num_images=50_000,
        images_per_class=5_000,
        real_split="train",
        extractor="inception_v3",
        source="Miyato and Koyama, ICLR 2018 (arXiv 1802.05637), section 5.1: 5,000 generated images of a class "
        "against all training images of it; pfnet-research/sngan_projection: evaluations/calc_intra_FID.py (5,000, "
        "test mode, so running statistics), calc_ref_stats.py, calc_inception_score.py (10 splits of 5,000). "
        "Differs: calc_ref_stats.py squeezes real images to 128 × 128 where we crop the center.",
    ),
    "studiogan": Protocol(
        num_images=50_000,
        images_per_class="real",
        real_split="train",
        extractor="inception_v3",
        statistics="standing",
        source="Kang et al., TPAMI 2023 (arXiv 2206.09479); PyTorch-StudioGAN: README.md (50k generated images against "
        "the complete training set, -std_stat), src/loader.py (num_eval), src/worker.py (calculate_intra_class_fid: "
        "as many generated as real images of a class). The number of standing passes is not stated there; we take "
        "100 of 64 images. Differs: it resizes with Pillow's bilinear filter, takes the Inception score of one split "
        "and precision and recall to the 5th neighbor.",
    ),
}


def protocol_of(name: str | None, **given: Any) -> Protocol:
    """A protocol by name, with arguments for the settings that it leaves open.

    Args:
        name: one of ``PROTOCOLS``; None starts from the defaults of ``Protocol``.
        given: arguments of ``Protocol``; None means not given.

    Raises:
        InputError: an unknown name, or an argument that contradicts the protocol.

    Example:
        >>> protocol_of("miyato").images_per_class, protocol_of(None, num_images=2000).num_images
        (5000, 2000)
    """
    chosen = {key: value for key, value in given.items() if value is not None}
    if name is None:
        return dataclasses.replace(Protocol(), **chosen)
    if name not in PROTOCOLS:
        raise InputError(f"unknown protocol {name!r}{nearest(name, PROTOCOLS)} Known: {', '.join(PROTOCOLS)}")
    for key, value in chosen.items():
        fixed = getattr(PROTOCOLS[name], key)
        if value != fixed:
            takes = {"images_per_class": "those among num_images", "real_images": "all"}.get(key, "the stage's own")
            raise InputError(
                f"{key}={value} contradicts protocol {name!r}, which takes {takes if fixed is None else fixed}; leave "
                "one of the two out"
            )
    return PROTOCOLS[name]
