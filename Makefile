# `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SERVING := .venv/.serving
ARGS ?=
# Most tests wait more than they work: for a server that starts, a fault that is noticed.
SIDE_BY_SIDE := -n 3 --dist worksteal

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F '\t' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(READY) ## Make .venv with the locked dependencies and the ipgate command

$(READY): requirements-dev.lock pyproject.toml clients/python/pyproject.toml
	@tools/make-venv $(PYTHON)
	tools/install --compile-bytecode --require-hashes -r requirements-dev.lock
	tools/install --no-deps --no-build-isolation -e clients/python -e .
	@touch $@ $(SERVING)

# What serving needs alone, so that the first start does not wait for the tools of developers.
$(SERVING): requirements.lock pyproject.toml clients/python/pyproject.toml
	@tools/make-venv $(PYTHON)
	tools/install --require-hashes -r requirements.lock
	tools/install --no-deps -e clients/python -e .
	@touch $@

ENGINE ?=
.PHONY: run
run: $(SERVING) ## Serve on 127.0.0.1:50051 with the embedded store, the console on 127.0.0.1:8080, and metrics on 127.0.0.1:9464 (ENGINE=grpcio; more flags in ARGS)
	@exec $(BIN)/ipgate serve --console --ops-listen 127.0.0.1:9464 $(if $(ENGINE),--engine $(ENGINE)) $(ARGS)

.PHONY: demo
demo: $(SERVING) ## Walk through the whole job with the real commands, against a server of its own
	@$(BIN)/python tools/demo.py

.PHONY: test
test: $(READY) ## Run all tests, and those of an engine or a store on the other one, too (pytest flags in ARGS)
	@tools/need redis-server redis-server
	@tools/need chromium chromium
	@tools/need chromedriver chromium-driver
	@tools/need npm npm
	@tools/need promtool prometheus
	@tools/need nginx nginx-light
	@tools/need caddy caddy
	@tools/need curl curl
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(ARGS)
	IPGATE_TEST_ENGINE=grpcio $(BIN)/python -m pytest $(SIDE_BY_SIDE) -m engine $(ARGS)
	IPGATE_TEST_STORE=redis-server $(BIN)/python -m pytest $(SIDE_BY_SIDE) -m store $(ARGS)

COVERING := unit cases $(addprefix integration/test_,$(addsuffix .py,access amending bad_input effects ext_authz isolation keys \
	lists logs metrics sizes streams tokens traces workspaces))
.PHONY: coverage
coverage: $(READY) ## Check how much of domain, policy and rpc the quicker tests reach, branch by branch
	@rm -rf .coverage && mkdir .coverage
	$(BIN)/coverage run -m pytest $(SIDE_BY_SIDE) $(addprefix tests/,$(COVERING))
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

.PHONY: test-bounds
test-bounds: $(READY) ## Test with the lowest and with the newest permitted dependencies
	$(BIN)/python tools/bounds.py lowest
	$(BIN)/python tools/bounds.py newest

.PHONY: test-external
test-external: $(READY) ## Run real clients of other languages against both engines, and the image (needs go, npm and root)
	$(BIN)/python -m pytest tests/external $(ARGS)

DURATION ?= 10m
.PHONY: soak
soak: $(READY) ## Load and faults for DURATION (30s, 10m, 2h), checked against a model
	@$(BIN)/python -m tests.faults $(DURATION) $(ARGS)

.PHONY: lint
lint: $(READY) ## Check style, types, import layers, spelling, words and protos
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/typos
	@$(BIN)/python tools/words.py
	@$(BIN)/python tools/protos.py --check

.PHONY: fix
fix: $(READY) ## Format the code, and repair what ruff can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: protos
protos: $(READY) ## Generate ipgate.v1 in clients/python from protos/
	@$(BIN)/python tools/protos.py

.PHONY: keep-protos
keep-protos: $(READY) ## Keep the contract as what later ones must be compatible with
	@$(BIN)/python tools/protos.py --keep

.PHONY: examples
examples: $(READY) ## Generate the stubs of the examples in Go and Node.js from protos/ (needs go and npm)
	@tools/generate-examples

.PHONY: image
image: ## Build the container image, without a container engine
	tools/build-image

.PHONY: screenshots
screenshots: $(READY) ## Take those of docs/images (of every page, in all themes and widths: a directory in ARGS)
	@tools/need chromedriver "chromium chromium-driver"
	@$(BIN)/python -m tools.screenshots $(ARGS)

.PHONY: assets
assets: ## Copy the scripts of others that the console ships from their npm packages (versions in tools/assets)
	@tools/need npm npm
	tools/copy-assets

COMPILE := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-emit-package ipgate-client
.PHONY: lock
lock: $(READY) ## Lock the newest permitted versions of all dependencies
	$(COMPILE) --extra embedded --extra console --extra gateways pyproject.toml -o requirements.lock
	$(COMPILE) --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(COMPILE) tools/protos.in -o tools/protos.lock
	$(COMPILE) tools/uv.in -o tools/uv.lock
	$(COMPILE) tools/build.in -o tools/build.lock

.PHONY: bench
bench: $(READY) ## Measure speed and memory beside others (a part by name in ARGS, such as flood or scale)
	@tools/need h2load nghttp2-client
	@$(BIN)/python -m bench $(ARGS)

.PHONY: clean
clean: ## Remove the environment and all caches, not the data
	rm -rf .venv .bench .bounds .coverage .external .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
