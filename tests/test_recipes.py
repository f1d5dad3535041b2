"""Recipes against what is published: each value with its source, written out here and not read from the recipes."""

import math
from typing import Any, NamedTuple

import pytest

from tests.test_configs import INPAINTING_RECIPES, RECIPES, leaves, parsed, said_by

# Papers, and the published code: files below github.com/pfnet-research/sngan_projection, brain-research/
# self-attention-gan, ajbrock/BigGAN-PyTorch, shepnerd/AttenNorm (inpaint-attnorm).
SNGAN, SAGAN = "arXiv 1802.05637", "arXiv 1805.08318, section 4"
AN = "Wang et al., CVPR 2020"
SCRIPT = "scripts/launch_BigGAN_bs256x8.sh"
CHAINER_ADAM = "train.py: make_optimizer gives α, β1 and β2; Chainer's Adam has ε 1e-8, and no weight decay"
OPTIONS, NET = "options/train_options.py", "net/network.py"


class Value(NamedTuple):
    """What a recipe has, and where it is published or, where it is ours, why it differs."""

    value: Any
    source: str


def adam(side: str, lr: float, betas: tuple[float, float], eps: float, source: str) -> dict[str, Value]:
    """The optimizer of one network."""
    values = {"class_path": "torch.optim.Adam", "lr": lr, "betas": list(betas), "eps": eps, "weight_decay": 0.0}
    return {f"{side}_optimizer.{key}": Value(value, source) for key, value in values.items()}


SNGAN_PROJECTION = {
    "generator.class_path": Value("lit_an.networks.ResNetGenerator", "gen_models/resnet.py"),
    "generator.image_size": Value(128, "configs/sn_projection.yml: size"),
    "generator.num_classes": Value(1000, "configs/sn_projection.yml: n_classes"),
    "generator.latent_dim": Value(128, "configs/sn_projection.yml: dim_z"),
    "generator.base_width": Value(64, "configs/sn_projection.yml: ch"),
    "generator.norm": Value("conditional_batch", "gen_models/resblocks.py: CategoricalConditionalBatchNormalization"),
    "generator.norm_kwargs": Value({"eps": 2e-5}, "source/links/categorical_conditional_batch_normalization.py: eps"),
    "generator.final_norm": Value("batch", "gen_models/resnet.py: b7"),
    "generator.final_norm_kwargs": Value({"eps": 2e-5}, "eps of Chainer's BatchNormalization"),
    "generator.long_range": Value("none", "gen_models/resnet.py has none"),
    "generator.class_embedding": Value(0, "CategoricalConditionalBatchNormalization: a gain and shift for each class"),
    "generator.initialization": Value("xavier", "gen_models/resblocks.py: GlorotUniform"),
    "generator.residual_gain": Value(pytest.approx(math.sqrt(2)), "gen_models/resblocks.py: GlorotUniform(sqrt(2))"),
    "generator.spectral_norm": Value(False, "gen_models/resblocks.py: Convolution2D"),
    "discriminator.class_path": Value("lit_an.networks.ProjectionDiscriminator", "dis_models/snresnet.py"),
    "discriminator.image_size": Value(128, "configs/sn_projection.yml: size"),
    "discriminator.num_classes": Value(1000, "configs/sn_projection.yml: n_classes"),
    "discriminator.base_width": Value(64, "configs/sn_projection.yml: ch"),
    "discriminator.hidden_width": Value("input", "dis_models/resblocks.py: hidden_channels = in_channels"),
    "discriminator.long_range": Value("none", "dis_models/snresnet.py has none"),
    "discriminator.initialization": Value("xavier", "dis_models/resblocks.py: GlorotUniform"),
    "discriminator.residual_gain": Value(
        pytest.approx(math.sqrt(2)), "dis_models/resblocks.py: GlorotUniform(sqrt(2))"
    ),
    "discriminator.spectral_norm": Value(True, "dis_models/resblocks.py: SNConvolution2D"),
    **adam("generator", 2e-4, (0.0, 0.9), 1e-8, f"configs/sn_projection.yml: adam; {CHAINER_ADAM}"),
    **adam("discriminator", 2e-4, (0.0, 0.9), 1e-8, f"configs/sn_projection.yml: adam; {CHAINER_ADAM}"),
    **{
        f"{side}_scheduler.{key}": Value(value, "configs/sn_projection.yml: iteration_decay_start, 50k before the end")
        for side in ("generator", "discriminator")
        for key, value in (("class_path", "lit_an.tasks.LinearDecay"), ("start", 800_000), ("end", 850_000))
    },
    "task.discriminator_steps": Value(5, "configs/sn_projection.yml: n_dis"),
    "task.accumulate": Value(1, "updater.py"),
    "task.adversarial_loss": Value("hinge", "configs/sn_projection.yml: loss_type"),
    "data.batch_size": Value(64, "configs/sn_projection.yml: batchsize 16, on the 4 GPUs of README_paper.md"),
    "data.flip": Value(False, "configs/sn_projection.yml: augmentation"),
    "data.dequantize": Value(True, "datasets/imagenet.py: transform"),
    "iterations": Value(850_000, "README_paper.md: generated images at 850K iterations"),
}

SELF_ATTENTION = {
    "generator.class_path": Value("lit_an.networks.ResNetGenerator", "generator.py: generator_test"),
    "generator.image_size": Value(128, "model.py: image_size"),
    "generator.num_classes": Value(1000, "model.py: number_classes"),
    "generator.latent_dim": Value(128, "model.py: z_dim"),
    "generator.base_width": Value(64, "model.py: gf_dim"),
    "generator.norm": Value("conditional_batch", "generator.py: block, ops.ConditionalBatchNorm"),
    "generator.norm_kwargs": Value(None, "ops.py: ConditionalBatchNorm, ε 1e-5; momentum ours, see the recipe"),
    "generator.final_norm": Value("batch", "generator.py: g_bn"),
    "generator.final_norm_kwargs": Value(None, "ops.py: batch_norm, ε 1e-5; momentum ours, see the recipe"),
    "generator.long_range": Value("self_attention", "generator.py: generator_test, sn_non_local_block_sim"),
    "generator.long_range_resolution": Value(32, "generator.py: generator_test, after act3"),
    "generator.class_embedding": Value(0, "ops.py: ConditionalBatchNorm, a gain and shift for each class"),
    "generator.initialization": Value("xavier", "ops.py: xavier_initializer"),
    "generator.residual_gain": Value(1.0, "ops.py: xavier_initializer"),
    "generator.spectral_norm": Value(True, "generator.py: block, snconv2d"),
    "discriminator.class_path": Value(
        "lit_an.networks.ProjectionDiscriminator", "discriminator.py: discriminator_test"
    ),
    "discriminator.image_size": Value(128, "model.py: image_size"),
    "discriminator.num_classes": Value(1000, "model.py: number_classes"),
    "discriminator.base_width": Value(64, "model.py: df_dim"),
    "discriminator.hidden_width": Value("output", "discriminator.py: block, sn_conv1 to out_channels"),
    "discriminator.long_range": Value("self_attention", "discriminator.py: discriminator_test"),
    "discriminator.long_range_resolution": Value(32, "discriminator.py: discriminator_test, after h1"),
    "discriminator.initialization": Value("xavier", "ops.py: xavier_initializer"),
    "discriminator.spectral_norm": Value(True, "discriminator.py: block, snconv2d"),
    "discriminator.residual_gain": Value(1.0, "ops.py: xavier_initializer"),
    **adam("generator", 1e-4, (0.0, 0.9), 1e-8, f"{SAGAN}; ε of TensorFlow's Adam"),
    **adam("discriminator", 4e-4, (0.0, 0.9), 1e-8, f"{SAGAN}; ε of TensorFlow's Adam"),
    "task.discriminator_steps": Value(1, f"{SAGAN}; train_imagenet.py: d_step"),
    "task.accumulate": Value(1, "model.py"),
    "task.adversarial_loss": Value("hinge", "model.py: loss_type"),
    "data.batch_size": Value(256, "train_imagenet.py: num_towers 4, batch_size 64"),
    "data.flip": Value(False, "utils_ori.py: get_imagenet_batches"),
    "data.dequantize": Value(False, "utils_ori.py: get_imagenet_batches"),
    "iterations": Value(1_000_000, f"{AN}, table of class-conditional generation"),
}

ATTENTIVE = {
    # No code of this task is published: what the paper leaves open is SAGAN's.
    **SELF_ATTENTION,
    "generator.long_range": Value("attentive", AN),
    "generator.long_range_resolution": Value(32, f"{AN}, figures of layouts"),
    "generator.long_range_kwargs": Value(
        {"num_regions": 16, "temperature": 0.1, "orthogonality": "unit_rows"},
        "net/network.py: nClass 16, kama 10; form ours",
    ),
    "discriminator.long_range": Value("none", AN),
    "task.orthogonality_weight": Value(1e-3, "net/network.py: orth_lambda"),
    "iterations": Value(880_000, f"{AN}, table of class-conditional generation"),
}

BIGGAN = {
    "generator.class_path": Value("lit_an.networks.ResNetGenerator", "BigGAN.py: Generator"),
    "generator.image_size": Value(128, f"{SCRIPT}: --dataset I128_hdf5"),
    "generator.num_classes": Value(1000, f"{SCRIPT}: --dataset I128_hdf5"),
    "generator.latent_dim": Value(128, "differs: 6 parts of 20 (--dim_z 120 --hier), of which one at the foot"),
    "generator.base_width": Value(96, f"{SCRIPT}: --G_ch"),
    "generator.norm": Value("conditional_batch", "layers.py: ccbn"),
    "generator.norm_kwargs": Value(
        {"initialization": "orthogonal", "spectral_norm": True}, "BigGAN.py: bn_linear is an SNLinear, init_weights"
    ),
    "generator.final_norm": Value("batch", "BigGAN.py: output_layer"),
    "generator.final_norm_kwargs": Value(None, f"{SCRIPT}: --BN_eps 1e-5"),
    "generator.long_range": Value("attentive", "differs: self-attention"),
    "generator.long_range_kwargs": Value({"num_regions": 16}, "ours"),
    "generator.long_range_resolution": Value(64, f"{SCRIPT}: --G_attn"),
    "generator.class_embedding": Value(128, f"{SCRIPT}: --G_shared --shared_dim"),
    "generator.initialization": Value("orthogonal", f"{SCRIPT}: --G_init"),
    "generator.spectral_norm": Value(True, "BigGAN.py: G_param"),
    "generator.residual_gain": Value(1.0, "BigGAN.py: init_weights"),
    "discriminator.class_path": Value("lit_an.networks.ProjectionDiscriminator", "BigGAN.py: Discriminator"),
    "discriminator.image_size": Value(128, f"{SCRIPT}: --dataset I128_hdf5"),
    "discriminator.num_classes": Value(1000, f"{SCRIPT}: --dataset I128_hdf5"),
    "discriminator.base_width": Value(96, f"{SCRIPT}: --D_ch"),
    "discriminator.hidden_width": Value("output", "BigGAN.py: D_wide"),
    "discriminator.long_range": Value("self_attention", f"{SCRIPT}: --D_attn"),
    "discriminator.long_range_resolution": Value(64, f"{SCRIPT}: --D_attn"),
    "discriminator.initialization": Value("orthogonal", f"{SCRIPT}: --D_init"),
    "discriminator.residual_gain": Value(1.0, "BigGAN.py: init_weights"),
    "discriminator.spectral_norm": Value(True, "BigGAN.py: D_param"),
    **adam("generator", 1e-4, (0.0, 0.999), 1e-6, f"{SCRIPT}: --G_lr, --G_B2, --adam_eps; BigGAN.py: G_B1"),
    **adam("discriminator", 4e-4, (0.0, 0.999), 1e-6, f"{SCRIPT}: --D_lr, --D_B2, --adam_eps; BigGAN.py: D_B1"),
    "task.discriminator_steps": Value(1, f"{SCRIPT}: --num_D_steps"),
    "task.accumulate": Value(8, f"{SCRIPT}: --num_D_accumulations, --num_G_accumulations"),
    "task.adversarial_loss": Value("hinge", "losses.py: loss_hinge_dis, loss_hinge_gen"),
    "task.orthogonality_weight": Value(1e-3, "differs: for attentive normalization"),
    "data.batch_size": Value(2048, f"{SCRIPT}: --batch_size 256, 8 accumulations"),
    "data.dequantize": Value(False, "make_hdf5.py"),
    "data.flip": Value(False, "utils.py: get_data_loaders, without --augment"),
    "iterations": Value(185_000, "arXiv 1809.11096, table 1"),
}

INPAINTING = {
    "generator.class_path": Value("lit_an.networks.CoarseToFineGenerator", f"{NET}: build_generator"),
    "generator.width": Value(32, f"{OPTIONS}: g_cnum"),
    "generator.norm": Value("none", f"{NET}: build_generator"),
    "generator.long_range": Value("attentive", f"{NET}: att_normalization"),
    "generator.long_range_kwargs": Value(
        {"num_regions": 16, "temperature": 0.1, "orthogonality": "unit_rows"}, f"{NET}: nClass 16, kama 10; form ours"
    ),
    "generator.padding": Value("zeros", f"{NET}: padding SAME"),
    "generator.initialization": Value("xavier", "tf.layers.conv2d draws glorot_uniform"),
    "generator.spectral_norm": Value(False, f"{NET}: tf.layers.conv2d"),
    "discriminator.class_path": Value("lit_an.networks.GlobalAndLocalCritics", f"{NET}: wgan_discriminator"),
    "discriminator.image_size": Value(256, f"{OPTIONS}: img_shapes"),
    "discriminator.base_width": Value(64, f"{OPTIONS}: d_cnum"),
    "discriminator.local": Value("window", f"{OPTIONS}: mask_type rect"),
    "discriminator.window": Value(0.5, f"{OPTIONS}: mask_shapes 128,128 of 256,256"),
    "discriminator.long_range": Value("self_attention", f"{NET}: wgan_global_discriminator"),
    "discriminator.initialization": Value("xavier", "tf.layers.conv2d draws glorot_uniform"),
    "discriminator.spectral_norm": Value(False, f"{NET}: tf.layers.conv2d"),
    **adam("generator", 1e-5, (0.5, 0.9), 1e-8, f"{OPTIONS}: lr; train.py: g_optimizer; ε of TensorFlow's Adam"),
    **adam("discriminator", 1e-5, (0.5, 0.9), 1e-8, f"{OPTIONS}: lr; train.py: d_optimizer; ε of TensorFlow's Adam"),
    "task.discriminator_steps": Value(5, "train.py"),
    "task.adversarial_from": Value(200_000, "differs: a run of 40,000 without critics"),
    "task.adversarial_loss": Value("wasserstein", f"{NET}: gan_wgan_loss"),
    "task.adversarial_weight": Value(1e-3, f"{OPTIONS}: gan_loss_alpha"),
    "task.gradient_penalty_weight": Value(10.0, f"{OPTIONS}: wgan_gp_lambda"),
    "losses.hole_weight": Value(pytest.approx(1.4 * 1.2), f"{OPTIONS}: l1_loss_alpha, pretrain_l1_alpha"),
    "losses.context_weight": Value(pytest.approx(1.2 * 1.2), f"{OPTIONS}: ae_loss_alpha, pretrain_l1_alpha"),
    "losses.coarse_weight": Value(1.0, f"{NET}: x_coarse and x_fine weigh the same"),
    "losses.orthogonality_weight": Value(pytest.approx(0.2 * 1e-3), f"{OPTIONS}: orth_loss_alpha; {NET}: orth_lambda"),
    "losses.id_mrf_weight": Value(pytest.approx(1.4 * 0.05), f"{OPTIONS}: l1_loss_alpha, mrf_alpha"),
    "losses.perceptual_weight": Value(0.0, f"{NET}: build_net"),
    "losses.style_weight": Value(0.0, f"{NET}: build_net"),
    "losses.feature_matching_weight": Value(0.0, f"{NET}: build_net"),
    "data.image_size": Value(256, f"{OPTIONS}: img_shapes"),
    "data.batch_size": Value(16, f"{OPTIONS}: batch_size"),
    "data.crop": Value("center", "data/data.py: resize_image_with_crop_or_pad"),
    "data.flip": Value(False, "data/data.py: next"),
    "mask.class_path": Value("lit_an.masks.Rectangle", f"{OPTIONS}: mask_type"),
    "mask.height": Value(0.5, f"{OPTIONS}: mask_shapes 128,128 of 256,256"),
    "mask.width": Value(0.5, f"{OPTIONS}: mask_shapes 128,128 of 256,256"),
    "mask.max_shrink": Value(0.125, f"{OPTIONS}: max_delta_shapes 32,32 of 256,256"),
    "mask.margin": Value(0.0, f"{OPTIONS}: margins"),
    "iterations": Value(500_000, f"differs: {OPTIONS} has max_iters 40,000 for a run of either phase"),
}

PUBLISHED = {
    "imagenet128_an": ATTENTIVE,
    "imagenet128_modern": BIGGAN,
    "imagenet128_sagan": SELF_ATTENTION,
    "imagenet128_sngan": SNGAN_PROJECTION,
    "celebahq256_an": {**INPAINTING, "source.class_path": Value("lit_an.data.sources.CelebAHQ", AN)},
    "paris256_an": {**INPAINTING, "source.class_path": Value("lit_an.data.sources.ParisStreetView", AN)},
    "places256_an": {**INPAINTING, "source.class_path": Value("lit_an.data.sources.Places365", AN)},
}
# Keys of the recipes that say where data lie and how they come in; a link to another key.
NOT_PUBLISHED = {
    "task.class_path",
    "source.class_path",
    "source.root",
    "source.size",
    "data.num_workers",
    "data.class_path",
    "data.image_size",
    "generator_optimizer.fused",
    "discriminator_optimizer.fused",
} | {"data.batches_per_iteration"}
ALL = {path.stem: path for path in [*RECIPES, *INPAINTING_RECIPES]}


def place_in(config: Any, place: str) -> Any:
    """The value at a place such as ``generator.base_width``."""
    owner, *rest = place.split(".")
    if not rest:
        return config[owner]
    model, data = config["model"]["init_args"], config["data"]
    owners = {
        "data": data,
        "task": config["model"],
        **{name: data["init_args"].get(name) for name in ("mask", "source")},
    }
    found = model["losses"] if owner == "losses" else owners[owner] if owner in owners else model[owner]
    if rest == ["class_path"] or owner == "losses":
        return found[rest[0]]
    return found["init_args"][rest[0]]


def test_every_recipe_is_compared_with_what_is_published() -> None:
    assert PUBLISHED.keys() == ALL.keys()


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_recipe_has_the_published_values(name: str) -> None:
    config = parsed(ALL[name])
    found = {place: place_in(config, place) for place in PUBLISHED[name]}
    assert found == {place: value for place, (value, _) in PUBLISHED[name].items()}


def short(place: tuple[str, ...]) -> str:
    """A key of a recipe as the tables above name it."""
    names = [name for name in place if name != "init_args"]
    if place[0] == "data":
        return ".".join(names[1:] if names[1] in ("mask", "source") else names)
    names = names[1:] if names[1] in ("class_path",) or len(names) > 2 else ["task", names[1]]
    return ".".join(["task", *names] if names == ["class_path"] else names)


@pytest.mark.parametrize("name", PUBLISHED)
def test_no_key_of_a_recipe_is_left_out(name: str) -> None:
    """A key that a recipe sets is compared, or one of those that nobody publishes."""
    says = said_by(ALL[name])
    both = {key: says[key] for key in ("model", "data")}
    keys = {short(place) for place, _ in leaves(both)} - {"data.mask", "mask"}
    assert keys - PUBLISHED[name].keys() - NOT_PUBLISHED == set()


def test_the_links_of_a_recipe_are_links() -> None:
    for name in PUBLISHED:
        config: Any = parsed(ALL[name])
        data, model = config["data"]["init_args"], config["model"]["init_args"]
        assert data["batches_per_iteration"] == model["discriminator_steps"]
        assert data["image_size"] == model["discriminator"]["init_args"]["image_size"]
