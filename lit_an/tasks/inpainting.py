"""Semantic inpainting: trains a coarse-to-fine generator with reconstruction and adversarial losses."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from lit_an.batch import CriticOutput, Inpainted, InpaintingBatch, collate
from lit_an.errors import InputError, at_least
from lit_an.losses.adversarial import ADVERSARIAL_LOSSES
from lit_an.losses.gradient_penalty import wgan_gradient_penalty
from lit_an.tasks.adversarial import AdversarialTask, Terms
from lit_an.tasks.collapse import game_scalars, relative_spread_in_holes
from lit_an.tasks.draws import draw_on
from lit_an.tasks.filling_losses import FillingLosses, FillingWeights
from lit_an.tasks.log_rows import log_means
from lit_an.tasks.preview import Preview
from lit_an.tensors.holes import composite
from lit_an.tensors.precision import at_least_float32, in_type_of


class InpaintingGAN(AdversarialTask):
    """Inpainting after DeepFill, GMCNN and AN: reconstruction first, then adversarial training.

    Before iteration ``adversarial_from`` the generator is trained by reconstruction alone. From then on the
    discriminator is trained too, and the adversarial and feature terms are added, unless ``losses.features_from`` names
    another iteration for the latter. The published recipe makes two runs: one with ``adversarial_from=null``, and one
    from its checkpoint with ``adversarial_from=0``.

    The discriminator's input is the composite: the fine image in the hole, the ground truth around it.

    Args:
        generator: ``forward(image, mask) -> Inpainted``; it erases the hole itself.
        discriminator: ``critics``, modules with ``forward(image, mask) -> CriticOutput``; losses are summed over them.
        generator_optimizer, discriminator_optimizer: from parameters to an optimizer.
        discriminator_steps: discriminator steps per generator step; 5 in the paper.
        adversarial_from: first iteration of adversarial training, ≥ 0; None for never.
        adversarial_loss: ``wasserstein`` (the paper), ``hinge``, ``non_saturating`` or ``relativistic``.
        adversarial_weight: weight of the generator's adversarial term, ≥ 0.
        gradient_penalty_weight: weight of WGAN-GP's penalty, taken inside the hole, ≥ 0; 10 in the paper.
        losses: the weights of all other terms of the generator; the paper's are the defaults.
        kwargs: see ``lit_an.tasks.AdversarialTask``.

    Raises:
        InputError: a number out of range, an unknown loss, or missing weights for the feature terms.

    Source: Wang et al., CVPR 2020, section 4.2; Wang et al., GMCNN, arXiv 1810.08771; Yu et al., arXiv 1801.07892.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        generator_optimizer: OptimizerCallable,
        discriminator_optimizer: OptimizerCallable,
        *,
        discriminator_steps: int = 5,
        adversarial_from: int | None = 0,
        adversarial_loss: str = "wasserstein",
        adversarial_weight: float = 1e-3,
        gradient_penalty_weight: float = 10.0,
        losses: FillingWeights = FillingWeights(),  # noqa: B008  # frozen
        **kwargs: Any,
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            generator_optimizer,
            discriminator_optimizer,
            discriminator_steps=discriminator_steps,
            **kwargs,
        )
        at_least(
            "InpaintingGAN",
            0,
            adversarial_from=adversarial_from,
            adversarial_weight=adversarial_weight,
            gradient_penalty_weight=gradient_penalty_weight,
        )
        self.adversarial_from = adversarial_from
        self.adversarial = ADVERSARIAL_LOSSES.create(adversarial_loss)
        self.adversarial_weight, self.gradient_penalty_weight = adversarial_weight, gradient_penalty_weight
        self.losses = FillingLosses(losses)

    def check_data(self, data: Any) -> None:
        """Also checks that the data are images with holes.

        Raises:
            InputError: sizes differ, or the data are labeled images.
        """
        super().check_data(data)
        if hasattr(data, "class_names"):
            raise InputError(
                f"InpaintingGAN takes images with holes, and {type(data).__name__} gives images with classes; choose "
                "other data, such as lit_an.data.InpaintingData"
            )

    def inpaint(self, image: Tensor, mask: Tensor) -> Inpainted:
        """The generator's output for images (B, 3, H, W) with holes (B, 1, H, W); not composited, float32 or better."""
        image = in_type_of(image, next(self.generator.parameters()))
        made: Inpainted = self.generator(self._laid_out(image), mask)
        return Inpainted(at_least_float32(made.coarse), at_least_float32(made.fine))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """(B, 3, H, W): images with their holes filled; known pixels are unchanged."""
        return composite(image, self.inpaint(image, mask).fine, mask)

    def on_fit_start(self) -> None:
        super().on_fit_start()
        if self.adversarial_from is not None or self.losses.weights.features_from is not None:
            self.losses.load()

    # Training

    def trains_discriminator(self) -> bool:
        return self.adversarial_from is not None and self.iteration >= self.adversarial_from

    def frozen_networks(self) -> frozenset[str]:
        return self.losses.networks

    def discriminator_terms(self, batch: InpaintingBatch) -> Terms:
        with torch.no_grad():
            fake = self(batch.image, batch.mask)
        real_logits, fake_logits = self._logits_of_pairs(batch, fake)
        if self.logs_now:
            self.show("discriminator", game_scalars(_joined(real_logits), _joined(fake_logits)))
        terms = {"adversarial": self._discriminator_loss(real_logits, fake_logits)}
        if self.gradient_penalty_weight > 0:
            penalties = [self._gradient_penalty(critic, batch, fake) for critic in self._critics]
            terms["gradient_penalty"] = self.gradient_penalty_weight * torch.stack(penalties).sum()
        return terms | self._orthogonality(self.discriminator, self.losses.weights.orthogonality_weight)

    def generator_terms(self, batch: InpaintingBatch) -> Terms:
        made = self.inpaint(batch.image, batch.mask)
        if self.logs_now:
            self.show("generator", {"spread": relative_spread_in_holes(made.fine, batch.image, batch.mask)})
        terms = self.losses.reconstruction(made, batch)
        terms |= self._orthogonality(self.generator, self.losses.weights.orthogonality_weight)
        plays, looks = self.trains_discriminator(), self._looks_at_features()
        if not (plays or looks):
            return terms
        filled = composite(batch.image, made.fine, batch.mask)
        terms |= self._adversarial_terms(filled, batch) if plays else {}
        return terms | (self.losses.on_features(filled, made, batch) if looks else {})

    def _looks_at_features(self) -> bool:
        first = self.losses.weights.features_from
        return self.trains_discriminator() if first is None else self.iteration >= first

    def run_networks(self, batch: InpaintingBatch) -> None:
        self._critic_outputs(self(batch.image, batch.mask), batch.mask)

    def _adversarial_terms(self, filled: Tensor, batch: InpaintingBatch) -> Terms:
        fake = self._critic_outputs(filled, batch.mask)
        matches = self.losses.weights.feature_matching_weight > 0
        with torch.no_grad():
            real = self._critic_outputs(batch.image, batch.mask) if matches or self.adversarial.relativistic else fake
        terms = {"adversarial": self._generator_loss([each.logits for each in real], [each.logits for each in fake])}
        return terms | (self.losses.feature_matching(fake, real) if matches else {})

    def _discriminator_loss(self, real_logits: Sequence[Tensor], fake_logits: Sequence[Tensor]) -> Tensor:
        """The sum over critics."""
        pairs = zip(real_logits, fake_logits, strict=True)
        return torch.stack([self.adversarial.discriminator(*pair) for pair in pairs]).sum()

    def _generator_loss(self, real_logits: Sequence[Tensor], fake_logits: Sequence[Tensor]) -> Tensor:
        """The weighted sum over critics."""
        losses = [
            self.adversarial.generator_loss(lambda real=real: real, fake)  # type: ignore[misc]
            for real, fake in zip(real_logits, fake_logits, strict=True)
        ]
        return self.adversarial_weight * torch.stack(losses).sum()

    @property
    def _critics(self) -> list[nn.Module]:
        return list(self.discriminator.critics)  # type: ignore[arg-type]

    def _critic_outputs(self, image: Tensor, mask: Tensor) -> list[CriticOutput]:
        laid_out = self._laid_out(image)
        outputs = [critic(laid_out, mask) for critic in self._critics]
        return [CriticOutput(at_least_float32(output.logits), output.features) for output in outputs]

    def _logits_of_pairs(self, batch: InpaintingBatch, filled: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Each critic's logits of the true images, and of the filled ones; one pass for both is faster than two."""
        outputs = self._critic_outputs(torch.cat([batch.image, filled]), batch.mask.repeat(2, 1, 1, 1))
        halves = [output.logits.chunk(2) for output in outputs]
        return [real for real, _ in halves], [fake for _, fake in halves]

    def _gradient_penalty(self, critic: nn.Module, batch: InpaintingBatch, fake: Tensor) -> Tensor:
        def discriminate(image: Tensor) -> Tensor:
            output: CriticOutput = critic(self._laid_out(image), batch.mask)
            return output.logits

        draw_on()  # the networks have run
        return wgan_gradient_penalty(discriminate, batch.image, fake, batch.mask)

    # Evaluation

    def validation_step(self, batch: InpaintingBatch, batch_idx: int) -> None:
        """Logs both networks' losses on held-out images; ``InpaintingMetrics`` measures image quality."""
        self._log_game("val", batch)

    def test_step(self, batch: InpaintingBatch, batch_idx: int) -> None:
        """As ``validation_step``, on the test split."""
        self._log_game("test", batch)

    def _log_game(self, stage: str, batch: InpaintingBatch) -> None:
        made = self.inpaint(batch.image, batch.mask)
        terms = {f"{stage}/generator/{name}": term for name, term in self.losses.reconstruction(made, batch).items()}
        if self.trains_discriminator():
            filled = composite(batch.image, made.fine, batch.mask)
            real_logits, fake_logits = self._logits_of_pairs(batch, filled)
            terms |= {
                f"{stage}/discriminator/adversarial": self._discriminator_loss(real_logits, fake_logits),
                f"{stage}/generator/adversarial": self._generator_loss(real_logits, fake_logits),
                f"{stage}/real_logits": _joined(real_logits).mean(),
                f"{stage}/fake_logits": _joined(fake_logits).mean(),
            }
        log_means(self, terms, len(batch.image), self.iteration)

    def preview_images(self, count: int) -> tuple[InpaintingBatch, list[str]]:
        """Fixed held-out images with their holes, evenly spread, and their names.

        Args:
            count: largest number of images.

        Raises:
            InputError: the run has no data module with validation images.
        """
        data: Any = getattr(self.trainer, "datamodule", None)
        if not hasattr(data, "dataset"):
            raise InputError(
                "a preview of filled holes needs a data module with dataset('val'), such as lit_an.data.InpaintingData"
            )
        dataset = data.dataset("val")
        # Evenly spread, since consecutive files are often similar.
        count = min(count, len(dataset))
        positions = [index * len(dataset) // count for index in range(count)]
        name = getattr(data, "name", None)
        names = [str(name("val", position)) if callable(name) else str(position) for position in positions]
        batch = collate([dataset[position] for position in positions])
        return self.transfer_batch_to_device(batch, self.device, 0), names

    def inpainted_preview(self, count: int) -> tuple[InpaintingBatch, Inpainted, list[str]]:
        """``preview_images``, with the generator's output for them before the names.

        Raises:
            InputError: see ``preview_images``.
        """
        batch, names = self.preview_images(count)
        with self.evaluation():
            made = self.inpaint(batch.image, batch.mask)
        return batch, made, names

    def preview(self, columns: int, rows: int) -> Preview:
        """One row of held-out images with their holes filled."""
        batch, made, names = self.inpainted_preview(columns)
        filled = composite(batch.image, made.fine, batch.mask)
        return Preview(filled, ["val"], names, batch.mask, batch.regions)


def _joined(logits: Iterable[Tensor]) -> Tensor:
    """The logits of all critics in a row."""
    return torch.cat([each.flatten() for each in logits])
