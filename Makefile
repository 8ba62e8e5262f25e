# Every target works on a fresh machine with Python >= 3.11 and make: `install` is their common root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CACHE ?= .cache
DEMO_MODEL ?= $(CACHE)/demo-model
PYTEST_ARGS ?=
DATA ?= data
EVAL_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install demo test test-services images images-load e2e e2e-chaos chart bench bench-data eval eval-page fmt lint types arch presubmit clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## Install the three packages and the tools into .venv

# Native sources count: the kernel is compiled when its package is installed.
$(VENV)/.installed: constraints.txt pyproject.toml planner/pyproject.toml functions/pyproject.toml operator/pyproject.toml \
  functions/hatch_build.py $(wildcard functions/native/*)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(BIN)/uv pip install --python $(BIN)/python --constraint constraints.txt \
	  --build-constraint constraints.txt \
	  --editable planner --editable 'functions[cli,encoders]' --editable operator --group dev
	@touch $@

$(DEMO_MODEL)/config.json: $(VENV)/.installed
	$(BIN)/remoe demo-model $(DEMO_MODEL)

demo: install ## Run a real MoE model with remote experts and show where they ran and what it cost
	$(BIN)/remoe demo --model $(DEMO_MODEL) --output demo-output

chart: install ## Write what in the chart is made from elsewhere: definition, README, dashboard
	$(BIN)/python charts/generate.py

$(CACHE)/bin/helm: charts/bring_helm.py $(VENV)/.installed
	$(BIN)/python charts/bring_helm.py $(CACHE)/bin

test: install $(CACHE)/bin/helm ## Run the tests (under three minutes)
	$(BIN)/pytest -m 'not slow' -n 3 $(PYTEST_ARGS)

test-services: install ## Run whole services as processes, kill their parts, run the demo on a tiny model
	$(BIN)/pytest -m slow $(PYTEST_ARGS)

images: ## Build the images with docker, podman or buildah (functions/images/build says how)
	functions/images/build

images-load: $(CACHE)/bin/helm ## Put the images onto a cluster: of kind, or by IMAGE_LOADER=COMMAND
	PATH="$$PATH:$(CURDIR)/$(CACHE)/bin" functions/images/load

e2e: install $(CACHE)/bin/helm ## Install the chart on the cluster in KUBECONFIG, or one by kind, and live there
	tests/e2e/run -m 'cluster and not slow' $(PYTEST_ARGS)

e2e-chaos: install $(CACHE)/bin/helm ## The rest on a cluster: every example, and everything broken under load
	tests/e2e/run -m 'cluster and slow' $(PYTEST_ARGS)

bench: install $(DEMO_MODEL)/config.json ## Measure wire, kernels, start, decoding, memory, planning
	$(BIN)/python tests/bench/wire.py
	$(BIN)/python tests/bench/kernel.py
	$(BIN)/python tests/bench/start.py --model $(DEMO_MODEL)
	$(BIN)/python tests/bench/decode.py --model $(DEMO_MODEL)
	OMP_NUM_THREADS=1 $(BIN)/python tests/bench/planning.py
	OMP_NUM_THREADS=1 $(BIN)/python tests/bench/optimality.py --realistic 0
	$(BIN)/remoe profile $(DEMO_MODEL) --output $(CACHE)/profile.json
	$(BIN)/python tests/bench/predicted.py --model $(DEMO_MODEL) --profile $(CACHE)/profile.json

bench-data: install $(DEMO_MODEL)/config.json ## The same on real data: make bench-data DATA=DIR
	$(BIN)/python tests/bench/preallocation.py --routing $(DATA)/routing
	$(BIN)/python tests/bench/fast_loop.py --routing $(DATA)/routing
	$(BIN)/python tests/bench/routing_of_prompts.py $(DEMO_MODEL) --prompts $(DATA)/prompts.jsonl \
	  --out $(CACHE)/routing.npz --draw 1600 --max-tokens 12
	$(BIN)/python tests/bench/forecast.py --routing $(DATA)/routing --model $(DEMO_MODEL) \
	  --served $(CACHE)/routing.npz
	$(BIN)/python tests/bench/search.py --model $(DEMO_MODEL) --served $(CACHE)/routing.npz
	$(BIN)/python tests/bench/quantized.py quality --model $(DEMO_MODEL) --texts $(DATA)/prompts.jsonl

eval: install $(DEMO_MODEL)/config.json ## Every table, picture and the page of the evaluation: make eval DATA=DIR
	$(BIN)/python tests/evaluation/eval.py --data $(DATA) --model $(DEMO_MODEL) --cache $(CACHE)/evaluation $(EVAL_ARGS)

eval-page: install ## The evaluation's page and pictures again, from its tables
	$(BIN)/python tests/evaluation/page.py

fmt: install ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .

lint: install ## Check style and formatting
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install ## Check types (mypy strict)
	$(BIN)/mypy

arch: install ## Check the import contracts
	$(BIN)/lint-imports

presubmit: fmt lint types arch test test-services ## Everything a change must pass

clean: ## Remove the environment, caches and outputs
	rm -rf functions/build functions/src/remoe_functions/kernel/libremoe_kernel.*
	rm -rf $(VENV) $(CACHE) demo-output build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
