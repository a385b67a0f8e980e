# One command sets up and runs the main job (make demo), another sets up and passes the tests (make test).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint types bench clean

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[test,gpu]'
	touch $(READY)

# Exit code 1 is the expected answer: the example is sick.
demo: $(READY)
	$(BIN)/trainingdoctor diagnose examples/resnet110_77.py || test $$? -eq 1

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python benchmarks/faults.py
	$(BIN)/python benchmarks/speed.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
