"""The soft region map inside attentive normalization."""

import torch
from torch import Tensor, nn

import lit_an.norms.attentive.functional as AN
from lit_an.errors import InputError
from lit_an.norms.attentive.orthogonality import Orthogonality, check_form
from lit_an.norms.attentive.self_sampling import features_at, sampled_layout
from lit_an.norms.base import is_pointwise, pointwise
from lit_an.tensors.clipping import clip
from lit_an.tensors.precision import without_autocast

# Standard deviation of the logits on features of unit variance at the start: the paper's 0.1 times √256.
START_DEVIATION = 1.6
# Share of the largest entropy, log N, that a calibrated layout starts with: exp(0.712 log 16) is 7.2 regions, near that
# of the published layer.
START_ENTROPY = 0.712


class SemanticLayout(nn.Module):
    """Assigns each position of a feature map softly to N learned regions ("semantic entities").

    The logits are 1×1 filters of the input: learned ones (``entities``), and in training, weighted by the learned
    ``sampling_scale``, filters made from the image's own features at N random salient positions (self-sampling),
    which keep a filter from dying. At evaluation the layout depends on the input alone.

    Args:
        num_features: C, channels of the input.
        num_regions: N, regions, ≥ 1; 16 in the paper.
        temperature: τ, factor on the logits, > 0: larger is sharper. None takes 1.6 / √C, the paper's 0.1 at its 256
            channels: on features of unit variance a layout then starts with 7 of 16 regions at a position, whatever
            the width. ``calibrate`` starts it there on other features.
        self_sampling: use the self-sampling branch in training.
        orthogonality: form of the penalty on the filters, see ``orthogonality_penalty``: ``unit_rows`` parts
            the regions and leaves the sharpness of the layout to be learned; ``frobenius`` (the paper's formula) ends
            in a uniform layout; ``published`` is the authors' code.
        centered: take the mean over the map out of the learned filters' logits. A filter then says where in an image a
            region is and not how much of the image it is, and no region can win everywhere, as one tends to.

    Raises:
        InputError: an argument out of range.

    Source: section 3.2; ``entities`` starts from N(0, 1), ``key`` and ``query`` from Glorot's uniform distribution
    without bias, ``sampling_scale`` at 0.1 and clipped to [0, 1], as published.
    Differs: positions are sampled per image, as the paper says (the published code shares them over a batch); the
    clipped ``sampling_scale`` keeps the gradients that lead back into its range, where the published one stops
    learning; the default penalty acts on the angles between filters only. ``centered`` is ours.

    Example:
        >>> layout = SemanticLayout(8, num_regions=4)(torch.randn(2, 8, 16, 16))
        >>> layout.shape, bool(torch.allclose(layout.sum(1), torch.ones(2, 16, 16)))
        (torch.Size([2, 4, 16, 16]), True)
    """

    def __init__(
        self,
        num_features: int,
        *,
        num_regions: int = 16,
        temperature: float | None = None,
        self_sampling: bool = True,
        orthogonality: Orthogonality = "unit_rows",
        centered: bool = False,
    ) -> None:
        super().__init__()
        self.is_watched = False
        self.last_seen: tuple[Tensor, Tensor] | None = None
        if num_regions < 1:
            raise InputError(f"SemanticLayout: num_regions must be at least 1, got {num_regions}")
        if temperature is None:
            temperature = START_DEVIATION / num_features**0.5
        if not 0 < temperature < float("inf"):
            raise InputError(f"SemanticLayout: temperature must be greater than 0 and finite, got {temperature}")
        check_form(orthogonality)
        self.num_regions, self.temperature, self.self_sampling = num_regions, temperature, self_sampling
        self.orthogonality: Orthogonality = orthogonality
        self.centered = centered
        self.entities = nn.Parameter(torch.randn(num_regions, num_features))
        if self_sampling:
            width = max(1, num_features // 8)
            self.key, self.query = pointwise(num_features, width), pointwise(num_features, width)
            self.sampling_scale = nn.Parameter(torch.full((num_regions,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        """The layout of a feature map.

        Args:
            x: (B, C, H, W), features.

        Returns:
            layout: (B, N, H, W), float32 or better, ≥ 0, sums to 1 over N; soft region membership.

        Raises:
            InputError: self-sampling needs more positions than the map has.
        """
        with without_autocast(x):
            if not self.samples or self.can_be_filters():
                going_on, filters, constants = self.filters(x)
                layout = AN.semantic_layout(*AN.center(going_on), filters, constants, self.temperature)
            else:
                sampled = clip(self.sampling_scale, 0, 1)[:, None, None] * self._sampled(x)
                constants = self._minus_mean(x)
                layout = AN.semantic_layout(*AN.center(x), self.entities, constants, self.temperature, sampled)
        if self.is_watched:
            self.last_seen = (x.detach(), layout.detach())
        return layout

    @torch.no_grad()
    def watch(self, x: Tensor, filters: Tensor, constants: Tensor | None) -> None:
        """Computes the layout for a reader; the norm itself does not need it.

        Args:
            x: (B, C, H, W), features.
            filters, constants: what ``filters`` made of them.
        """
        with without_autocast(x):
            layout = AN.semantic_layout(*AN.center(x), filters, constants, self.temperature)
        self.last_seen = (x.detach(), layout.detach())

    @property
    def samples(self) -> bool:
        """Whether the self-sampling branch is active."""
        return self.self_sampling and self.training

    def can_be_filters(self) -> bool:
        """Whether ``filters`` gives the whole layout: ``key`` and ``query`` are neither hooked nor replaced."""
        return not self.self_sampling or all(
            is_pointwise(part) and part.bias is not None for part in (self.key, self.query)
        )

    def filters(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """The 1×1 filters that make the logits of a feature map, drawn anew in training.

        Args:
            x: (B, C, H, W), features.

        Returns:
            The map to use from here on, which is ``x``; filters (1, N, C) or, with self-sampling, (B, N, C); constants
            (B, N) or None.

        Raises:
            InputError: self-sampling needs more positions than the map has.
        """
        with without_autocast(x):
            centering = self._minus_mean(x)
            if not self.samples:
                return x, self.entities[None], centering
            assert self.key.bias is not None
            assert self.query.bias is not None
            key, query = (self.key.weight.flatten(1), self.key.bias), (self.query.weight.flatten(1), self.query.bias)
            scale = clip(self.sampling_scale, 0, 1)
            x, filters, constants = sampled_layout(x, self._windows(x), self.entities, scale, *key, *query)
            return x, filters, constants if centering is None else constants + centering

    def _minus_mean(self, x: Tensor) -> Tensor | None:
        """(B, N): what centers the logits of the learned filters, or None where they are not to be centered."""
        if not self.centered:
            return None
        mean = x.mean((2, 3), dtype=torch.promote_types(x.dtype, self.entities.dtype))
        return -mean @ self.entities.t().to(mean.dtype)

    def _sampled(self, x: Tensor) -> Tensor:
        """(B, N, H, W), what ``filters`` adds to the logits, by calling ``key`` and ``query``."""
        x = x.to(torch.promote_types(x.dtype, self.entities.dtype))
        windows = self._windows(x)
        keys = self.key(features_at(x, windows)).amax(3)  # (B, K, N)
        query: Tensor = self.query(x)
        return (keys.mT @ query.flatten(2)).unflatten(2, query.shape[2:])

    def _windows(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        return AN.salient_windows(len(x), height, width, self.num_regions, x.device)

    @torch.no_grad()
    def calibrate(self, x: Tensor, regions_per_position: float | None = None) -> float:
        """Multiplies the entity filters by one number, so that the layout of these features is as sharp as asked.

        Args:
            x: (B, C, H, W), features such as the layer gets at the start of training.
            regions_per_position: effective number of regions at a position, exp of the mean entropy, between 1 and N;
                None takes N^0.712, which is 7.2 of 16, near where the published layer starts on features of unit
                variance.

        Returns:
            The factor.

        Raises:
            InputError: a number out of range, features that are the same at every position, or filters that are
                parametrized.
        """
        if "entities" not in self._parameters:
            raise InputError(
                "SemanticLayout: entities are made of other parameters, and multiplying them would be lost; calibrate "
                "before you parametrize them, or choose a temperature"
            )
        target = self.num_regions**START_ENTROPY if regions_per_position is None else regions_per_position
        if self.num_regions == 1:
            return 1.0
        if not 1 < target < self.num_regions:
            raise InputError(
                f"SemanticLayout: regions_per_position must be between 1 and num_regions={self.num_regions}, "
                f"got {target}"
            )
        centered, mean = AN.center(x)
        if not centered.abs().amax() > 0:
            raise InputError("SemanticLayout: features that are equal at every position cannot calibrate a layout")
        offset = torch.zeros_like(mean) if self.centered else mean
        low, high = 1e-4, 1e4
        with without_autocast(x):
            for _ in range(40):  # The sharper, the fewer: halves an interval of factors, on a logarithmic scale.
                factor = (low * high) ** 0.5
                layout = AN.semantic_layout(centered, offset, factor * self.entities[None], None, self.temperature)
                entropy = -torch.special.xlogy(layout, layout).sum(1).mean()
                low, high = (factor, high) if entropy.exp() > target else (low, factor)
        self.entities.mul_(factor)
        return factor

    def extra_repr(self) -> str:
        return (
            f"num_regions={self.num_regions}, temperature={self.temperature:.4g}, self_sampling={self.self_sampling}, "
            f"orthogonality={self.orthogonality!r}, centered={self.centered}"
        )
