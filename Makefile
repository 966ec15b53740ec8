# make demo    builds .venv and reads the bundled sample lines
# make test    runs the tests            make check   formatter, linter, types
# make bench   reads lines in several ways and compares; options in BENCH, e.g. BENCH='--model ppocr-v6-small'
# make chaos   reads lines on a cluster while faults strike; SEEDS='0-19' says which, LINES=1000 how many lines
# make scale   drives the scheduler through a million shards on ten thousand simulated workers
# make setup   only builds .venv, with hwr-batch in .venv/bin
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo-output
BENCH_OUTPUT := bench-output

SEEDS ?= 0-19
LINES ?= 1000

.PHONY: setup demo bench test chaos scale check lock clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: setup
	PATH="$(BIN):$$PATH" $(BIN)/python -m hwr_batch.samples.demo $(DEMO)

bench: setup
	$(BIN)/hwr-batch bench --output $(BENCH_OUTPUT) --sweep $(BENCH)

test: setup
	$(BIN)/python -m pytest

chaos: setup
	PYTHONPATH=tests $(BIN)/python -m chaos.run --lines $(LINES) $(SEEDS)

scale: setup
	$(BIN)/python -m pytest -m slow

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links

lock: setup
	$(COMPILE) --extra dev --output-file constraints.txt pyproject.toml
	$(COMPILE) --extra build --constraints constraints.txt --output-file cluster/requirements.txt pyproject.toml

clean:
	rm -rf $(VENV) $(DEMO) $(BENCH_OUTPUT) build dist .mypy_cache .pytest_cache .ruff_cache
