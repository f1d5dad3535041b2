# Every target builds what it needs; `make quickstart` and `make test` are all a fresh machine has to run.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python

.PHONY: venv quickstart quickstart-inpainting test lint docs bench gpu

venv: $(VENV)/.quickstart

# The tests of loggers want them; they are no part of the extra test, since they bring some thirty packages.
MORE_test = ,loggers

# Installed again when what is asked for changes.
$(VENV)/.quickstart $(VENV)/.inpainting $(VENV)/.test $(VENV)/.docs $(VENV)/.bench: $(VENV)/.%: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "lit_an needs Python 3.10 or newer, this is " + sys.version.split()[0] + "; name another with PYTHON=…")'
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --editable '.[quickstart,$*$(MORE_$*)]'
	touch $@

quickstart: $(VENV)/.quickstart
	$(RUN) cli.py fit --config configs/class_conditional/earth_quickstart.yaml

quickstart-inpainting: $(VENV)/.inpainting
	$(RUN) cli.py fit --config configs/inpainting/earth_inpainting.yaml

# One worker for each logical core; each runs its tests on one thread. PYTEST_ARGS="-n 0" runs them in one process.
test: $(VENV)/.test
	$(RUN) -m pytest -n logical --maxprocesses 8 --dist worksteal $(PYTEST_ARGS)

lint: $(VENV)/.test
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build
	@echo "open site/index.html, or with its search: $(RUN) -m http.server --directory site"

# On a machine with a GPU: everything compared with the CPU, trained and measured; gpu-report.md. GPU_ARGS="--dry_run"
# does the same on the CPU, small.
gpu: $(VENV)/.test
	$(RUN) -m pytest -m gpu $(PYTEST_ARGS)
	$(RUN) cli.py gpu $(GPU_ARGS)

bench: $(VENV)/.bench
	$(RUN) benchmarks/startup.py
	$(RUN) benchmarks/layouts.py
	$(RUN) benchmarks/norms.py $(BENCH_ARGS)
	$(RUN) benchmarks/products.py
	$(RUN) benchmarks/resampling.py
	$(RUN) benchmarks/train_step.py
	$(RUN) benchmarks/checkpoints.py
	$(RUN) benchmarks/recipes.py
	$(RUN) benchmarks/memory_estimates.py
	$(RUN) benchmarks/data.py
	$(RUN) benchmarks/masks.py
	$(RUN) benchmarks/inpainting_losses.py
