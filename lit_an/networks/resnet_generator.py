"""Class-conditional residual generator for 32, 64, 128 and 256 px, with two slots for norms."""

from itertools import pairwise
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.networks.blocks import (
    LARGEST_MULTIPLE,
    SMALLEST_MAP,
    GeneratorBlock,
    check_image_size,
    check_long_range_resolution,
    labels_of,
)
from lit_an.networks.initialization import Initialization, LayerFactory
from lit_an.networks.slots import (
    LongRangeForm,
    ProvidedCondition,
    Scalar,
    norm_behind,
    resolve_long_range,
    resolve_norm,
)
from lit_an.norms.registry import NORMS, condition_kind

ClassInput = Literal["auto", "norms", "latent"]


class ResNetGenerator(nn.Module):
    """Maps a latent and a class to an image, as in SNGAN-projection and SAGAN.

    A linear layer makes a 4×4 map; each block doubles it; a map of side r has
    ``base_width · min(16, image_size / r)`` channels. The class reaches the image through the norms, if those are
    conditional, as a one-hot vector or through an embedding shared by all of them; or through an embedding that is
    joined to the latent, which works with every norm.

    Args:
        image_size: 32, 64, 128 or 256.
        num_classes: classes, ≥ 1.
        latent_dim: width of the latent.
        base_width: channels of the last feature map; 64 in the paper.
        norm: the norm of every block, any registered name but those that need a mask.
        norm_kwargs: its arguments.
        long_range: the layer after the block that ends at ``long_range_resolution``, any registered name but those
            that need a mask.
        long_range_resolution: side of the map it works on: 8, 16, … up to ``image_size``; 32 in the paper.
        long_range_kwargs: its arguments.
        long_range_form: ``residual``, x + ρ · norm(W_v x), or ``plain``, for norms that do not add to x by themselves.
        class_embedding: width of a shared class embedding (BigGAN), or 0 for one-hot classes (SNGAN, SAGAN); it starts
            as ``initialization`` says and is never divided by its largest singular value.
        class_input: how the class reaches the image: ``norms``, through conditional norms alone; ``latent``, an
            embedding joined to the latent (the shared one, or one as wide as the latent), beside conditional norms if
            there are any; ``auto``, ``norms`` if ``norm`` is conditional (as ``attentive`` with ``class_affine`` is),
            else ``latent``. To compare a conditional norm with an unconditional one, give both ``latent``.
        latent_in_norms: give the conditional norms the latent beside the class, as in BigGAN-deep, so that it reaches
            every resolution; else it enters at the 4×4 map alone.
        initialization: ``orthogonal`` or ``xavier``.
        spectral_norm: divide the weights by their largest singular value.
        final_norm: the norm before the last convolution, likewise; None takes ``norm``. ``batch`` in SNGAN-projection,
            SAGAN and BigGAN.
        final_norm_kwargs: its arguments, if it is named.
        residual_gain: factor of the initial weights of the blocks' 3×3 convolutions, > 0; √2 in SNGAN-projection.

    Raises:
        InputError: an argument out of range, an unknown norm, or no input for the class.

    Source: Miyato, Koyama, arXiv 1802.05637; Zhang et al., arXiv 1805.08318; the place of AN: Wang et al., CVPR 2020;
        latents in all norms: Brock et al., arXiv 1809.11096, appendix B.

    Example:
        >>> generator = ResNetGenerator(32, num_classes=3, base_width=4, long_range_resolution=16)
        >>> generator(torch.randn(2, 128), torch.tensor([0, 2])).shape
        torch.Size([2, 3, 32, 32])
    """

    def __init__(
        self,
        image_size: int,
        num_classes: int,
        *,
        latent_dim: int = 128,
        base_width: int = 64,
        norm: str = "conditional_batch",
        norm_kwargs: dict[str, Scalar] | None = None,
        long_range: str = "attentive",
        long_range_resolution: int = 32,
        long_range_kwargs: dict[str, Scalar] | None = None,
        long_range_form: LongRangeForm = "residual",
        class_embedding: int = 0,
        class_input: ClassInput = "auto",
        latent_in_norms: bool = False,
        initialization: Initialization = "xavier",
        spectral_norm: bool = True,
        final_norm: str | None = None,
        final_norm_kwargs: dict[str, Scalar] | None = None,
        residual_gain: float = 1.0,
    ) -> None:
        super().__init__()
        check_image_size("ResNetGenerator", image_size)
        sides = [SMALLEST_MAP]
        while sides[-1] < image_size:
            sides.append(sides[-1] * 2)
        check_long_range_resolution("ResNetGenerator", long_range, long_range_resolution, sides[1:])
        for name, value in (("num_classes", num_classes), ("latent_dim", latent_dim), ("base_width", base_width)):
            if value < 1:
                raise InputError(f"ResNetGenerator: {name} must be at least 1, got {value}")
        if class_embedding < 0:
            raise InputError(f"ResNetGenerator: class_embedding must be at least 0, got {class_embedding}")
        self.image_size, self.num_classes, self.latent_dim = image_size, num_classes, latent_dim

        layers = LayerFactory(initialization, spectral_norm=spectral_norm, residual_gain=residual_gain)
        conditional = condition_kind(norm, norm_kwargs) == "vector"
        if latent_in_norms and not conditional:
            raise InputError(f"ResNetGenerator: latent_in_norms needs a conditional norm, and norm={norm!r} is none")
        self.latent_in_norms = latent_in_norms
        width = (class_embedding or num_classes) + latent_in_norms * latent_dim
        provided = ProvidedCondition("vector", width)
        make_norm = resolve_norm("norm", norm, norm_kwargs, provided)
        make_final_norm = make_norm
        if final_norm is None and final_norm_kwargs:
            raise InputError("ResNetGenerator: final_norm_kwargs need a final_norm; set final_norm too")
        if final_norm is not None:
            make_final_norm = resolve_norm("final_norm", final_norm, final_norm_kwargs, provided)
        make_long_range = resolve_long_range(long_range, long_range_kwargs, form=long_range_form, provided=provided)
        widths = [base_width * min(LARGEST_MULTIPLE, image_size // side) for side in sides]

        self.class_embedding = nn.Embedding(num_classes, class_embedding) if class_embedding else None
        if self.class_embedding is not None:
            layers.initialize(self.class_embedding.weight)
        # A separate module only without a shared one, so that the state dict names each tensor once.
        self.joins_latent = _joins_latent(class_input, norm, conditional)
        own = self.joins_latent and not class_embedding
        self.latent_embedding = nn.Embedding(num_classes, latent_dim) if own else None
        joined = (class_embedding or latent_dim) if self.joins_latent else 0
        self.stem = layers.linear(latent_dim + joined, widths[0] * SMALLEST_MAP**2)
        self.long_range_index = sides[1:].index(long_range_resolution) if make_long_range is not None else -1
        around = [[norm] for _ in sides[1:]]  # the norms that act on the convolutions of each block
        around[self.long_range_index].append(norm_behind(long_range, long_range_form))
        around[-1].append(final_norm or norm)
        self.blocks = nn.ModuleList(
            GeneratorBlock(*pair, layers.around(*norms), make_norm)
            for pair, norms in zip(pairwise(widths), around, strict=True)
        )
        self.long_range = make_long_range(widths[self.long_range_index + 1]) if make_long_range is not None else None
        self.final_norm = make_final_norm(widths[-1])
        self.to_image = layers.conv(widths[-1], 3)

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        """Generates one image for each latent and class.

        Args:
            latent: (B, latent_dim), standard normal.
            label: (B,), whole numbers, 0 ≤ label < num_classes; or (B, num_classes), float, the weights of a mixture
                of classes, which sum to 1.

        Returns:
            image: (B, 3, image_size, image_size), in [-1, 1].

        Raises:
            InputError: shapes or types other than these.
        """
        label = labels_of("ResNetGenerator", "latents", latent, (self.latent_dim,), label, self.num_classes)
        of_class = self._condition(label, latent.dtype)
        condition = torch.cat([of_class, latent], dim=1) if self.latent_in_norms else of_class
        if self.joins_latent:
            joined = of_class if self.latent_embedding is None else _embedded(label, self.latent_embedding)
            latent = torch.cat([latent, joined.to(latent.dtype)], dim=1)
        x = self.stem(latent).unflatten(1, (-1, SMALLEST_MAP, SMALLEST_MAP))
        for index, block in enumerate(self.blocks):
            x = block(x, condition)
            if self.long_range is not None and index == self.long_range_index:
                x = self.long_range(x, condition)
        return torch.tanh(self.to_image(F.relu(self.final_norm(x, condition))))

    def _condition(self, label: Tensor, dtype: torch.dtype) -> Tensor:
        """(B, D): the class embedding, or the class as a one-hot vector; of a mixture, the weighted sum of these."""
        if self.class_embedding is not None:
            return _embedded(label, self.class_embedding)
        return label if label.is_floating_point() else F.one_hot(label, self.num_classes).to(dtype)


def _embedded(label: Tensor, embedding: nn.Embedding) -> Tensor:
    """(B, D): vectors of classes (B,), or weighted sums of them for mixtures (B, num_classes)."""
    vectors: Tensor = label @ embedding.weight if label.is_floating_point() else embedding(label)
    return vectors


def _joins_latent(class_input: str, norm: str, conditional: bool) -> bool:
    if class_input not in get_args(ClassInput):
        raise InputError(f"ResNetGenerator: class_input must be 'auto', 'norms' or 'latent', got {class_input!r}")
    if class_input == "norms" and not conditional:
        able = ", ".join(name for name in NORMS.names() if condition_kind(name) == "vector")
        raise InputError(
            f"ResNetGenerator: with class_input='norms' the norm must depend on the class ({able}), and norm={norm!r} "
            "does not; set class_input='latent', or another norm"
        )
    return class_input == "latent" or not conditional
