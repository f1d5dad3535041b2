"""The base class of augmentations, which does nothing itself."""

from torch import Tensor

from lit_an.registry import Registry


class Augmentation:
    """Changes images at random before a discriminator sees them; this one leaves them as they are.

    It is applied to real and generated images in the steps of both networks, so that the generator learns the images
    and not their augmentation (Karras et al., NeurIPS 2020, section 2.2).
    """

    def __call__(self, image: Tensor) -> Tensor:
        """Augmented images, differentiable, in float32 or better; labels and regions are not touched.

        Args:
            image: (B, 3, H, W), in [-1, 1]; the result may leave that range.
        """
        return image

    def observe(self, real_logits: Tensor) -> None:
        """Receives the discriminator's logits of augmented real training images.

        Args:
            real_logits: (B,), larger is more real.
        """

    def scalars(self) -> dict[str, Tensor]:
        """Scalars to log, by name."""
        return {}

    def state(self) -> dict[str, float]:
        """The state that a resumed run needs, as plain numbers; empty for an augmentation without one."""
        return {}

    def load_state(self, state: dict[str, float]) -> None:
        """Restores what ``state()`` returned."""


AUGMENTATIONS: Registry[Augmentation] = Registry("augmentation")


@AUGMENTATIONS.register("none")
def none() -> Augmentation:
    """No augmentation."""
    return Augmentation()
