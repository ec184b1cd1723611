# Everything that is done with this repository. `make help` lists it.

CARGO ?= cargo
# The tests' runner: nextest where it is installed (a process for each test), else cargo's own.
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
BIN := target/debug
# Where cargo builds, which also has what the benchmarks have measured.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
# The benchmarks bring the programs of their package with them, those that measure too: to build them alone, before, would be
# to build them twice. The comparison is a package of its own, in the same folder: most of what it needs is built already.
BENCH := $(CARGO) bench --package scruple-tests --bench benches
MEASURE := $(TARGET)/release/scruple-tests
COMPARE := --locked --manifest-path tests/compare/Cargo.toml --target-dir $(TARGET)

# The tests of the server that are run on PostgreSQL, too: modules of tests/it.
SERVER_TESTS := admin bulk client_cases concurrency crash decisions discovery groups hot_groups large_groups limits me replay retention rfc7644 \
	schemas search serial tables tenancy users waivers
space := $(subst ,, )
ON_POSTGRES := binary(it) and test(/^($(subst $(space),|,$(strip $(SERVER_TESTS))))::/)

.DEFAULT_GOAL := help
.PHONY: help demo test lint plugins bench compare density fuzz first-constraint

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

plugins: ## Compile every shipped plugin to target/plugins/<name>.wasm (finds or builds the wasm target first)
	@echo "==> plugins: compiling to WebAssembly components"
	$(CARGO) build --quiet --package scruple-plugin-build
	@$(BIN)/scruple-plugin-build build plugins/* --out target/plugins --skip-missing

demo: ## Start a server, play a provisioning story against it, show who decided what and why (DEMO_EXIT=1: end there)
	@echo "==> demo: building the server (the first time takes some minutes)"
	$(CARGO) build --workspace --bins
	@echo "==> demo: compiling the plugins to WebAssembly components"
	@$(BIN)/scruple-plugin-build build plugins/* --out target/plugins --skip-missing
	@$(BIN)/scruple-tests demo

test: ## Run every test, and format, lint and documentation checks (NO_LINT=1: the tests alone)
ifndef NO_LINT
	@$(MAKE) --no-print-directory lint
endif
	@tests/conformance/prepare.sh
	@tests/languages.sh
	@echo "==> test: building and running the tests (the first time takes some minutes)"
ifeq ($(NEXTEST),yes)
	tests/postgres.sh $(CARGO) nextest run --workspace --no-fail-fast
	@echo "==> test: the server's tests once more, on PostgreSQL"
	SCRUPLE_TEST_STORE=postgres tests/postgres.sh $(CARGO) nextest run --workspace --no-fail-fast --filterset '$(ON_POSTGRES)'
else
	tests/postgres.sh $(CARGO) test --workspace --no-fail-fast --lib --bins --tests
	@echo "==> test: the server's tests once more, on PostgreSQL"
	SCRUPLE_TEST_STORE=postgres tests/postgres.sh $(CARGO) test --package scruple-tests --no-fail-fast --test it $(addsuffix ::,$(SERVER_TESTS))
endif
	@echo "==> test: documentation examples"
	$(CARGO) test --workspace --doc --quiet

lint: ## Check format, lints, documentation, and (where cargo-deny is installed) licences and sources
	@echo "==> lint: format"
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path tests/compare/Cargo.toml --package scruple-compare --package scruple-benchmarks --check
	@echo "==> lint: clippy"
	$(CARGO) clippy --workspace --all-targets --quiet -- --deny warnings
	@echo "==> lint: documentation"
	RUSTDOCFLAGS="--deny warnings --allow rustdoc::private-intra-doc-links" \
		$(CARGO) doc --workspace --no-deps --document-private-items --quiet
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		echo "==> lint: licences, bans, sources"; $(CARGO) deny --offline check licenses bans sources; \
	else echo "==> lint: cargo-deny is not installed, so deny.toml was not checked"; fi

first-constraint: ## Type the six commands of the guide's first page, with nothing compiled before, and print what each takes
	@echo "==> first-constraint: building scruple (the first time takes some minutes)"
	$(CARGO) build --release --package scruple
	@tests/first-constraint.sh $(TARGET)/release/scruple

bench: plugins ## Measure requests at 1,000 and 10,000 users and under abuse, durable writes, and what `make compare` does
	@echo "==> bench: building with optimisation (the first time takes a quarter of an hour)"
	$(BENCH) --no-run
	@echo "==> bench: requests to a server with 1,000 and one with 10,000 users"
	$(MEASURE) load --users 1000 --users 10000 --preload
	@echo "==> bench: how soon what one node sets is active on another, with PostgreSQL"
	tests/postgres.sh $(MEASURE) nodes
	$(BENCH) -- writes
	@echo "==> bench: durable writes in PostgreSQL"
	SCRUPLE_TEST_STORE=postgres SCRUPLE_TEST_DURABLE=1 tests/postgres.sh $(BENCH) -- postgres
	@$(MAKE) --no-print-directory compare

compare: ## Measure what a verdict costs, here and in policy engines, and write host/BENCHMARKS.md and its plot
	@rm -rf $(TARGET)/criterion $(TARGET)/gungraun && mkdir -p $(TARGET)/bench
	@echo "==> compare: building with optimisation (the first time takes a quarter of an hour)"
	$(BENCH) --no-run
	$(CARGO) bench $(COMPARE) --package scruple-compare --bench same_rule --no-run
	@echo "==> compare: creates at servers with 0, 1, 5 and 20 constraints"
	$(MEASURE) load --preload --only create $(addprefix --constraints ,0 1 5 20) --json >$(TARGET)/bench/endpoint.json
	@echo "==> compare: evaluations alone"
	$(BENCH) -- sandbox --json $(TARGET)/bench/sandbox.json
	CRITERION_HOME=$(TARGET)/criterion $(BENCH) -- evaluation
	@echo "==> compare: the same rule in native Rust, in components and in policy engines"
	CRITERION_HOME=$(TARGET)/criterion $(CARGO) bench $(COMPARE) --package scruple-compare --bench same_rule
	@CARGO="$(CARGO)" tests/compare/instructions.sh $(TARGET)
	$(CARGO) run --quiet $(COMPARE) --package scruple-benchmarks -- $(TARGET)

density: plugins ## Measure a node with 10,000 tenants, each with a component of its own, and 100 with JavaScript and Python
	@echo "==> density: building with optimisation (the first time takes some minutes)"
	$(BENCH) --no-run
	@echo "==> density: 10,000 tenants, each with a plugin in Rust (some 8 GB in the folder for temporary files)"
	$(MEASURE) density
	@echo "==> density: 2,000 tenants, all of them kept in memory"
	$(MEASURE) density --tenants 2000 --components-loaded-bytes-max 68719476736
	@echo "==> density: 100 tenants with JavaScript and Python (some 5 GB)"
	$(MEASURE) density --tenants 100 --language big

fuzz: ## Feed parsers, PATCH, PUT and the sandbox with made-up input (FUZZ_SECONDS=300 for each of FUZZ_TARGETS)
	@tests/fuzz/run.sh
