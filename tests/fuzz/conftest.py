"""How many cases, and that they are the same ones in the short suite."""

import pytest
from hypothesis import HealthCheck, settings

SHORT, LONG = 12, 1000


def pytest_configure(config: pytest.Config) -> None:
    """Loads the profile of the short or the long suite; this file's tests alone use hypothesis."""
    shared = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "print_blob": True}
    settings.register_profile("short", max_examples=SHORT, derandomize=True, **shared)
    settings.register_profile("long", max_examples=LONG, **shared)
    settings.load_profile("long" if config.getoption("--runslow", default=False) else "short")
