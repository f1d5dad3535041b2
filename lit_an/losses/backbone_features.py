"""Features of a frozen backbone for perceptual losses."""

from torch import Tensor

from lit_an.backbones import BACKBONES, create_backbone


class BackboneFeatures:
    """Named feature maps of a registered backbone, as ``VGG19Features`` has them of VGG-19; frozen.

    No ``nn.Module`` either: none of its weights are in parameters, checkpoints or pickles. The weights are read at
    first use; ``load`` reads them immediately.

    Args:
        name: of the backbone, with its default arguments.

    Raises:
        InputError: an unknown backbone.

    Example:
        >>> import torch
        >>> list(BackboneFeatures("efficientnet_lite0")(torch.zeros(1, 3, 64, 64)))
        ['stride4', 'stride8', 'stride16']
    """

    # The last map of a backbone, at stride 32, is two positions wide at 64 px.
    layers = ("stride4", "stride8", "stride16")

    def __init__(self, name: str) -> None:
        self._backbone = create_backbone(name).up_to(16)

    @staticmethod
    def names() -> list[str]:
        """The backbones that there are."""
        return BACKBONES.names()

    def load(self) -> "BackboneFeatures":
        """Reads the weights if they have not been read.

        Returns:
            Itself.

        Raises:
            InputError: a package is missing, or the weights are not found, cannot be downloaded or do not fit.
        """
        self._backbone.load()
        return self

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """The maps of images, by name, in the order of ``layers``.

        Args:
            image: (B, 3, H, W), in [-1, 1]; gradients reach it.

        Raises:
            InputError: as ``load``.
        """
        return dict(zip(self.layers, self._backbone(image), strict=False))
