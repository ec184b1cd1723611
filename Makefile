# Everything that is done with this repository. `make help` lists it.

CARGO ?= cargo
# The tests' runner: nextest where it is installed (a process for each test), else cargo's own.
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
BIN := target/debug

.DEFAULT_GOAL := help
.PHONY: help demo test lint plugins bench density fuzz

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

plugins: ## Compile every shipped plugin to target/plugins/<name>.wasm (finds or builds the wasm target first)
	@echo "==> plugins: compiling to WebAssembly components"
	$(CARGO) build --quiet --package scruple-plugin-build
	@$(BIN)/scruple-plugin-build build plugins/* --out target/plugins

demo: ## Start a server, play a provisioning story against it, show who decided what and why (DEMO_EXIT=1: end there)
	@echo "==> demo: building the server (the first time takes some minutes)"
	$(CARGO) build --workspace --bins
	@echo "==> demo: compiling the plugins to WebAssembly components"
	@$(BIN)/scruple-plugin-build build plugins/* --out target/plugins
	@$(BIN)/demo

test: ## Run every test, and format, lint and documentation checks (NO_LINT=1: the tests alone)
ifndef NO_LINT
	@$(MAKE) --no-print-directory lint
endif
	@tests/conformance/prepare.sh
	@echo "==> test: building and running the tests (the first time takes some minutes)"
ifeq ($(NEXTEST),yes)
	$(CARGO) nextest run --workspace --no-fail-fast
else
	$(CARGO) test --workspace --no-fail-fast --lib --bins --tests
endif
	@echo "==> test: documentation examples"
	$(CARGO) test --workspace --doc --quiet

lint: ## Check format, lints, documentation, and (where cargo-deny is installed) licences and sources
	@echo "==> lint: format"
	$(CARGO) fmt --all --check
	@echo "==> lint: clippy"
	$(CARGO) clippy --workspace --all-targets --quiet -- --deny warnings
	@echo "==> lint: documentation"
	RUSTDOCFLAGS="--deny warnings --allow rustdoc::private-intra-doc-links" \
		$(CARGO) doc --workspace --no-deps --document-private-items --quiet
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		echo "==> lint: licences, bans, sources"; $(CARGO) deny --offline check licenses bans sources; \
	else echo "==> lint: cargo-deny is not installed, so deny.toml was not checked"; fi

bench: plugins ## Measure: requests at 1,000 and 10,000 users and under abuse, one evaluation, durable writes
	@echo "==> bench: building with optimisation (the first time takes some minutes)"
	$(CARGO) build --release --package scruple-tests --bins
	@echo "==> bench: requests to a server with 1,000 and one with 10,000 users"
	target/release/load --users 1000 --users 10000 --preload
	$(CARGO) bench --package scruple-tests

density: plugins ## Measure a node with 10,000 tenants, each with a component of its own, and 100 with JavaScript and Python
	@echo "==> density: building with optimisation (the first time takes some minutes)"
	$(CARGO) build --release --package scruple-tests --bins
	@echo "==> density: 10,000 tenants, each with a plugin in Rust (some 8 GB in the folder for temporary files)"
	target/release/density
	@echo "==> density: 2,000 tenants, all of them kept in memory"
	target/release/density --tenants 2000 --components-loaded-bytes-max 68719476736
	@echo "==> density: 100 tenants with JavaScript and Python (some 5 GB)"
	target/release/density --tenants 100 --language big

fuzz: ## Feed the protocol's parsers, PATCH and PUT with made-up input (FUZZ_SECONDS=300 for each target)
	@tests/fuzz/run.sh
