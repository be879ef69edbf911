# On a fresh machine with Python >= 3.11 and make: `make demo` runs the main job, `make test` runs all tests.

PYTHON ?= python3
VENV   ?= .venv
OUT    ?= demo
PYTEST_ARGS ?= --nbmake tests terrascope_nb $(wildcard notebooks)

PY    := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install stac demo test test-all notebooks bench lint constraints clean

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1 - \2/p' Makefile

install: $(STAMP)  ## make the environment (.venv), or bring it up to date

# Made once; installed again only when what it is made from has changed.
$(STAMP): pyproject.toml constraints.txt
	@if [ -x $(PY) ]; then p=$(PY); else p="$(PYTHON)"; fi; \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, but $$p is $$("$$p" -V 2>&1)."; \
	  echo "Name another one: make PYTHON=python3.12 (and remove $(VENV) if that is the old one)."; exit 1; }
	@[ -x $(PY) ] || "$(PYTHON)" -m venv $(VENV)
	$(PY) -m pip install --disable-pip-version-check --quiet -c constraints.txt torch
	$(PY) -m pip install --disable-pip-version-check --quiet -c constraints.txt -e ".[test,model,odc,data,maps,train]"
	@touch $@

stac: $(STAMP)  ## the STAC API server's own environment (.venv-stac), for the tests marked stac
	$(PY) tests/servers/install.py

demo: $(STAMP)  ## ask the bundled scenes, offline; writes the report into demo/
	$(VENV)/bin/terrascope-nb demo --out $(OUT)

test: $(STAMP)  ## all tests and notebooks (PYTEST_ARGS="tests/test_x.py" for some)
	@$(PY) -m pytest $(PYTEST_ARGS)

test-all: $(STAMP)  ## the slow twins too
	@$(PY) -m pytest -m "not network" $(PYTEST_ARGS)

notebooks: $(STAMP)  ## run every notebook and keep its outputs
	$(PY) -m pytest -p no:randomly --nbmake --overwrite notebooks

bench: $(STAMP)  ## run every script in tests/benchmarks
	@for script in tests/benchmarks/*.py; do echo "== $$script"; $(PY) "$$script" || exit 1; done

lint: $(STAMP)  ## ruff
	$(PY) -m ruff check .

# A fresh environment without constraints: what the registry offers today within the ranges of pyproject.toml.
constraints: pyproject.toml  ## pin the newest versions within our ranges anew
	rm -rf $(VENV)-new
	"$(PYTHON)" -m venv $(VENV)-new
	$(VENV)-new/bin/python -m pip install --disable-pip-version-check --quiet -e ".[test,all]"
	{ sed -n '/^#/p' constraints.txt; $(VENV)-new/bin/python -m pip freeze --exclude-editable; } > $(VENV)-new/constraints.txt
	mv $(VENV)-new/constraints.txt constraints.txt
	rm -rf $(VENV)-new

clean:  ## remove the environment and what was built
	rm -rf $(VENV) .venv-stac build dist demo .pytest_cache .ruff_cache .hypothesis
