"""Exports of inpainting generators: equal to their checkpoint bit for bit, used by the commands, graphs of any size."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import cli
from lit_an.errors import InputError
from lit_an.inpainting import load_exported_inpainter, load_inpainter
from lit_an.networks import CoarseToFineGenerator
from lit_an.sampling import load_exported, save_exported
from lit_an.trained import TrainedInpainter, save_compiled, save_onnx, save_program
from lit_an.trained.checkpoints import Description
from tests.commands.photographs_with_holes import mask_of, photograph
from tests.inpainting.small_inpainter import write_run

OLDER_EXPORT = Path(__file__).parents[1] / "checkpoints/files/layout_0/run/export"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_run(tmp_path / "run")
    return tmp_path / "run"


def built(**arguments: object) -> TrainedInpainter:
    """An untrained generator of width 2 whose long-range layer does something."""
    arguments = {"width": 2, "long_range_kwargs": {"num_regions": 4}, **arguments}
    torch.manual_seed(3)
    network = CoarseToFineGenerator(**arguments)  # type: ignore[arg-type]
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("residual_scale"):
                parameter.fill_(0.5)
    return TrainedInpainter(network, Description("lit_an.networks.CoarseToFineGenerator", dict(arguments)))


def picture(size: int, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(size, 3, height, width) * 2 - 1, (torch.rand(size, 1, height, width) > 0.7).float()


def said(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return line


def test_a_checkpoint_and_its_export_fill_alike_bit_for_bit(run: Path, tmp_path: Path) -> None:
    assert cli.main(["export", f"--ckpt_path={run}", "--formats=[safetensors]"]) == 0
    assert {path.name for path in (run / "export").iterdir()} == {"generator.json", "generator.safetensors"}
    facts = json.loads((run / "export" / "generator.json").read_text())
    assert (facts["task"], facts["iteration"], facts["averaged"]) == ("inpainting", 7, True)
    inputs = picture(2, 40, 56)
    before, after = load_inpainter(run / "checkpoints" / "last.ckpt"), load_exported_inpainter(run / "export")
    assert after.description == before.description
    for stage, same in zip(after(*inputs), before(*inputs), strict=True):
        assert torch.equal(stage, same)

    photograph().save(tmp_path / "a.png")
    mask_of().save(tmp_path / "a_mask.png")
    argv = ["inpaint", f"--images={tmp_path / 'a.png'}", f"--masks={tmp_path / 'a_mask.png'}", "--device=cpu"]
    filled = []
    for given, name in ((run, "of_run"), (run / "export", "of_export"), (run / "export/generator.json", "of_json")):
        assert cli.main([*argv, f"--ckpt_path={given}", f"--output={tmp_path / name}"]) == 0
        filled.append((tmp_path / name / "composite" / "a.png").read_bytes())
    assert filled[0] == filled[1] == filled[2]


def test_each_command_and_each_function_names_the_right_one(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", f"--ckpt_path={run}", "--formats=[safetensors]"]) == 0
    export = run / "export"
    assert cli.main(["sample", f"--ckpt_path={export}"]) == 2
    line = f"{export} is an export of an inpainting generator, which is for another command: type python cli.py inpaint"
    assert line in said(capsys)
    assert cli.main(["inpaint", f"--ckpt_path={OLDER_EXPORT}", f"--images={run}", "--color_key=red"]) == 2
    assert "which is for another command: type python cli.py sample --ckpt_path" in said(capsys)
    with pytest.raises(InputError, match=r"it describes an inpainting generator; load it with load_exported_inpainter"):
        load_exported(export)
    with pytest.raises(InputError, match=r"it describes a class-conditional generator; load it with load_exported$"):
        load_exported_inpainter(OLDER_EXPORT)
    path = export / "generator.json"
    path.write_text(path.read_text().replace('"task": "inpainting"', '"task": "translation"'))
    with pytest.raises(InputError, match="it is for the task 'translation', but this version of lit_an knows class_co"):
        load_exported_inpainter(export)


def test_options_that_do_not_fit_are_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", f"--ckpt_path={run}", "--statistics=standing"]) == 2
    assert "--statistics standing is for class-conditional generators; omit it" in said(capsys)
    assert cli.main(["export", f"--ckpt_path={run}", "--half=true", "--formats=[onnx]"]) == 2
    assert "--half is about safetensors; add it to --formats, or omit --half" in said(capsys)
    assert not (run / "export").exists()
    assert cli.main(["export", f"--ckpt_path={run}", "--formats=[safetensors]"]) == 0
    argv = ["inpaint", f"--images={tmp_path}", "--color_key=red", f"--config={run / 'config.yaml'}"]
    assert cli.main([*argv, f"--ckpt_path={run / 'export'}"]) == 2
    assert "export describes its network itself; omit --config" in said(capsys)
    assert cli.main(argv) == 2
    assert "the generator that comes with lit_an describes its network itself; omit --config" in said(capsys)


def test_half_the_size_and_nearly_the_same_pictures(run: Path, tmp_path: Path) -> None:
    for name, half in (("full", "false"), ("half", "true")):
        argv = ["export", f"--ckpt_path={run}", "--formats=[safetensors]", f"--output={tmp_path / name}"]
        assert cli.main([*argv, f"--half={half}"]) == 0
    full, half = (load_exported_inpainter(tmp_path / name) for name in ("full", "half"))
    inputs = picture(1, 32, 32)
    difference = float((full(*inputs).fine - half(*inputs).fine).abs().max())
    assert 0 < difference < 1e-2
    for name, tensor in half.network.state_dict().items():
        assert tensor.dtype == torch.float32
        original = full.network.state_dict()[name]
        assert torch.equal(tensor, original.half().float() if tensor.dim() > 1 else original)
    big = built()
    sizes = [save_exported(big, tmp_path / f"big_{half}", half).with_name("generator.safetensors") for half in (0, 1)]
    assert sizes[1].stat().st_size < 0.75 * sizes[0].stat().st_size
    with torch.no_grad():
        big.network.fine_to_image.weight.fill_(1e5)  # type: ignore[union-attr, operator]
    with pytest.raises(
        InputError, match=r"the weights fine_to_image.weight reach 1e\+05, more than float16 holds; exp"
    ):
        save_exported(big, tmp_path / "beyond", half=True)
    assert not (tmp_path / "beyond").exists()


def test_a_program_fills_pictures_of_any_size(tmp_path: Path) -> None:
    inpainter = built()
    assert save_program(inpainter, tmp_path / "generator.pt2") <= 1e-5
    module = torch.export.load(tmp_path / "generator.pt2").module()
    for sizes in ((1, 8, 64), (4, 36, 12)):  # wide and high
        inputs = picture(*sizes)
        for stage, same in zip(module(*inputs), inpainter(*inputs), strict=True):
            torch.testing.assert_close(stage, same, rtol=0, atol=1e-5)


@pytest.mark.slow  # a minute of C++
def test_a_compiled_generator_fills_pictures_of_any_size(tmp_path: Path) -> None:
    inpainter = built()
    assert save_compiled(inpainter, tmp_path / "generator_compiled.pt2") <= 1e-5
    module = torch._inductor.aoti_load_package(str(tmp_path / "generator_compiled.pt2"))
    for sizes in ((1, 8, 64), (4, 36, 12)):  # wide and high
        inputs = picture(*sizes)
        for stage, same in zip(module(*inputs), inpainter(*inputs), strict=True):
            torch.testing.assert_close(stage, same, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_onnx_fills_pictures_of_any_size(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    inpainter = built()
    assert save_onnx(inpainter, tmp_path / "generator.onnx") <= 1e-5
    session = onnxruntime.InferenceSession(str(tmp_path / "generator.onnx"), providers=["CPUExecutionProvider"])
    image, mask = picture(2, 36, 12)
    fine, coarse = session.run(["fine", "coarse"], {"image": image.numpy(), "mask": mask.numpy()})
    same = inpainter(image, mask)
    np.testing.assert_allclose(fine, same.fine.numpy(force=True), rtol=0, atol=1e-5)
    np.testing.assert_allclose(coarse, same.coarse.numpy(force=True), rtol=0, atol=1e-5)


def test_an_export_can_be_exported_again(run: Path, tmp_path: Path) -> None:
    assert cli.main(["export", f"--ckpt_path={run}", "--formats=[safetensors]"]) == 0
    argv = ["export", f"--ckpt_path={run / 'export'}", "--formats=[safetensors]", f"--output={tmp_path / 'again'}"]
    assert cli.main(argv) == 0
    for name in ("generator.json", "generator.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (run / "export" / name).read_bytes()


def test_an_export_is_not_replaced_by_another_of_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", f"--ckpt_path={run}", "--formats=[safetensors]"]) == 0
    before = {path.name: path.read_bytes() for path in (run / "export").iterdir()}
    (run / "link").symlink_to(run / "export")
    for given, *more in (
        (run / "export", "--half=true"),
        (run / "export" / "generator.json",),
        (run / "link", f"--output={run / 'export'}"),
        (run / "export", "--formats=[onnx]", "--statistics=standing"),
    ):
        assert cli.main(["export", f"--ckpt_path={given}", "--formats=[safetensors]", *more]) == 2
        line = (
            "export holds the export that --ckpt_path names, which would be replaced; name another folder with --output"
        )
        assert said(capsys).endswith(line)
    assert {path.name: path.read_bytes() for path in (run / "export").iterdir()} == before
