# Two commands on a fresh machine: `make demo` and `make test`. Each does all its own set-up.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: install demo test lint docs bench experiment-smoke clean

# The package alone: all that `make demo` needs.
.venv/.package: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) "pip>=25.1"
	$(PIP) --constraint constraints.txt --editable .
	@touch $@

# Everything: PyTorch first and on its own, so that its pin decides which build comes, and no range
# of another package asks for a newer one (gigabytes of CUDA libraries on some indexes).
.venv/.everything: .venv/.package
	$(PIP) torch==2.13.0
	$(PIP) --constraint constraints.txt --editable ".[monai,train,torchio]" --group test --group bench --group lint --group docs
	@touch $@

install: .venv/.everything

demo: .venv/.package
	$(BIN)/oncoforge demo --out oncoforge-demo --overwrite

test: .venv/.everything
	$(BIN)/python -m pytest --numprocesses 2

lint: .venv/.everything
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/.everything
	$(BIN)/mkdocs build --strict

bench: .venv/.everything
	$(BIN)/python benchmarks/handcrafted.py
	$(BIN)/python benchmarks/cellular.py
	$(BIN)/python benchmarks/analysis.py
	$(BIN)/python benchmarks/evaluation.py
	$(BIN)/python benchmarks/prediction.py
	$(BIN)/python benchmarks/scan.py
	$(BIN)/python benchmarks/store.py
	$(BIN)/python benchmarks/training.py

# Trains nine small networks on phantoms and tests them on simulated tumours: about 25 minutes.
experiment-smoke: .venv/.everything
	$(BIN)/python benchmarks/experiment/run.py --out oncoforge-experiment

clean:
	rm -rf .venv oncoforge-demo oncoforge-experiment site build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
