"""Contract: whatever is registered keeps the promises of a norm; whatever is wrong gets one sentence."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lit_an.errors import InputError
from lit_an.norms import NORMS, norm_factory, register_norm, total_penalty
from lit_an.norms.registry import condition_kind
from lit_an.norms.standard import NoNorm

EXPECTED = {
    "attentive",
    "batch",
    "instance",
    "group",
    "layer",
    "none",
    "conditional_batch",
    "conditional_instance",
    "self_attention",
    "region_batch",
    "region_learned",
    "switchable",
    "filter_response",
    "positional",
    "standardized_group",
    "spade",
    "linear_attention",
}


def make(name: str, channels: int = 16) -> torch.nn.Module:
    kwargs = {"condition_features": 3} if "condition_features" in NORMS.arguments(name) else {}
    return norm_factory(name, **kwargs)(channels)


def condition_for(name: str, dtype: torch.dtype = torch.float32) -> torch.Tensor | None:
    """What the norm asks for, for two images, and nothing if it asks for nothing."""
    if condition_kind(name) == "vector":
        return torch.randn(2, 3, dtype=dtype)
    return (torch.rand(2, 1, 16, 16) > 0.5).to(dtype) if condition_kind(name) == "mask" else None


def test_all_expected_norms_are_registered() -> None:
    assert set(NORMS.names()) >= EXPECTED


@pytest.mark.parametrize("name", NORMS.names())
class TestEveryNorm:
    def test_keeps_shape_and_type(self, name: str) -> None:
        x = torch.randn(2, 16, 8, 8)
        assert make(name)(x, condition_for(name)).shape == x.shape
        assert make(name).double()(x.double(), condition_for(name, torch.float64)).dtype == torch.float64

    def test_keeps_channels_last(self, name: str) -> None:
        x = torch.randn(2, 16, 8, 8).to(memory_format=torch.channels_last)
        norm = make(name).to(memory_format=torch.channels_last)
        torch.manual_seed(1)
        expected = make(name).train(False)
        expected.load_state_dict(norm.state_dict())
        condition = condition_for(name)
        torch.testing.assert_close(norm.eval()(x, condition), expected(x.contiguous(), condition))

    def test_passes_gradients(self, name: str) -> None:
        x = torch.randn(2, 16, 8, 8, requires_grad=True)
        (make(name)(x, condition_for(name)) * torch.randn(2, 16, 8, 8)).sum().backward()
        assert x.grad is not None
        assert torch.isfinite(x.grad).all()
        assert x.grad.abs().sum() > 0

    def test_is_deterministic_in_evaluation(self, name: str) -> None:
        norm, x, condition = make(name).eval(), torch.randn(2, 16, 8, 8), condition_for(name)
        assert torch.equal(norm(x, condition), norm(x, condition))

    def test_survives_a_checkpoint(self, name: str) -> None:
        norm, other = make(name).eval(), make(name).eval()
        other.load_state_dict(norm.state_dict())
        x, condition = torch.randn(2, 16, 8, 8), condition_for(name)
        assert torch.equal(norm(x, condition), other(x, condition))

    def test_refuses_another_number_of_channels(self, name: str) -> None:
        with pytest.raises(InputError, match=r"takes \(B, 16, H, W\), got \(2, 8, 4, 4\)"):
            make(name)(torch.randn(2, 8, 4, 4), condition_for(name))

    def test_says_what_it_depends_on(self, name: str) -> None:
        kind, x = condition_kind(name), torch.randn(2, 16, 8, 8)
        assert kind in ("none", "vector", "mask")
        norm = make(name).eval()
        if kind == "none":  # whatever another norm would want is ignored
            expected = norm(x)
            assert torch.equal(norm(x, torch.randn(2, 3)), expected)
            assert torch.equal(norm(x, torch.ones(2, 1, 16, 16)), expected)
        else:
            with pytest.raises(InputError, match=f"needs a {'mask' if kind == 'mask' else 'condition'} of shape"):
                norm(x)

    def test_refuses_a_misspelled_argument(self, name: str) -> None:
        with pytest.raises(InputError, match=f"norm '{name}' has no argument 'epsilon'.*It accepts: "):
            norm_factory(name, epsilon=1e-3)

    def test_takes_channels_first_and_all_else_by_keyword(self, name: str) -> None:
        first, *others = inspect.signature(NORMS.get(name)).parameters.values()
        assert first.name == "num_features"
        assert {other.kind for other in others} <= {inspect.Parameter.KEYWORD_ONLY}

    def test_docstring_names_every_argument(self, name: str) -> None:
        documentation = NORMS.get(name).__doc__ or ""
        assert [argument for argument in NORMS.arguments(name) if f"{argument}:" not in documentation] == []

    def test_says_what_it_does_and_names_its_paper(self, name: str) -> None:
        entry = NORMS.get(name)
        first, *_ = (entry.__doc__ or "").splitlines()
        assert first.endswith(".")
        assert len(first) <= 110, "it stands in a table"
        paper = getattr(entry, "paper", None)
        assert paper == "" if name == "none" else re.fullmatch(r"\d{4}\.\d{5}", paper)
        assert paper in (entry.__doc__ or "")


@pytest.mark.parametrize("name", ["conditional_batch", "conditional_instance"])
def test_a_conditional_norm_depends_on_its_condition(name: str) -> None:
    norm = make(name)
    plain = norm_factory(name.removeprefix("conditional_"), affine=False)(16)
    x, condition = torch.randn(2, 16, 8, 8), torch.eye(3)[[0, 2]]
    torch.testing.assert_close(norm(x, condition), plain(x))  # gain 1, shift 0 at the start
    with torch.no_grad():
        norm.gain.weight.normal_()
        norm.shift.weight.normal_()
    gain, shift = norm.gain.weight.t()[[0, 2]], norm.shift.weight.t()[[0, 2]]
    expected = plain(x) * (1 + gain[:, :, None, None]) + shift[:, :, None, None]
    torch.testing.assert_close(norm(x, condition), expected)


def test_a_conditional_norm_asks_for_its_condition() -> None:
    norm = make("conditional_batch")
    with pytest.raises(InputError, match=r"needs a condition of shape \(B, 3\), got none"):
        norm(torch.randn(2, 16, 8, 8))
    with pytest.raises(InputError, match="pass condition_features"):
        norm_factory("conditional_batch")(16)


def test_self_attention_equals_all_pairs_written_out() -> None:
    norm = norm_factory("self_attention", spectral_norm=False)(16).double().eval()
    with torch.no_grad():
        norm.residual_scale.fill_(0.7)
    x = torch.randn(1, 16, 4, 4, dtype=torch.float64)
    pool = torch.nn.functional.max_pool2d
    query, key = norm.query(x).flatten(2)[0], pool(norm.key(x), 2).flatten(2)[0]
    value = pool(norm.value(x), 2).flatten(2)[0]
    expected = torch.empty(8, 16, dtype=torch.float64)
    for position in range(16):
        attention = torch.softmax(query[:, position] @ key, 0)
        expected[:, position] = value @ attention
    torch.testing.assert_close(norm(x), x + 0.7 * norm.output(expected.view(1, 8, 4, 4)))


def test_batch_norm_can_become_synchronized() -> None:
    for name in ("batch", "conditional_batch"):
        converted = torch.nn.SyncBatchNorm.convert_sync_batchnorm(make(name))
        assert any(isinstance(module, torch.nn.SyncBatchNorm) for module in converted.modules())


def test_total_penalty_sums_over_a_network_once() -> None:
    shared = make("attentive")
    network = torch.nn.Sequential(shared, make("batch"), shared, make("attentive"))
    expected = (network[0].penalty() + network[3].penalty()).item()
    assert total_penalty(network).item() == pytest.approx(expected)
    assert total_penalty(torch.nn.Sequential(make("batch"))) is None


def test_an_unknown_name_gets_the_nearest_and_the_full_list() -> None:
    with pytest.raises(
        InputError, match=r"unknown norm 'atentive', did you mean 'attentive'\? Known: .*self_attention"
    ):
        norm_factory("atentive")


@pytest.mark.parametrize(
    ("name", "kwargs", "sentence"),
    [
        ("attentive", {"num_region": 3}, "has no argument 'num_region', did you mean 'num_regions'"),
        ("attentive", {"num_regions": "3"}, r"num_regions must be int, got '3' \(str\)"),
        ("attentive", {"affine": 1}, r"affine must be bool, got 1 \(int\)"),
        ("attentive", {"moments": "hard"}, "moments must be 'soft' or 'masked', got 'hard'"),
        ("batch", {"momentum": True}, "momentum must be float, got True"),
    ],
)
def test_a_wrong_argument_gets_one_sentence(name: str, kwargs: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        norm_factory(name, **kwargs)
    assert "\n" not in str(caught.value)


def test_groups_must_divide_the_channels() -> None:
    with pytest.raises(InputError, match="num_groups=3 must divide the 16 channels"):
        norm_factory("group", num_groups=3)(16)
    assert norm_factory("group", num_groups=32)(16)(torch.randn(1, 16, 2, 2)).shape == (1, 16, 2, 2)


def test_a_name_is_given_once() -> None:
    with pytest.raises(InputError, match=r"norm 'none' is already registered by lit_an\.norms\.standard\.NoNorm"):
        register_norm("none")(torch.nn.Identity)
    assert register_norm("none")(NoNorm) is NoNorm


def test_another_package_registers_through_its_entry_point(tmp_path: Path) -> None:
    """A real package, built and installed by pip into an empty folder, seen by a fresh process."""
    package = tmp_path / "plain"
    package.mkdir()
    (package / "scaled_norm.py").write_text(
        "import torch\n"
        "class ScaledNorm(torch.nn.Module):\n"
        '    """Multiplies by a number (Nobody, arXiv 0000.00000)."""\n'
        "    def __init__(self, num_features: int, scale: float = 2.0) -> None:\n"
        "        super().__init__()\n"
        "        self.scale = scale\n"
        '    paper = "0000.00000"\n'
        "    def forward(self, x, condition=None):\n"
        "        return self.scale * x\n"
    )
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "scaled-norm"\nversion = "1"\n'
        '[project.entry-points."lit_an.norms"]\nscaled = "scaled_norm:ScaledNorm"\n'
        '[tool.setuptools]\npy-modules = ["scaled_norm"]\n'
    )
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*install, "--target", str(site), str(package)], check=True, capture_output=True)
    script = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "import torch\n"
        "from lit_an.norms import NORMS, norm_factory\n"
        "print('scaled' in NORMS.names(), norm_factory('scaled', scale=3.0)(4)(torch.ones(1, 4, 1, 1)).sum().item())\n"
        "import cli, lit_an.commands.norms\n"
        "lit_an.commands.norms._SECONDS = 0.0\n"
        "cli.main(['norms', '--channels=8', '--side=8'])\n"
    )
    completed = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    first, *lines = completed.stdout.splitlines()
    assert first.split() == ["True", "12.0"]
    (index,) = [index for index, line in enumerate(lines) if line.startswith("scaled ")]
    assert lines[index].split()[1:5] == ["0000.00000", "nothing", "–", "–"]
    assert float(lines[index].split()[-1]) >= 0
    assert lines[index + 1].strip() == "Multiplies by a number. [scaled_norm]"


def test_norms_need_no_lightning() -> None:
    script = "import sys, lit_an.norms; print([name for name in sys.modules if 'lightning' in name])"
    completed = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert completed.stdout.strip() == "[]"
