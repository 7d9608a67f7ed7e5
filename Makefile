# Everything a newcomer or CI does. Paths are relative, so that a folder with a space in its name works.

# The first interpreter that runs and is new enough; another one: make setup PYTHON=/path/to/python3
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && exit; done; echo python3)
PY := .venv/bin/python
ARGS ?=
# Two workers: what CI and a small laptop have.
PYTEST := $(PY) -m pytest -n 2 --dist worksteal -q

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-full test-system lint format bench lock clean

help:  ## Show this list
	@echo "Ringback. Start with: make demo"
	@echo
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/  make \1 - \2/p' Makefile | sed 's/ - /\t/' | expand -t 20

setup:  ## Make .venv from the committed locks (every other target does this by itself)
	@"$(PYTHON)" tools/setup.py $(if $(filter command environment,$(origin PYTHON)),--this-python)

demo: setup  ## The whole story, live in the terminal (ARGS=--headless for no live view)
	@.venv/bin/ringback demo $(ARGS)

test: setup lint  ## The checks and the tests: at most 6 minutes on 2 cores (ARGS='-k word' picks tests)
	$(PYTEST) $(ARGS)

test-full: setup lint  ## Also what is slow or wide: at most 60 minutes
	RINGBACK_HYPOTHESIS=full $(PYTEST) -m "not system" --timeout 900 $(ARGS)

test-system: setup  ## What needs root or Debian packages; skips say why
	$(PY) -m pytest -m system --timeout 600 -rs $(ARGS) || { [ $$? -eq 5 ] && echo "no test is marked system yet"; }

lint: setup  ## Style, types, import rules, limits
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports --no-logo
	$(PY) tools/tidy.py

format: setup  ## Let ruff put the code in order
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

bench: setup  ## Measure this machine and write the table (ARGS='plan --json' for one part)
	@.venv/bin/ringback bench $(ARGS)

lock: setup  ## Compile requirements/*.txt anew: hashes of every file, no index addresses (ARGS=--upgrade for newer versions)
	$(PY) tools/lock.py $(ARGS)

clean:  ## Remove .venv and every cache (the next setup fetches again what uv has not cached)
	rm -rf .venv .cache .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
