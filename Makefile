# make demo: from a fresh checkout to events.   make test: the whole suite.   make lint: ruff and mypy.

VENV   := .venv
BIN    := $(VENV)/bin
# The first interpreter that is at least Python 3.11; `make PYTHON=... test` chooses another.
PYTHON ?= $(shell for p in python3.11 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
# Most of a test's time is compilation on one thread, so two workers on two cores halve it.
PYTEST_WORKERS ?= 2
# Byte code is compiled afterwards on all cores (pip uses one), of what fabgen may import.
INSTALL := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check \
	-c constraints.txt
COMPILE := $(BIN)/python -m compileall -q -j 0 -x '/(tests|pip|fontTools|substrates/numpy)/' $(VENV)/lib > /dev/null 2>&1 || true

.PHONY: demo test lint format clean

demo: $(VENV)/.installed
	$(BIN)/fabgen generate cards/ee_ttbar.toml

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist worksteal $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Installation is repeated only when the requirements changed.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e .
	@$(COMPILE)
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[test]'
	@$(COMPILE)
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[test,dev]'
	@$(COMPILE)
	@touch $@ $(VENV)/.installed-test $(VENV)/.installed

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "fabgen needs Python 3.11 or later" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
