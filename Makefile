# The commands of this project. Each sets up what it needs; nothing has to be installed before.
PYTHON ?= python3
BIN := .venv/bin
CONFIG ?= config/services.yaml
LISTEN ?= 127.0.0.1:9642

.PHONY: run test lint format bench torture mutants pictures readme-pictures reference clean

run: .venv/run  ## serve the example configuration
	$(BIN)/service-registry serve --config $(CONFIG) --listen $(LISTEN) --data-dir data

test: .venv/dev  ## every test; installs Prometheus, nginx and the like where they are missing
	tests/tools.sh
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST)

lint: .venv/dev  ## style, types, architecture
	$(BIN)/ruff format --check exporter grafana tests
	$(BIN)/ruff check exporter grafana tests
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/dev
	$(BIN)/ruff check --fix exporter grafana tests
	$(BIN)/ruff format exporter grafana tests

bench: .venv/dev  ## speed and fidelity beside blackbox_exporter
	tests/tools.sh
	$(BIN)/python -m tests.bench

torture: .venv/dev  ## faults, hostile servers and crowds survived, as figures; less than 20 minutes
	tests/tools.sh
	$(BIN)/python -m tests.torture $(PARTS)

mutants: .venv/dev  ## switch each defence off by one edit: a test has to fail for each
	tests/tools.sh
	$(BIN)/python -m tests.mutants -j 2

pictures: .venv/dev  ## draw every dashboard into build/pictures; fails on what cannot be read or is untrue; needs npm
	tests/tools.sh
	tests/grafana/render/install.sh
	$(BIN)/python -m pytest tests/grafana/gate_drawn.py

readme-pictures: .venv/dev  ## take the pictures and the film of README.md into .github; needs npm
	tests/tools.sh
	tests/grafana/render/install.sh
	$(BIN)/python -m tests.page.picture
	$(BIN)/python -m tests.grafana.readme
	$(BIN)/python -m tests.cast

reference: .venv/dev  ## write what is generated: the schema and the reference tables
	$(BIN)/service-registry schema > config/services.schema.json
	$(BIN)/python -m tests.reference
	$(BIN)/python -m grafana.build

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache

.venv/run: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/dev: .venv/run
	$(BIN)/python -m pip install --quiet --group dev
	# with what it requires it would put jsonpath-python over our python-jsonpath
	$(BIN)/python -m pip install --quiet --no-deps 'mistralai>=3.7'
	touch $@
