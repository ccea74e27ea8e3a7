# The commands of the project. Each sets up what it needs; `make help` lists them.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help demo test check guests bench fuzz fmt duplicates clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

demo: ## Set up, build, and play the whole story on this machine
	@infra/demo.sh

test: ## Set up, then run every check and every test
	@infra/setup.sh test
	@infra/tools.sh
	@infra/check.sh

check: ## Only some steps of the tests: make check STEPS="fmt clippy"
	@infra/check.sh $(STEPS)

guests: ## Build the guests and examples into build/wasm
	@infra/setup.sh build
	@infra/build-wasm.sh

bench: ## Measure; only some: make bench FIGURES="cohort calls" (docs/performance.md)
	@infra/setup.sh build
	@infra/bench.sh $(FIGURES)

fuzz: ## Throw made-up bytes at what takes them: make fuzz SECONDS_EACH=600 TARGETS="ticket output"
	@infra/setup.sh test
	@infra/fuzz.sh $(or $(SECONDS_EACH),60) $(TARGETS)

fmt: ## Format all Rust code
	@for w in . sandbox/guests sdk/rust sdk/examples fuzz/libfuzzer; do (cd $$w && cargo fmt --all) || exit 1; done

duplicates: ## Show crates that are in the tree in several versions
	@source infra/env.sh && cargo-deny --log-level warn check --hide-inclusion-graph bans

clean: ## Remove everything that was built inside the clone
	rm -rf target build infra/buf/node_modules tests/oidc/node_modules
