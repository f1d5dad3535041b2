"""The benchmark beside BigGAN-PyTorch without a checkout of it: one sentence."""

from pathlib import Path

import pytest

from tests.benchmark_modules import loaded


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "has no layers.py; give the folder of a checkout of github.com/ajbrock/BigGAN-PyTorch"),
        (["--rounds=0"], "--rounds must be at least 1, got 0"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_measured(
    options: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "BigGAN.py").touch()
    monkeypatch.setattr("sys.argv", ["peer_step.py", str(tmp_path), "--threads=1", *options])
    with pytest.raises(SystemExit) as ended:
        loaded("peer_step").main()
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.out == ""
