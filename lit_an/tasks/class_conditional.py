"""Class-conditional image generation: a projection GAN with attentive normalization."""

from functools import partial
from typing import Any, NamedTuple

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor, nn

from lit_an.augmentations import AUGMENTATIONS
from lit_an.batch import ClassBatch
from lit_an.checkpoints.format import write_entries
from lit_an.errors import InputError, at_least
from lit_an.latents import latents_of
from lit_an.losses.adversarial import ADVERSARIAL_LOSSES
from lit_an.losses.gradient_penalty import wgan_gradient_penalty, zero_centered_penalty
from lit_an.losses.mode_seeking import mode_seeking_loss
from lit_an.seeds import mix_seed
from lit_an.tasks.adversarial import AdversarialTask, Terms
from lit_an.tasks.collapse import game_scalars, relative_spread
from lit_an.tasks.draws import draw_on
from lit_an.tasks.log_rows import log_means
from lit_an.tasks.preview import Preview
from lit_an.tensors.precision import at_least_float32

_PREVIEW_SEED = 2020


class _Fakes(NamedTuple):
    image: Tensor
    latent: Tensor


class ClassConditionalGAN(AdversarialTask):
    """Class-conditional generation after SNGAN-projection, SAGAN and AN.

    Fakes use the labels of the real batch, so that class frequencies do not distinguish them from real images.

    Args:
        generator: ``latent_dim``, ``num_classes``, and ``forward(latent, label) -> image``.
        discriminator: ``forward(image, label) -> logits``; called before training: ``load_backbone()``, if it has that.
        generator_optimizer, discriminator_optimizer: from parameters to an optimizer; two learning rates are TTUR.
        adversarial_loss: ``hinge``, ``non_saturating``, ``relativistic`` or ``wasserstein``.
        orthogonality_weight: weight of the norms' penalties, ≥ 0; 1e-3 in the paper.
        mode_seeking_weight: weight of ``lit_an.losses.mode_seeking_loss``, ≥ 0: images of one class should differ. It
            acts on classes that are in a batch more than once.
        r1_weight: weight γ of the R1 penalty ½ γ E ‖∇D(real)‖², ≥ 0.
        r2_weight: weight γ of the R2 penalty ½ γ E ‖∇D(fake)‖², ≥ 0.
        gradient_penalty_weight: weight of WGAN-GP's penalty, ≥ 0; 10 in its paper.
        penalty_every: iterations between these penalties, whose weight is multiplied by this number (lazy
            regularization). The log shows the newest value of a penalty with that weight.
        augmentation: applied to all inputs of the discriminator in training: ``none``, ``diffaugment`` or
            ``ada``; for small data sets. Gradient penalties are computed at the images before it.
        augmentation_kwargs: its arguments.
        share_fakes: judge the same fakes in the last discriminator step of an iteration and in the generator's, which
            saves a pass of the generator and keeps its graph in between; else each step draws its own.
        kwargs: see ``lit_an.tasks.AdversarialTask``.

    Raises:
        InputError: a number out of range, an unknown loss or augmentation, or an unknown argument of it.

    Source: Wang et al., CVPR 2020, section 4.1; lazy R1: Karras et al., StyleGAN2, CVPR 2020; R1 with augmentation:
    Karras et al., NeurIPS 2020 (arXiv 2006.06676), and its code.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        generator_optimizer: OptimizerCallable,
        discriminator_optimizer: OptimizerCallable,
        *,
        adversarial_loss: str = "hinge",
        orthogonality_weight: float = 1e-3,
        mode_seeking_weight: float = 0.0,
        r1_weight: float = 0.0,
        r2_weight: float = 0.0,
        gradient_penalty_weight: float = 0.0,
        penalty_every: int = 1,
        augmentation: str = "none",
        augmentation_kwargs: dict[str, bool | int | float | str] | None = None,
        share_fakes: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(generator, discriminator, generator_optimizer, discriminator_optimizer, **kwargs)
        at_least("ClassConditionalGAN", 1, penalty_every=penalty_every)
        at_least(
            "ClassConditionalGAN",
            0,
            orthogonality_weight=orthogonality_weight,
            mode_seeking_weight=mode_seeking_weight,
            r1_weight=r1_weight,
            r2_weight=r2_weight,
            gradient_penalty_weight=gradient_penalty_weight,
        )
        self.adversarial = ADVERSARIAL_LOSSES.create(adversarial_loss)
        self.orthogonality_weight, self.mode_seeking_weight = orthogonality_weight, mode_seeking_weight
        self.r1_weight, self.r2_weight, self.gradient_penalty_weight = r1_weight, r2_weight, gradient_penalty_weight
        self.penalty_every = penalty_every
        self.augmentation = AUGMENTATIONS.create(augmentation, **(augmentation_kwargs or {}))
        if share_fakes and self.accumulate > 1:
            raise InputError("ClassConditionalGAN: share_fakes=true keeps a whole batch in memory; set accumulate=1")
        self.share_fakes = share_fakes
        self._shared: _Fakes | None = None
        self.class_names = [str(label) for label in range(self.num_classes)]

    @property
    def num_classes(self) -> int:
        """Number of classes of the generator."""
        return int(self.generator.num_classes)  # type: ignore[arg-type]

    def setup(self, stage: str) -> None:
        """Also has a discriminator on frozen features read them, so that errors appear before training.

        Raises:
            InputError: their weights are missing.
        """
        super().setup(stage)
        load = getattr(self.discriminator, "load_backbone", None)
        if load is not None:
            load()

    def check_data(self, data: Any) -> None:
        """Also checks that data and networks have the same number of classes.

        Raises:
            InputError: sizes or classes differ, or the data have no classes.
        """
        super().check_data(data)
        names = getattr(data, "class_names", None)
        if data is not None and names is None:
            raise InputError(
                f"ClassConditionalGAN takes images with classes, and {type(data).__name__} has none (class_names); "
                "choose other data, such as lit_an.data.ClassData"
            )
        networks = (("generator", self.generator), ("discriminator", self.discriminator))
        made = {name: int(network.num_classes) for name, network in networks if hasattr(network, "num_classes")}  # type: ignore[arg-type]
        wanted = self.num_classes if names is None else len(names)
        wrong = " and ".join(f"the {name} was made for {count}" for name, count in made.items() if count != wanted)
        if wrong and names is None:
            raise InputError(
                f"the generator was made for {wanted} classes but {wrong}; set the same num_classes for both"
            )
        if wrong and names is not None:
            raise InputError(
                f"the data has {len(names)} classes ({', '.join(names[:6])}{', …' if len(names) > 6 else ''}) but "
                f"{wrong}; set num_classes of both networks to {len(names)}"
            )
        if names is not None:
            self.class_names = list(names)

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [-1, 1] from latents (B, latent_dim) and labels (B,)."""
        image: Tensor = self.generator(latent, label)
        return image

    # Training

    def before_last_step(self, batch: ClassBatch) -> None:
        if self.share_fakes:
            self._numbers.before_shared_pass()
            self._shared = self._generate(batch.label)

    def discriminator_terms(self, batch: ClassBatch) -> Terms:
        real = self._laid_out(batch.image)
        with torch.no_grad():
            fake = (self._shared or self._generate(batch.label)).image.detach()
        # One pass for both is faster than two.
        logits = self._judge_augmented(_joined(real, fake), batch.label.repeat(2))
        real_logits, fake_logits = logits.chunk(2)
        self.augmentation.observe(real_logits)
        if self.logs_now:
            self.show("discriminator", game_scalars(real_logits, fake_logits))
            if len(real) > 1:  # one image has no spread, which would look like equal images
                self.show("generator", {"spread": relative_spread(fake, real)})
        terms = {"adversarial": self.adversarial.discriminator(real_logits, fake_logits)}
        terms |= self._orthogonality(self.discriminator, self.orthogonality_weight)
        terms |= self._gradient_penalties(real, fake, batch.label)
        return terms

    def generator_terms(self, batch: ClassBatch) -> Terms:
        discriminate = partial(self._judge_augmented, label=batch.label)
        fakes, self._shared = self._shared or self._generate(batch.label), None
        fake_logits = discriminate(fakes.image)
        adversarial = self.adversarial.generator_loss(lambda: discriminate(self._laid_out(batch.image)), fake_logits)
        terms = {"adversarial": adversarial} | self._orthogonality(self.generator, self.orthogonality_weight)
        if self.mode_seeking_weight:
            terms["mode_seeking"] = self.mode_seeking_weight * mode_seeking_loss(*fakes, batch.label)
        return terms

    def frozen_networks(self) -> frozenset[str]:
        name = getattr(self.discriminator, "backbone_name", None)
        return frozenset() if name is None else frozenset({name})

    def run_networks(self, batch: ClassBatch) -> None:
        fake = self._generate(batch.label).image
        self._judge(_joined(self._laid_out(batch.image), fake), batch.label.repeat(2))

    def _generate(self, label: Tensor) -> _Fakes:
        latent = self._fitting(self._draw_latents(len(label), label.device))
        fakes = _Fakes(self.generator(latent, label), latent)
        draw_on()
        return fakes

    def _draw_latents(self, count: int, device: torch.device) -> Tensor:
        return torch.randn(count, self._latent_dim, device=device)

    def _judge(self, image: Tensor, label: Tensor) -> Tensor:
        logits: Tensor = self.discriminator(self._laid_out(image), label)
        return at_least_float32(logits)

    def _judge_augmented(self, image: Tensor, label: Tensor) -> Tensor:
        logits = self._judge(self.augmentation(image), label)
        draw_on()
        return logits

    def _gradient_penalties(self, real: Tensor, fake: Tensor, label: Tensor) -> Terms:
        if self.iteration % self.penalty_every:
            return {}
        discriminate = partial(self._judge_augmented, label=label)
        penalties = {
            "r1_penalty": (self.r1_weight, lambda: zero_centered_penalty(discriminate, real)),
            "r2_penalty": (self.r2_weight, lambda: zero_centered_penalty(discriminate, fake)),
            "gradient_penalty": (self.gradient_penalty_weight, lambda: wgan_gradient_penalty(discriminate, real, fake)),
        }
        return {
            name: weight * self.penalty_every * penalty() for name, (weight, penalty) in penalties.items() if weight > 0
        }

    # State of the augmentation

    def get_extra_state(self) -> dict[str, Any]:
        """The counters and the state of the augmentation."""
        learned = self.augmentation.state()
        return super().get_extra_state() | ({"augmentation": learned} if learned else {})

    def set_extra_state(self, state: dict[str, Any]) -> None:
        super().set_extra_state(state)
        # A run may be resumed with another augmentation.
        learned = state.get("augmentation", {})
        if learned.keys() == self.augmentation.state().keys():
            self.augmentation.load_state(learned)

    def _log_terms(self) -> None:
        self.show("discriminator", self.augmentation.scalars())
        super()._log_terms()

    # Evaluation

    def validation_step(self, batch: ClassBatch, batch_idx: int) -> None:
        """Logs both losses on held-out images; a growing gap to training shows an overfitting discriminator."""
        self._log_game("val", batch)

    def test_step(self, batch: ClassBatch, batch_idx: int) -> None:
        """As ``validation_step``, on the test split."""
        self._log_game("test", batch)

    def _log_game(self, stage: str, batch: ClassBatch) -> None:
        with torch.random.fork_rng(devices=[]):
            # The same latents at every validation, so that the curve has no sampling noise.
            torch.manual_seed(mix_seed(_PREVIEW_SEED, self.global_rank))
            fake = self._generate(batch.label).image
        real = self._laid_out(batch.image)
        real_logits, fake_logits = self._judge(_joined(real, fake), batch.label.repeat(2)).chunk(2)
        terms = {
            f"{stage}/discriminator/adversarial": self.adversarial.discriminator(real_logits, fake_logits),
            f"{stage}/generator/adversarial": self.adversarial.generator_loss(lambda: real_logits, fake_logits),
            f"{stage}/real_logits": real_logits.mean(),
            f"{stage}/fake_logits": fake_logits.mean(),
        }
        log_means(self, terms, len(batch.label), self.iteration)

    def generate(self, label: Tensor, seed: Tensor) -> Tensor:
        """Images that depend only on their class and seed, as those of the command ``sample``.

        Args:
            label: (B,), int64, 0 ≤ label < num_classes, on any device.
            seed: (B,), int64.

        Returns:
            (B, 3, H, W), float32 in [-1, 1], on the task's device.
        """
        latent = latents_of(label.tolist(), seed.tolist(), self._latent_dim)
        image: Tensor = self.generator(self._fitting(latent), label.to(self.device))
        return at_least_float32(image)

    def preview(self, columns: int, rows: int) -> Preview:
        """One row per class, evenly spread over the classes if there are more than rows.

        Each column has one latent for all classes.
        """
        latent = latents_of([_PREVIEW_SEED] * columns, range(columns), self._latent_dim)
        classes = self.preview_classes(rows)
        latent = self._fitting(latent.repeat(len(classes), 1))
        label = torch.tensor(classes, device=self.device).repeat_interleave(columns)
        with self.evaluation():
            images = at_least_float32(self.generator(latent, label))
        return Preview(images, [self.class_names[index] for index in classes], list(map(str, range(columns))))

    def preview_classes(self, rows: int) -> list[int]:
        """Labels of the rows of a preview: at most ``rows``, evenly spread over the classes."""
        rows = min(rows, self.num_classes)
        return [row * self.num_classes // rows for row in range(rows)]

    def _fitting(self, latent: Tensor) -> Tensor:
        """On the generator's device, of its precision."""
        return latent.to(next(self.generator.parameters()))

    @property
    def _latent_dim(self) -> int:
        return int(self.generator.latent_dim)  # type: ignore[arg-type]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Also stores the names of the classes."""
        super().on_save_checkpoint(checkpoint)
        write_entries(checkpoint, class_names=self.class_names)


def _joined(real: Tensor, fake: Tensor) -> Tensor:
    return torch.cat([real, fake.to(real.dtype)])
