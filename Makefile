# The commands of this project. Each sets up what it needs; nothing has to be installed before.
PYTHON ?= python3
BIN := .venv/bin
CONFIG ?= config/services.yaml
LISTEN ?= 127.0.0.1:9642
# Half of the tests' time is waiting, so two workers for each of two cores; tests/order.py says which file is next.
SPREAD := -n 4 --dist loadfile --no-loadscope-reorder

.PHONY: run test lint format bench torture mutants pictures readme-pictures reference clean

run: .venv/run  ## serve the example configuration
	@echo "Starting the exporter; its status page will be at http://$(LISTEN)/, Ctrl-C ends it."
	$(BIN)/service-registry serve --config $(CONFIG) --listen $(LISTEN) --data-dir data

test: .venv/dev  ## every test; installs Prometheus, nginx and the like where they are missing
	tests/tools.sh
	tests/llama/install.sh
	$(BIN)/lint-imports
	# hundreds of tests start the exporter: without bytecode each start compiles the whole package
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest $(SPREAD) $(PYTEST)

lint: .venv/dev  ## style, types, architecture
	$(BIN)/ruff format --check exporter grafana tests
	$(BIN)/ruff check exporter grafana tests
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/dev
	$(BIN)/ruff check --fix exporter grafana tests
	$(BIN)/ruff format exporter grafana tests

bench: .venv/dev  ## speed, size and fidelity beside blackbox_exporter, and beside the commit BASELINE
	tests/tools.sh
	tests/bench/install.sh $(BASELINE)
	$(BIN)/python -m tests.bench $(if $(BASELINE),--baseline $(BASELINE)) $(PARTS)

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

# Installs packages and says which one it is at: pip alone is silent, or writes pages. $(1) is what it
# is for, $(2) what pip is to install; its own words are shown if it fails.
define pip_install
	@echo "$(1)"
	@tty=; test -t 1 && tty=1; \
	{ $(BIN)/python -m pip --disable-pip-version-check install --progress-bar off $(2) 2>&1; \
	  echo "pip ended with $$?"; } | awk -v tty="$$tty" ' \
	    function at(text) { printf "%s  %s%s", tty ? "\r\033[K" : "", text, tty ? "" : "\n"; fflush() } \
	    { all = all $$0 "\n" } \
	    /^(Collecting|Obtaining) / { at(++n " " (n == 1 ? "package" : "packages") " found: " $$2) } \
	    /^ *Downloading / && tty { at(n " packages found, downloading " $$2) } \
	    /^ *Building (wheel|editable) for / { at("building " $$4) } \
	    /^Installing collected/ { at("installing " n " packages, the longest step") } \
	    /^pip ended with / { code = $$4 } \
	    END { if (tty) at(""); if (code) printf "%s", all; exit code }'
endef

.venv/run: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; if another is installed: make run PYTHON=python3.12")'
	@echo "First start: everything is put into .venv, nothing else on this machine changes."
	@echo "It usually takes a minute, with packages that pip has downloaded before half of it."
	@echo "1/3 making .venv"
	@$(PYTHON) -m venv .venv
	$(call pip_install,2/3 renewing pip,--upgrade pip)
	$(call pip_install,3/3 installing the exporter and what it needs,--editable .)
	@touch $@

.venv/dev: .venv/run
	$(call pip_install,Tools for development and tests; usually two minutes,--group dev)
	# with what it requires it would put jsonpath-python over our python-jsonpath
	$(call pip_install,One more for the tests,--no-deps 'mistralai>=3.7')
	@touch $@
