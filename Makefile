# Everything a contributor runs. `make` alone lists the targets.
SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

DATA  ?= ./demo-data
BENCH ?=

.PHONY: help deps build demo test bench soak lint fuzz clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install what tests need and this machine lacks (apt and npm, as root; else say what to install)
	@scripts/deps

build: ## bin/headrace, the release build
	@scripts/build

demo: ## the whole flow on this machine, data in ./demo-data (needs Go and a C compiler only)
	@printf 'building headrace ... '
	@scripts/build
	@printf '; '
	@bin/headrace demo --data $(DATA)

test: deps ## what we promise, checked: unit, conformance, kills and cuts in short form, on SQLite and PostgreSQL
	go test -race -shuffle=on -ldflags="-s -w" -timeout 25m ./...

bench: deps build ## the budgets as ratios against the raw tools on the same file (BENCH='-scale -n 5') and against other servers
	scripts/bench $(BENCH)
	scripts/bench-api
	scripts/bench-flow

soak: deps build ## the long forms: 200 kills, ten minutes of fuzzing per target, the ten-million-row run
	HEADRACE_SOAK=1 go test -shuffle=on -timeout 3h ./...
	scripts/fuzz --each 10m
	scripts/bench -scale

lint: ## gofmt, go vet, staticcheck, shellcheck where present
	@scripts/lint

fuzz: ## a random search with every fuzz target for a minute each (FUZZ=5m for longer)
	scripts/fuzz --each $(or $(FUZZ),1m)

clean: ## remove what was built and made here
	rm -rf bin demo-data bench-data headrace-data
