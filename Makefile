SHELL := /bin/bash
.DEFAULT_GOAL := help

GO ?= go
BIN := bin
TOOLS := $(BIN)/tools
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -X main.version=$(VERSION)

# Packages whose tests have servers of their own (PURGE, RESET, kills) run apart, two at
# a time, since they wait more than they work; the whole-system tests run last, without -race, against bin/.
serial_packages = $(sort ./internal/testdb $(shell grep -rl --include='*_test.go' 'testdb\.Own\b' internal workflows activities 2>/dev/null | xargs -r dirname | sort -u | grep -v '^internal/e2e' | sed 's,^,./,'))
unit_packages = $(filter-out $(addprefix shardlift/,$(patsubst ./%,%,$(serial_packages))),$(shell $(GO) list ./... | grep -v '^shardlift/internal/e2e'))
TEST_FLAGS ?=

##@ Use

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z\/]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: up
up: build ## run Shardlift on this machine: Temporal, Web UI, worker and web (Ctrl-C stops it)
	$(BIN)/shardlift-dev

.PHONY: demo
demo: ## migrate a sample shop under load, end to end (YES=1 does not ask, EXIT=1 ends by itself)
	@echo "make demo downloads what this machine lacks: Go modules (250 MB at most) and MySQL 9.7;"
	@echo "it builds Temporal's server once (6 minutes on two cores). No system package is installed."
	@$(MAKE) --no-print-directory build $(BIN)/demo
	$(BIN)/testservers sizes mysql97
	$(BIN)/testservers fetch mysql97
	YES='$(YES)' EXIT='$(EXIT)' $(BIN)/demo

##@ Build

programs := $(BIN)/shardlift $(BIN)/shardlift-worker $(BIN)/shardlift-web $(BIN)/ddmsim $(BIN)/testservers

.PHONY: build
build: $(programs) $(BIN)/shardlift-dev ## build all programs into bin/

$(BIN)/shardlift: folder := ./starter
$(BIN)/shardlift-worker: folder := ./worker
$(BIN)/shardlift-web: folder := ./web
$(BIN)/ddmsim: folder := ./internal/ddmsim/cmd/ddmsim
$(BIN)/testservers: folder := ./internal/testdb/testservers
$(BIN)/demo: folder := ./internal/demo/cmd/demo

# go build knows itself what has changed.
.PHONY: $(programs) $(BIN)/demo
$(programs) $(BIN)/demo:
	$(GO) build -ldflags '$(LDFLAGS)' -o $@ $(folder)

# A module of its own; the first build takes minutes (Temporal's server), so it
# is built only when its sources have changed, and never with -race.
devserver_sources := $(filter-out %_test.go,$(wildcard internal/devserver/*.go)) internal/devserver/go.mod internal/devserver/go.sum
$(BIN)/shardlift-dev: $(devserver_sources)
	@echo "building the embedded Temporal server (up to 6 minutes at the first time)"
	$(GO) build -C internal/devserver -ldflags '-s -w' -o $(CURDIR)/$@ .

tools := golangci-lint gofumpt staticcheck workflowcheck oapi-codegen
$(addprefix $(TOOLS)/,$(tools)) &: internal/tools/go.mod internal/tools/go.sum
	@echo "building the tools (a minute or two at the first time)"
	@mkdir -p $(TOOLS)
	$(GO) build -C internal/tools -o $(CURDIR)/$(TOOLS)/ tool
	@touch $(addprefix $(TOOLS)/,$(tools))

.PHONY: clean
clean: ## remove what was built (not ./data, not the cache of test servers)
	rm -rf $(BIN)

##@ Test

.PHONY: test
test: build ## start the test servers and run unit, workflow, stage and whole-system tests
	$(BIN)/testservers fetch
	@trap '$(BIN)/testservers down -now' EXIT; \
	$(BIN)/testservers up && $(MAKE) --no-print-directory -k test/unit test/serial test/soak test/e2e test/devserver

.PHONY: test/full
test/full: build ## as test, with the tests that take longer (tag full), the demo included
	$(BIN)/testservers fetch
	@trap '$(BIN)/testservers down -now' EXIT; \
	$(BIN)/testservers up && $(MAKE) --no-print-directory -k test/unit test/serial test/soak test/e2e test/devserver TEST_FLAGS='-tags=full -timeout=3h' soak_tags=faultpoint,full
	$(MAKE) demo YES=1 EXIT=1

comma := ,
SOAK ?= 10m
SEED ?=
RACE ?=
VITESS ?=
.PHONY: soak
soak: $(BIN)/testservers ## break the data path at random for a time (SOAK=1h), or one schedule again (SEED=123); RACE=1: with the race detector, VITESS=1: into a real Vitess
	$(BIN)/testservers up mysql56 mysql57 mysql80 mysql97 mariadb
	SOAK='$(SOAK)' SEED='$(SEED)' $(GO) test $(if $(RACE),-race) -tags=faultpoint$(if $(VITESS),$(comma)full) -count=1 -timeout 0 -v -run TestSoak$(if $(VITESS),_Vitess) ./internal/soak

# The parts of test, for servers that are up (bin/testservers up) or DSN variables.
.PHONY: test/unit test/serial test/soak test/e2e test/devserver
test/unit:
	$(GO) test -race -timeout 15m $(TEST_FLAGS) $(unit_packages)

test/serial:
	$(GO) test -race -p 2 -timeout 15m $(TEST_FLAGS) $(serial_packages)

# The fault points are compiled in here only; go test takes the last -tags.
soak_tags := faultpoint
test/soak:
	$(GO) test -timeout 15m $(TEST_FLAGS) -tags=$(soak_tags) ./internal/faultpoint ./internal/soak

test/e2e:
	@if [ -d internal/e2e ]; then set -x; $(GO) test -p 1 -parallel 2 -timeout 20m $(TEST_FLAGS) ./internal/e2e/...; fi

test/devserver:
	$(GO) test -C internal/devserver -timeout 5m ./...

.PHONY: mutants
mutants: $(BIN)/testservers ## take the guards of the data path out one by one (ONLY=pattern); each loss must fail a test
	@$(BIN)/testservers up
	$(GO) run ./internal/mutants/cmd/mutants -only '$(ONLY)'

ROUNDS ?= 5
.PHONY: bench
bench: $(BIN)/testservers ## copy and apply against mysqldump and mysqlbinlog, in ratios (ROUNDS=5)
	@$(BIN)/testservers up mysql80 mysql97 mariadb
	$(GO) test ./internal/bench -run '^$$' -bench . -benchtime $(ROUNDS)x -timeout 0

FUZZTIME ?= 30s
.PHONY: fuzz
fuzz: $(BIN)/testservers ## run every fuzz target for FUZZTIME each (30s)
	@$(BIN)/testservers up
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' internal | sed 's,/[^/]*:func , ,' | sort -u | while read -r package target; do \
		echo "== $$package $$target"; $(GO) test ./$$package -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) || exit 1; done

##@ Check

.PHONY: lint
lint: lint/format lint/vet lint/golangci lint/workflows lint/imports lint/errors lint/compose ## everything that reads the code: format, vet, staticcheck, golangci-lint, workflowcheck, imports

.PHONY: lint/format lint/vet lint/golangci lint/workflows lint/imports lint/errors lint/compose
lint/format: $(TOOLS)/gofumpt
	@files=$$(git ls-files --cached --others --exclude-standard '*.go' | xargs grep -sL '^// Code generated .* DO NOT EDIT\.$$' | \
		xargs $(TOOLS)/gofumpt -l -modpath shardlift); \
	if [ -n "$$files" ]; then echo "not formatted by gofumpt (bin/tools/gofumpt -w FILE):"; echo "$$files"; exit 1; fi

lint/vet: $(TOOLS)/staticcheck
	$(GO) vet ./...
	$(GO) vet -tags=faultpoint,full ./internal/faultpoint ./internal/soak
	$(TOOLS)/staticcheck ./...

lint/golangci: $(TOOLS)/golangci-lint
	$(TOOLS)/golangci-lint run --allow-parallel-runners ./...
	cd internal/devserver && $(CURDIR)/$(TOOLS)/golangci-lint run --allow-parallel-runners --config $(CURDIR)/.golangci.yaml ./...

lint/workflows: $(TOOLS)/workflowcheck
	@if [ -d workflows ]; then set -x; $(TOOLS)/workflowcheck ./workflows/...; fi

lint/imports:
	$(GO) test -count=1 ./internal/architecture

lint/errors:
	@$(GO) run -C internal/tools ./catalogue ../fault >/dev/null

lint/compose:
	@$(GO) run -C internal/tools ./compose $(CURDIR)/docker-compose.yml
	@if docker compose version >/dev/null 2>&1; then docker compose config --quiet; fi

.PHONY: errors
errors: ## print the error catalogue: code, class, message, remedy
	@$(GO) run -C internal/tools ./catalogue ../fault

##@ Generate

.PHONY: generate
generate: $(TOOLS)/oapi-codegen ## write the generated code again (web/api/openapi.yaml)
	PATH="$(CURDIR)/$(TOOLS):$$PATH" $(GO) generate ./...

.PHONY: verify/generated
verify/generated: generate ## fail when generated code is not what its sources give
	@files=$$(git grep -l '^// Code generated .* DO NOT EDIT\.$$' -- '*.go'); \
	[ -n "$$files" ] || exit 0; changed=$$(git status --porcelain -- $$files); \
	if [ -n "$$changed" ]; then echo "generated code differs from its sources; commit what make generate writes:"; echo "$$changed"; exit 1; fi
