# make demo    builds .venv and reads the bundled sample lines
# make test    runs the tests            make check   formatter, linter, types
# make bench   reads lines in several ways and compares; options in BENCH, e.g. BENCH='--model ppocr-v6-small'
# make setup   only builds .venv, with hwr-batch in .venv/bin
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo-output
BENCH_OUTPUT := bench-output

.PHONY: setup demo bench test check lock clean

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

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

lock: setup
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links --output-file constraints.txt pyproject.toml

clean:
	rm -rf $(VENV) $(DEMO) $(BENCH_OUTPUT) build dist .mypy_cache .pytest_cache .ruff_cache
