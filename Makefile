# One command sets up and runs the main job (make demo), another sets up and passes the tests (make test).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OLDER ?= .venv-older

.PHONY: demo test coverage older browser plugin regression lint site bench clean

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[test,gpu,bench,adapters,history,ray,docs]'
	touch $(READY)

# Exit code 1 is the expected answer: the example is sick.
demo: $(READY)
	$(BIN)/trainingdoctor diagnose examples/resnet110_77.py || test $$? -eq 1

# One thread for each of the processes that run beside one another.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

# Branches, too, and what the processes of observed scripts ran; fails under 95 %.
coverage: $(READY)
	$(BIN)/coverage erase
	OMP_NUM_THREADS=1 $(BIN)/coverage run -m pytest -n auto --dist worksteal --timeout 600
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# The PyTorch of two years before the newest one, and no extras but the tests' own.
$(OLDER)/.ready: pyproject.toml
	$(PYTHON) -m venv $(OLDER)
	$(OLDER)/bin/python -m pip install --quiet 'torch==2.5.*' 'torchvision==0.20.*' '.[test]'
	touch $(OLDER)/.ready

# The built wheel, as an index would give it, beside that PyTorch.
older: $(OLDER)/.ready
	folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(OLDER)/bin/python -m pip wheel --quiet --no-deps --wheel-dir "$$folder" . && \
	$(OLDER)/bin/python -m pip install --quiet --no-deps --force-reinstall "$$folder"/*.whl
	OMP_NUM_THREADS=1 $(OLDER)/bin/python -m pytest -n auto --dist worksteal tests/checks tests/measure tests/loading

# The HTML report in Chromium, which must be installed.
browser: $(READY)
	$(BIN)/python -m pip install --quiet --editable '.[browser]'
	$(BIN)/python -m pytest tests/render/test_browser.py

# The third-party plug-in, installed into a folder of its own that is thrown away: $(VENV) stays as it is.
plugin: $(READY)
	folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --target "$$folder" ./examples/plugin && \
	PYTHONPATH="$$folder$${PYTHONPATH:+:$$PYTHONPATH}" $(BIN)/python -m pytest -c examples/plugin/pyproject.toml examples/plugin/tests

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The documentation, into site/. A broken link fails, and so does a page that would load something of the network.
site: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# Some 40 trainings of the fault bench again: fails when more than 1 in 10 are judged worse than in the committed table.
regression: $(READY)
	$(BIN)/python benchmarks/faults --regression

bench: $(READY)
	$(BIN)/python benchmarks/faults
	$(BIN)/python benchmarks/speed.py

clean:
	rm -rf $(VENV) $(OLDER) site .mypy_cache .ruff_cache .pytest_cache
