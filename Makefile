# Every target sets up what it needs by itself: Python 3.11 or later, make and a network are enough.
# As root on Debian, `make test` also installs the tools that some tests compare with; elsewhere those tests are skipped.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:

PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do $$name -c '' 2>/dev/null && command -v $$name && break; done)
NEWER ?= $(shell for name in python3.13 $(HOME)/.pyenv/versions/3.13*/bin/python3.13; do $$name -c '' 2>/dev/null && command -v $$name && break; done)
JOBS ?= 3
CORPUS ?= ../shared
OUT ?= out
VENV := .venv
BIN := $(VENV)/bin
SECOND := .venv-3.13
INSTALL := -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
LEAKY := data/samples/leaky

.PHONY: help run test lint types imports unit kernels second tools conformance agree bench docs constraints check-wheels clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

# ---------------------------------------------------------------------------------------------------- environments

$(VENV)/.runtime: pyproject.toml constraints.txt
	@.ci/environment "$(PYTHON)" $(VENV)
	@echo "installing wiretally into $(VENV)"
	@PYTHONWARNINGS=ignore $(BIN)/python $(INSTALL) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	@.ci/environment "$(PYTHON)" $(VENV)
	@echo "installing wiretally and what its tests need into $(VENV)"
	@PYTHONWARNINGS=ignore $(BIN)/python $(INSTALL) --editable '.[dev]'
	@mkdir -p $(VENV)/src && ln -sfn ../.. $(VENV)/src/wiretally
	@touch $@ $(VENV)/.runtime

$(SECOND)/.dev: pyproject.toml constraints.txt
	@.ci/environment "$(NEWER)" $(SECOND)
	@PYTHONWARNINGS=ignore $(SECOND)/bin/python $(INSTALL) --editable '.[dev]'
	@touch $@

tools:  ## as root on Debian: what tests compare with (tshark) and the lab drives (Chromium)
	@.ci/tools

# ------------------------------------------------------------------------------------------------------------- run

run: $(VENV)/.runtime  ## compare the bundled capture of a leaky browser: a table, and a report to read
	@mkdir -p $(OUT)
	@$(BIN)/wiretally compare $(LEAKY)/capture.pcapng.zst --sessions $(LEAKY)/sessions.csv \
	    --visits $(LEAKY)/visits.csv
	@$(BIN)/wiretally compare $(LEAKY)/capture.pcapng.zst --sessions $(LEAKY)/sessions.csv \
	    --visits $(LEAKY)/visits.csv --quiet --format html --output $(OUT)/leaky.html
	@echo "The same as a report: $(OUT)/leaky.html"

# ------------------------------------------------------------------------------------------------------------ test

test: tools lint unit kernels second  ## lint, types, floors; tests with compiled kernels, uncompiled, under a second Python

lint: $(VENV)/.dev  ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check .
	@MYPYPATH=$(VENV)/src $(BIN)/mypy --package wiretally
	@$(BIN)/lint-imports --no-cache | sed -n '/^Contracts$$/,$$p'

unit: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS)

kernels: $(VENV)/.dev  ## the kernels' tests as plain Python, which gives the coverage
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -n $(JOBS) --hypothesis-profile=again -m "not slow and not lab" \
	    $(wildcard tests/core tests/capture tests/dissect) --cov --cov-report=term:skip-covered \
	    | grep -vE '^(bench|cli|geo|lab|measure|report|store)/' 

second:
	@if [ -n "$(NEWER)" ]; then $(MAKE) --no-print-directory $(SECOND)/.dev \
	    && $(SECOND)/bin/python -m pytest -n $(JOBS) --hypothesis-profile=again -m "not slow and not lab"; \
	else echo "Python 3.13 is not on this machine: its run is left out"; fi

conformance: $(VENV)/.dev  ## against Wireshark's view of a corpus of captures
	@.ci/conformance $(BIN)/python "$(CORPUS)"

agree: $(VENV)/.dev  ## kernels compiled, uncompiled and in any batches tell the same of a folder of captures: FOLDER=…
	@$(BIN)/python -m wiretally.bench.agree "$(FOLDER)"

bench: $(VENV)/.dev  ## what this machine can take, and what its peers do
	@$(BIN)/python -m wiretally.bench

# ----------------------------------------------------------------------------------------------------------- house

docs: $(VENV)/.dev  ## the reference pages, from the code
	@$(BIN)/python docs/build.py

constraints: $(VENV)/.dev  ## constraints.txt from what is installed: run the tests first
	@.ci/constraints $(BIN)/python > constraints.txt.new && mv constraints.txt.new constraints.txt

check-wheels: $(VENV)/.dev  ## every pinned runtime dependency has a wheel for a 64-bit Raspberry Pi
	@.ci/check-wheels $(BIN)/python

clean:  ## what was made here, except the environments
	rm -rf $(OUT) build .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
