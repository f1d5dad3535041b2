"""The two fast paths of attentive normalization, for tests that are to go through both."""

import pytest

import lit_an.norms.attentive.kernel_library as kernel_library
import lit_an.norms.attentive.kernel_path as kernel_path


@pytest.fixture(params=["blocks", "kernel"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both paths of a map that the kernel knows."""
    if request.param == "blocks":
        monkeypatch.setattr(kernel_path, "accepts", lambda *args: False)
    elif kernel_library.library() is None:
        pytest.skip("needs the compiled kernel: a C compiler, and PyTorch on OpenMP")
