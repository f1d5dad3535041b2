"""The test suite; a package, because torch-fidelity installs another one called ``tests``."""
