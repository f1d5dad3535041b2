"""The terms of inpainting against their formulas, with networks in which every part counts."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lit_an.backbones import create_backbone
from lit_an.batch import Inpainted, InpaintingBatch, collate
from lit_an.losses import ADVERSARIAL_LOSSES, confidence_map, id_mrf_loss
from lit_an.losses.backbone_features import BackboneFeatures
from lit_an.losses.features import VGG19Features
from lit_an.losses.gradient_penalty import wgan_gradient_penalty
from lit_an.networks import CoarseToFineGenerator, GlobalAndLocalCritics
from lit_an.norms import total_penalty
from lit_an.tasks import InpaintingGAN
from lit_an.tasks.draws import draw_on
from tests.adversarial_games import GAMES
from tests.randomizing import randomized
from tests.training import keep_logged, make_inpainting_task, make_photographs, make_trainer
from tests.vgg import make_vgg19


def make_batch() -> InpaintingBatch:
    """Two images with holes of different sizes in different places."""
    mask = torch.zeros(2, 1, 32, 32)
    mask[0, :, 2:12, 3:20] = 1
    mask[1, :, 18:31, 10:17] = 1
    return InpaintingBatch(torch.rand(2, 3, 32, 32) * 2 - 1, mask)


def make_randomized(**kwargs: Any) -> InpaintingGAN:
    return randomized(make_inpainting_task(**kwargs), deviation=0.2).eval()


def filled_of(task: InpaintingGAN, batch: InpaintingBatch) -> Tensor:
    return torch.where(batch.mask > 0.5, task.generator(batch.image, batch.mask).fine, batch.image)


def flat_gradient(loss: Tensor, parameters: list[Tensor]) -> Tensor:
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True, retain_graph=True)
    return torch.cat([g.flatten() for g in gradients if g is not None] or [torch.zeros(1)])


def check_term(ours: Tensor, theirs: Tensor, parameters: list[Tensor]) -> None:
    """The value, and the gradient."""
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-7)
    gradient, expected = flat_gradient(ours, parameters), flat_gradient(theirs, parameters)
    assert expected.norm() > 0
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-3 * expected.abs().max().item())


@pytest.mark.parametrize("local", ["window", "patch"])
@pytest.mark.parametrize("loss", ADVERSARIAL_LOSSES.names())
def test_both_sides_of_every_game(loss: str, local: str) -> None:
    weight = 0.7
    task = make_randomized(local=local, adversarial_loss=loss, gradient_penalty_weight=0.0, adversarial_weight=weight)
    batch, (discriminator, generator) = make_batch(), GAMES[loss]
    filled = filled_of(task, batch)
    critics: Any = task.discriminator.critics
    expected = sum(
        discriminator(*(critic(image, batch.mask).logits for image in (batch.image, filled.detach())))
        for critic in critics
    )
    parameters = list(task.discriminator.parameters())
    check_term(task.discriminator_terms(batch)["adversarial"], torch.as_tensor(expected), parameters)
    expected = sum(
        generator(*(critic(image, batch.mask).logits for image in (batch.image, filled))) for critic in critics
    )
    parameters = list(task.generator.parameters())
    check_term(task.generator_terms(batch)["adversarial"], torch.as_tensor(weight * expected), parameters)


def test_the_penalty_of_each_critic_is_in_its_hole() -> None:
    task, batch = make_randomized(gradient_penalty_weight=0.5), make_batch()
    torch.manual_seed(1)
    penalty = task.discriminator_terms(batch)["gradient_penalty"]
    filled = filled_of(task, batch).detach()
    torch.manual_seed(1)
    expected = torch.zeros(())
    for critic in task.discriminator.critics:  # type: ignore[union-attr]
        draw_on()
        share = torch.rand(2, 1, 1, 1)
        between = ((1 - share) * batch.image + share * filled).requires_grad_()
        logits = critic(between, batch.mask).logits
        (gradient,) = torch.autograd.grad(logits.sum(), between)
        norms = (gradient * batch.mask).flatten(1).norm(dim=1)
        expected = expected + (norms - 1).square().mean()
    torch.testing.assert_close(penalty, 0.5 * expected, rtol=1e-4, atol=1e-6)


def test_the_penalties_of_runs_that_differ_in_a_norm_draw_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def noting(*arguments: Any) -> Tensor:
        seen.append(torch.get_rng_state())
        return wgan_gradient_penalty(*arguments)

    monkeypatch.setattr("lit_an.tasks.inpainting.wgan_gradient_penalty", noting)
    for long_range in ("none", "attentive"):
        task = make_inpainting_task()
        task.generator = CoarseToFineGenerator(width=2, long_range=long_range)
        torch.manual_seed(1)
        task.discriminator_terms(make_batch())
    assert len(seen) == 2 * 2
    assert all(map(torch.equal, seen[:2], seen[2:]))
    assert not torch.equal(seen[0], seen[1])


def test_each_side_has_the_penalty_of_its_own_norms() -> None:
    task = make_inpainting_task(losses={"orthogonality_weight": 0.3})
    critics = GlobalAndLocalCritics(32, base_width=2, long_range="attentive", long_range_kwargs={"num_regions": 4})
    task.discriminator = critics
    randomized(task)
    penalties = [total_penalty(network) for network in (task.generator, task.discriminator)]
    assert penalties[0] is not None
    assert penalties[1] is not None
    assert abs(penalties[0] - penalties[1]) > 1e-3
    terms = task.generator_terms(make_batch()), task.discriminator_terms(make_batch())
    for ours, penalty in zip(terms, penalties, strict=True):
        torch.testing.assert_close(ours["orthogonality"], 0.3 * penalty)  # type: ignore[operator]


@pytest.mark.parametrize("adversarial_loss", ["hinge", "relativistic"])
def test_feature_matching_pulls_the_composite_to_the_truth(adversarial_loss: str) -> None:
    task, batch = (
        make_randomized(losses={"feature_matching_weight": 0.5}, adversarial_loss=adversarial_loss),
        make_batch(),
    )
    filled, expected = filled_of(task, batch), torch.zeros(())
    for critic in task.discriminator.critics:  # type: ignore[union-attr]
        pairs = zip(critic(filled, batch.mask).features, critic(batch.image, batch.mask).features, strict=True)
        expected = expected + torch.stack([(fake - real.detach()).abs().mean() for fake, real in pairs]).mean()
    check_term(task.generator_terms(batch)["feature_matching"], 0.5 * expected, list(task.generator.parameters()))


@pytest.mark.parametrize("confidence", [True, False])
@pytest.mark.parametrize("hole_area", [None, 300])
def test_reconstruction_has_its_weights(confidence: bool, hole_area: int | None) -> None:
    weights = {"hole_weight": 2.0, "context_weight": 3.0, "coarse_weight": 0.25}
    options = {"confidence": confidence, "hole_area": hole_area}
    task, batch = make_randomized(losses={**weights, **options}, adversarial_from=None), make_batch()
    made = task.generator(batch.image, batch.mask)
    weight = confidence_map(batch.mask) if confidence else batch.mask
    hole = context = torch.zeros(())
    for factor, stage in ((1.0, made.fine), (0.25, made.coarse)):
        for index in range(2):
            difference, inside = (stage[index] - batch.image[index]).abs(), batch.mask[index].sum()
            hole = hole + factor * (difference * weight[index]).sum() / (3 * (hole_area or inside)) / 2
            context = context + factor * (difference * (1 - batch.mask[index])).sum() / (3 * (1024 - inside)) / 2
    terms, parameters = task.generator_terms(batch), list(task.generator.parameters())
    check_term(terms["hole"], 2.0 * hole, parameters)
    check_term(terms["context"], 3.0 * context, parameters)


@pytest.fixture(scope="module")
def vgg_weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_vgg19(tmp_path_factory.mktemp("vgg") / "vgg19.pth"))


def test_terms_on_features_are_of_the_fine_stage_and_the_composite(vgg_weights: str) -> None:
    losses = {"id_mrf_weight": 0.5, "perceptual_weight": 0.05, "style_weight": 7.0, "vgg_weights": vgg_weights}
    task, batch = make_randomized(losses=losses), make_batch()
    maps = VGG19Features(vgg_weights, ["relu3_2", "relu4_2", "pool1", "pool2", "pool3"])
    fine, true = (maps(image) for image in (task.generator(batch.image, batch.mask).fine, batch.image))
    filled = maps(filled_of(task, batch))
    perceptual = style = torch.zeros(())
    for seen in (fine, filled):
        for pool in ("pool1", "pool2", "pool3"):
            perceptual = perceptual + (seen[pool] - true[pool]).abs().mean()
            grams = [torch.einsum("bihw,bjhw->bij", x, x) / x[0].numel() for x in (seen[pool], true[pool])]
            style = style + (grams[0] - grams[1]).abs().mean()
    terms, parameters = task.generator_terms(batch), list(task.generator.parameters())
    check_term(terms["perceptual"], 0.05 * perceptual, parameters)
    check_term(terms["style"], 7.0 * style, parameters)
    check_term(terms["id_mrf"], 0.5 * id_mrf_loss(fine, true), parameters)


@pytest.mark.parametrize("term", ["id_mrf", "perceptual", "style"])
def test_one_term_on_features_is_enough_to_have_it(term: str, vgg_weights: str) -> None:
    task = make_randomized(losses={f"{term}_weight": 0.5, "vgg_weights": vgg_weights})
    assert set(task.generator_terms(make_batch())) - {"hole", "context", "orthogonality", "adversarial"} == {term}


@pytest.mark.parametrize("features_of", ["both", "composite"])
def test_terms_on_the_maps_of_a_backbone(features_of: str) -> None:
    losses = {"perceptual_weight": 0.05, "style_weight": 7.0, "features": "efficientnet_lite0"}
    task, batch = make_randomized(losses={**losses, "features_of": features_of}), make_batch()
    backbone = create_backbone("efficientnet_lite0")
    images = [filled_of(task, batch)] + [task.generator(batch.image, batch.mask).fine] * (features_of == "both")
    perceptual = style = torch.zeros(())
    for image in images:
        for seen, true in zip(backbone(image)[:3], backbone(batch.image)[:3], strict=True):
            perceptual = perceptual + (seen - true).abs().mean()
            grams = [torch.einsum("bihw,bjhw->bij", x, x) / x[0].numel() for x in (seen, true)]
            style = style + (grams[0] - grams[1]).abs().mean()
    terms, parameters = task.generator_terms(batch), list(task.generator.parameters())
    check_term(terms["perceptual"], 0.05 * perceptual, parameters)
    check_term(terms["style"], 7.0 * style, parameters)


def test_id_mrf_keeps_vgg19_beside_a_backbone(vgg_weights: str) -> None:
    losses = {"id_mrf_weight": 0.5, "vgg_weights": vgg_weights, "perceptual_weight": 0.05}
    task, batch = make_randomized(losses={**losses, "features": "efficientnet_lite0"}), make_batch()
    maps = VGG19Features(vgg_weights, ["relu3_2", "relu4_2"])
    fine = task.generator(batch.image, batch.mask).fine
    terms = task.generator_terms(batch)
    torch.testing.assert_close(terms["id_mrf"], 0.5 * id_mrf_loss(maps(fine), maps(batch.image)))
    assert "perceptual" in terms


@pytest.mark.parametrize("features_of", ["both", "composite"])
def test_a_network_sees_what_its_terms_look_at(
    features_of: str, vgg_weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = {"id_mrf_weight": 0.5, "vgg_weights": vgg_weights, "perceptual_weight": 0.05, "features_of": features_of}
    task, batch = make_randomized(losses={**losses, "features": "efficientnet_lite0"}), make_batch()
    seen: list[type] = []
    for kind in (VGG19Features, BackboneFeatures):
        compute: Any = kind.__call__

        def observed(network: Any, image: Tensor, compute: Any = compute) -> Any:
            seen.append(type(network))
            return compute(network, image)

        monkeypatch.setattr(kind, "__call__", observed)
    task.generator_terms(batch)
    assert seen.count(VGG19Features) == 2  # the truth and the fine stage
    assert seen.count(BackboneFeatures) == (3 if features_of == "both" else 2)


@pytest.mark.parametrize("adversarial_from", [None, 8])
def test_terms_on_features_begin_at_their_own_iteration(adversarial_from: int | None) -> None:
    losses = {"perceptual_weight": 0.05, "features": "efficientnet_lite0", "features_from": 3}
    task, batch = make_randomized(losses=losses, adversarial_from=adversarial_from), make_batch()
    for iteration, expected in ((0, set()), (2, set()), (3, {"perceptual"})):
        task.iteration = iteration
        assert set(task.generator_terms(batch)) - {"hole", "context", "orthogonality"} == expected
    task.iteration = 8
    more = set() if adversarial_from is None else {"adversarial"}
    assert set(task.generator_terms(batch)) - {"hole", "context", "orthogonality"} == {"perceptual"} | more


@pytest.mark.parametrize(("stage", "loss"), [("val", "wasserstein"), ("test", "relativistic")])
def test_what_is_said_of_held_out_images(stage: str, loss: str) -> None:
    options = {"adversarial_loss": loss, "adversarial_weight": 0.25}
    task, batch = make_randomized(losses={"coarse_weight": 0.5}, **options), make_batch()
    task.iteration = 5
    logged, sizes = keep_logged(task)
    getattr(task, {"val": "validation_step", "test": "test_step"}[stage])(batch, 0)
    terms, filled = task.generator_terms(batch), filled_of(task, batch)
    expected = {f"{stage}/generator/{name}": terms[name] for name in ("hole", "context")}
    critics: Any = task.discriminator.critics
    real, fake = ([critic(image, batch.mask).logits for critic in critics] for image in (batch.image, filled))
    for side, game, weight in zip(("discriminator", "generator"), GAMES[loss], (1, 0.25), strict=True):
        expected[f"{stage}/{side}/adversarial"] = weight * sum(map(game, real, fake))  # type: ignore[assignment]
    for name, logits in (("real_logits", real), ("fake_logits", fake)):
        expected[f"{stage}/{name}"] = torch.cat([each.flatten() for each in logits]).mean()
    torch.testing.assert_close(logged, expected | {"step": torch.tensor(5.0)})
    assert sizes == {2}


def test_the_preview_is_spread_over_the_held_out_images(tmp_path: Path, image_folder: Path) -> None:
    task, data = make_randomized(), make_photographs(image_folder)
    make_trainer(tmp_path, task, 1).validate(task, datamodule=data, verbose=False)
    held_out = data.dataset("val")
    assert len(held_out) == 15
    batch, made, names = task.inpainted_preview(4)
    expected = collate([held_out[index] for index in (0, 3, 7, 11)])
    assert names == [data.name("val", index) for index in (0, 3, 7, 11)]
    assert torch.equal(batch.image, expected.image)
    assert torch.equal(batch.mask, expected.mask)
    with torch.no_grad():
        torch.testing.assert_close(made.fine, task.generator(batch.image, batch.mask).fine)
    preview = task.preview(4, 1)
    torch.testing.assert_close(preview.images, torch.where(batch.mask > 0.5, made.fine, batch.image))
    assert preview.mask is not None
    assert torch.equal(preview.mask, expected.mask)
    assert len(task.inpainted_preview(100)[0].image) == 15


def test_stages_and_logits_are_float32_whatever_the_networks_give() -> None:
    task, batch = make_randomized(), make_batch()
    task.generator.register_forward_hook(lambda module, inputs, made: Inpainted(*(stage.bfloat16() for stage in made)))
    for critic in task.discriminator.critics:  # type: ignore[union-attr]
        critic.register_forward_hook(lambda module, inputs, judged: judged._replace(logits=judged.logits.bfloat16()))
    with torch.no_grad():
        made = task.inpaint(batch.image, batch.mask)
        judged = task._critic_outputs(batch.image, batch.mask)
    assert {stage.dtype for stage in made} == {torch.float32}
    assert {output.logits.dtype for output in judged} == {torch.float32}
