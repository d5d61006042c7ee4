# Every target does all of its own set-up; a second call reinstalls nothing.
# Only git, make and Python >= 3.11 are needed.

PYTHON ?= python3
VENV   ?= .venv
CORES  ?= $(shell nproc 2>/dev/null || echo 2)
BIN    := $(VENV)/bin
READY  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test test-long check bench lock clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(READY)  ## make the virtual environment from requirements.lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "nktrace needs Python 3.11 to 3.13; this is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	@echo "Installing the locked packages into $(VENV) (once, a few minutes) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q src/nktrace || true
	@touch $@

demo: $(READY)  ## simulate six patients, run the whole way, name the page to open
	@$(BIN)/nktrace run . --cores $(CORES)

test: $(READY)  ## the tests that gate a commit
	@$(BIN)/python -m pytest -m "not slow"

test-long: $(READY)  ## all tests, the slow ones too
	@$(BIN)/python -m pytest

check: $(READY)  ## ruff, mypy, import-linter, snakefmt, snakemake --lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/python tests/workflow/lint.py

bench: $(READY)  ## speed and accuracy against peers
	@$(BIN)/python -m benchmarks

lock:  ## resolve requirements.lock anew (needs uv)
	uv pip compile --universal --fork-strategy fewest --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	  --extra test --extra check pyproject.toml --output-file requirements.lock --upgrade

clean:  ## remove results and simulated data, keep the environment
	rm -rf results data .snakemake
