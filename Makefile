SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# One set of flags for all builds, so that the distribution, the tests and the linter share one build cache.
export GOFLAGS := -trimpath -buildvcs=false
export CGO_ENABLED := 0

BIN := bin
COLLECTOR := $(BIN)/otelcol-calico
LAB := $(BIN)/lab/lab
TAGS := remove_all_sd
GOLANGCI_LINT_VERSION := v2.12.2
GOLANGCI_LINT := $(BIN)/tools/golangci-lint-$(GOLANGCI_LINT_VERSION)
# The linter's cache remembers files by the path of the checkout that it saw them in first; in another checkout the exclusions by path would miss.
export GOLANGCI_LINT_CACHE := $(CURDIR)/$(BIN)/tools/golangci-lint-cache

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build lab ## Start a real Calico cluster and the collector, and show its pools live. ONCE=1 prints them once.
	@$(LAB) demo --bin $(BIN)/lab --collector $(COLLECTOR) \
		--config configs/cluster.yaml --config configs/backends/remote-write.yaml $(if $(ONCE),--once)

.PHONY: test
test: unit e2e ## Run all tests: unit tests with the race detector, and end to end in the lab.

.PHONY: unit
unit: ## Run the unit tests with the race detector.
	CGO_ENABLED=1 go test -race -tags $(TAGS) ./...
	cd lab && CGO_ENABLED=1 go test -race ./...
	cd monitoring/picture && go test ./...

.PHONY: e2e
e2e: build lab ## Run the end-to-end tests: the distribution in the lab.
	COLLECTOR="$(CURDIR)/$(COLLECTOR)" LAB="$(CURDIR)/$(LAB)" go test -count=1 -v -p 2 -parallel 32 -timeout 20m -tags $(TAGS),e2e \
		./test/e2e/... ./test/faults ./test/security ./receiver/calicoreceiver/internal/cluster ./receiver/calicoreceiver/internal/conformance \
		./test/monitoring ./test/scale ./test/soak

.PHONY: conformance
conformance: lab ## Compare the account of addresses with Calico's own after random operations: CONFORMANCE_OPERATIONS, CONFORMANCE_SEED.
	@cd receiver/calicoreceiver/internal/conformance && LAB="$(CURDIR)/$(LAB)" CONFORMANCE_OPERATIONS="$(or $(CONFORMANCE_OPERATIONS),2000)" \
		go test -count=1 -timeout 60m -tags $(TAGS),e2e -run TestAccountEqualsCalico

.PHONY: faults
faults: build lab ## Break what is around the collector, and print what was sent, received, lost and duplicated; takes 25 minutes.
	@cd test/faults && COLLECTOR="$(CURDIR)/$(COLLECTOR)" LAB="$(CURDIR)/$(LAB)" FAULTS=full \
		go test -count=1 -parallel 32 -timeout 40m -tags $(TAGS),e2e

.PHONY: monitoring
monitoring: build lab ## Test alerts, dashboards and runbooks: promtool, linter, every query asked in the lab, and print counts; PICTURES=1 draws docs/dashboards anew, RECORD=1 records monitoring/tests/recorded.yaml.
	@report=$$(mktemp); trap 'rm -f "$$report"' EXIT; \
	PROMTOOL="$(CURDIR)/$(BIN)/lab/promtool" go test -count=1 -v -timeout 30m -tags $(TAGS) ./monitoring | tee "$$report"; \
	COLLECTOR="$(CURDIR)/$(COLLECTOR)" LAB="$(CURDIR)/$(LAB)" $(if $(PICTURES),PICTURES=docs/dashboards) $(if $(RECORD),RECORD=monitoring/tests/recorded.yaml) \
		go test -count=1 -v -timeout 20m -tags $(TAGS),e2e ./test/monitoring | tee -a "$$report"; \
	echo; sed -nE 's/^ +[a-z_]+_test\.go:[0-9]+: (([0-9]+ (rules|panels|dashboards|commands|of [0-9]+ alerts)|(rules|rule tests|runbooks|dashboards|panels|queries|documents|mutants): ).*)/\1/p' "$$report"

.PHONY: scale
scale: build lab ## Measure the distribution on 5,000 nodes, 200 pools and 20,000 blocks, and what a sample costs; takes 25 minutes.
	COLLECTOR="$(CURDIR)/$(COLLECTOR)" LAB="$(CURDIR)/$(LAB)" SCALE=full go test -count=1 -v -timeout 60m -tags $(TAGS),e2e ./test/scale

.PHONY: soak
soak: build lab ## Have an agent and a gateway work through 24 hours of traffic in 48 minutes, and print what they need meanwhile.
	COLLECTOR="$(CURDIR)/$(COLLECTOR)" LAB="$(CURDIR)/$(LAB)" SOAK=full go test -count=1 -v -timeout 70m -tags $(TAGS),e2e ./test/soak

.PHONY: build
build: ## Build the distribution, bin/otelcol-calico.
	@scripts/progress otelcol-calico -tags $(TAGS) -ldflags "-s -w" -o $(COLLECTOR) ./distribution

.PHONY: lab
lab: ## Build the lab: etcd, kube-apiserver, Calico's components and Prometheus, from Go modules.
	@cd lab && ../scripts/progress lab -ldflags "-s -w" -o ../$(LAB) .
	@$(LAB) build --bin $(BIN)/lab

.PHONY: generate
generate: ## Regenerate distribution/ from builder-config.yaml, components' code and docs/metrics.md from metadata.yaml, alerts and dashboards from monitoring/mixin.
	go tool builder --skip-get-modules --skip-compilation --config builder-config.yaml
	go generate ./receiver/... ./processor/... ./extension/...
	go run ./internal/metricsdoc -output docs/metrics.md receiver/calicoreceiver/metadata.yaml processor/calicoipamprocessor/metadata.yaml
	rm -f monitoring/alerts/* monitoring/dashboards/*
	cd monitoring && go tool jsonnet -c -S -m . mixin/render.jsonnet >/dev/null

.PHONY: lint
lint: $(GOLANGCI_LINT) generated ## Run the linters, and check that generated files and go.mod are current.
	$(GOLANGCI_LINT) run ./...
	cd lab && ../$(GOLANGCI_LINT) run ./...
	cd monitoring/picture && ../../$(GOLANGCI_LINT) run ./...
	go tool jsonnetfmt --test $$(git ls-files 'monitoring/mixin/*sonnet')

.PHONY: generated
generated:
	@before=$$(mktemp); after=$$(mktemp); trap 'rm -f "$$before" "$$after"' EXIT; \
	sums() { git ls-files -co --exclude-standard -z | sort -z | xargs -0 sha256sum 2>/dev/null || true; }; \
	sums >"$$before"; $(MAKE) --no-print-directory generate; go mod tidy; (cd lab && go mod tidy); (cd monitoring/picture && go mod tidy); sums >"$$after"; \
	diff "$$before" "$$after" >&2 || { echo "generated files were not current; they are now" >&2; exit 1; }

$(GOLANGCI_LINT):
	@mkdir -p $(@D)
	GOBIN="$(CURDIR)/$(@D)" go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(@D)/golangci-lint $@

.PHONY: clean
clean: ## Remove what was built.
	rm -rf $(BIN)
