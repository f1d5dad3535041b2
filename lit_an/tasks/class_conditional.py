"""Class-conditional image generation: a projection GAN with attentive normalization."""

from typing import Any

import torch
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from lit_an.batch import ClassBatch, SampleRequest
from lit_an.errors import InputError
from lit_an.latents import latents_of
from lit_an.losses.adversarial import ADVERSARIAL_LOSSES
from lit_an.losses.gradient_penalty import r1_penalty, wgan_gradient_penalty
from lit_an.norms.base import total_penalty
from lit_an.seeds import mix_seed
from lit_an.tasks.adversarial import AdversarialTask, Preview, Terms

_PREVIEW_SEED = 2020


class ClassConditionalGAN(AdversarialTask):
    """Class-conditional generation after SNGAN-projection, SAGAN and AN.

    Fakes take the labels of the real batch, so that the discriminator cannot tell them by how often a class occurs.

    Args:
        generator: ``latent_dim``, ``num_classes``, and ``forward(latent, label) -> image``.
        discriminator: ``forward(image, label) -> logits``.
        generator_optimizer, discriminator_optimizer: from parameters to an optimizer; two learning rates are TTUR.
        generator_scheduler, discriminator_scheduler: schedules over iterations, or None.
        discriminator_steps: discriminator steps per generator step.
        accumulate: parts that each step's batch is split into.
        gradient_clip_norm: largest norm of a network's gradient; 0 for no limit.
        channels_last: lay out convolutions channels-last.
        adversarial_loss: ``hinge``, ``non_saturating`` or ``wasserstein``.
        orthogonality_weight: weight of the norms' penalties, ≥ 0; 1e-3 in the paper.
        r1_weight: weight γ of the R1 penalty ½ γ E ‖∇D(real)‖², ≥ 0.
        r1_every: iterations from one R1 penalty to the next, its weight multiplied by as much (lazy regularization).
        gradient_penalty_weight: weight of WGAN-GP's penalty, ≥ 0; 10 in its paper.

    Raises:
        InputError: a number out of range, or an unknown loss.

    Source: Wang et al., CVPR 2020, section 4.1; lazy R1: Karras et al., StyleGAN2, CVPR 2020.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        generator_optimizer: OptimizerCallable,
        discriminator_optimizer: OptimizerCallable,
        generator_scheduler: LRSchedulerCallable | None = None,
        discriminator_scheduler: LRSchedulerCallable | None = None,
        discriminator_steps: int = 1,
        accumulate: int = 1,
        gradient_clip_norm: float = 0.0,
        channels_last: bool = True,
        adversarial_loss: str = "hinge",
        orthogonality_weight: float = 1e-3,
        r1_weight: float = 0.0,
        r1_every: int = 1,
        gradient_penalty_weight: float = 0.0,
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            generator_optimizer,
            discriminator_optimizer,
            generator_scheduler,
            discriminator_scheduler,
            discriminator_steps,
            accumulate,
            gradient_clip_norm,
            channels_last,
        )
        if r1_every < 1:
            raise InputError(f"ClassConditionalGAN: r1_every must be at least 1, got {r1_every}")
        self.adversarial = ADVERSARIAL_LOSSES.create(adversarial_loss)
        self.orthogonality_weight = orthogonality_weight
        self.r1_weight, self.r1_every = r1_weight, r1_every
        self.gradient_penalty_weight = gradient_penalty_weight
        self.class_names = [str(label) for label in range(self.num_classes)]

    @property
    def num_classes(self) -> int:
        """Classes that the generator knows."""
        return int(self.generator.num_classes)  # type: ignore[arg-type]

    def setup(self, stage: str) -> None:
        """Checks the data's classes and size against the networks'.

        Raises:
            InputError: they differ.
        """
        super().setup(stage)
        names = getattr(getattr(self.trainer, "datamodule", None), "class_names", None)
        if names is None:
            return
        if len(names) != self.num_classes:
            raise InputError(
                f"the data has {len(names)} classes ({', '.join(names[:6])}{', …' if len(names) > 6 else ''}) but the "
                f"generator was made for {self.num_classes}; set num_classes of both networks to {len(names)}"
            )
        self.class_names = list(names)

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [-1, 1] from latents (B, latent_dim) and labels (B,)."""
        image: Tensor = self.generator(latent, label)
        return image

    # The game

    def discriminator_terms(self, batch: ClassBatch) -> Terms:
        real = self._laid_out(batch.image)
        with torch.no_grad():
            fake = self._generate(batch.label)
        real_logits, fake_logits = self._judge(real, fake, batch.label)
        terms = {"adversarial": self.adversarial.discriminator(real_logits, fake_logits)}
        terms |= self._orthogonality(self.discriminator)
        terms |= self._gradient_penalties(real, fake, batch.label)
        return terms

    def generator_terms(self, batch: ClassBatch) -> Terms:
        fake_logits = self.discriminator(self._generate(batch.label), batch.label)
        return {"adversarial": self.adversarial.generator(fake_logits)} | self._orthogonality(self.generator)

    def _generate(self, label: Tensor) -> Tensor:
        latent = torch.randn(len(label), self._latent_dim, device=label.device)
        image: Tensor = self.generator(latent, label)
        return image

    def _judge(self, real: Tensor, fake: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of real and fake images from one pass, which is faster than two."""
        logits = self.discriminator(torch.cat([real, fake.to(real.dtype)]), label.repeat(2)).float()
        real_logits, fake_logits = logits.chunk(2)
        return real_logits, fake_logits

    def _gradient_penalties(self, real: Tensor, fake: Tensor, label: Tensor) -> Terms:
        def judge(image: Tensor) -> Tensor:
            logits: Tensor = self.discriminator(image, label)
            return logits

        terms = {}
        if self.r1_weight > 0 and self.iteration % self.r1_every == 0:
            terms["r1_penalty"] = self.r1_weight * self.r1_every * r1_penalty(judge, real)
        if self.gradient_penalty_weight > 0:
            terms["gradient_penalty"] = self.gradient_penalty_weight * wgan_gradient_penalty(judge, real, fake)
        return terms

    def _orthogonality(self, network: nn.Module) -> Terms:
        penalty = total_penalty(network) if self.orthogonality_weight > 0 else None
        return {} if penalty is None else {"orthogonality": self.orthogonality_weight * penalty}

    def _laid_out(self, image: Tensor) -> Tensor:
        return image.contiguous(memory_format=torch.channels_last) if self.channels_last else image

    # Looking at it

    def validation_step(self, batch: ClassBatch, batch_idx: int) -> None:
        """Logs both sides of the game on held-out images: a growing gap to training is a memorizing discriminator."""
        self._log_game("val", batch)

    def test_step(self, batch: ClassBatch, batch_idx: int) -> None:
        """As ``validation_step``, on the test split."""
        self._log_game("test", batch)

    def _log_game(self, stage: str, batch: ClassBatch) -> None:
        with torch.random.fork_rng(devices=[]):
            # The same latents at every validation: the curve then shows the networks, not the draw.
            torch.manual_seed(mix_seed(_PREVIEW_SEED, self.global_rank))
            fake = self._generate(batch.label)
        real_logits, fake_logits = self._judge(self._laid_out(batch.image), fake, batch.label)
        terms = {
            f"{stage}/discriminator/adversarial": self.adversarial.discriminator(real_logits, fake_logits),
            f"{stage}/generator/adversarial": self.adversarial.generator(fake_logits),
            f"{stage}/real_logits": real_logits.mean(),
            f"{stage}/fake_logits": fake_logits.mean(),
            "step": torch.tensor(float(self.iteration)),
        }
        for name, term in terms.items():
            self._log(name, term, batch_size=len(batch.label))

    def predict_step(self, batch: SampleRequest, batch_idx: int) -> Tensor:
        """Images (B, 3, H, W) in [-1, 1] for requests, each a function of its label and seed alone."""
        latent = latents_of(batch.label.tolist(), batch.seed.tolist(), self._latent_dim)
        image: Tensor = self.generator(latent.to(batch.label.device), batch.label)
        return image.float()

    def preview(self, columns: int, rows: int) -> Preview:
        """One row a class, spread evenly where there are more classes than rows.

        A column shares its latent, so that classes can be compared.
        """
        latent = latents_of([_PREVIEW_SEED] * columns, range(columns), self._latent_dim)
        rows = min(rows, self.num_classes)
        classes = [row * self.num_classes // rows for row in range(rows)]
        latent = latent.repeat(rows, 1).to(self.device)
        label = torch.tensor(classes, device=self.device).repeat_interleave(columns)
        with self.evaluation():
            images = self.generator(latent, label).float()
        return Preview(images, [self.class_names[index] for index in classes])

    @property
    def _latent_dim(self) -> int:
        return int(self.generator.latent_dim)  # type: ignore[arg-type]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the names of the classes beside the weights."""
        checkpoint["class_names"] = self.class_names
