# Needs Rust (rust-toolchain.toml) and, for tests with real clients, Node 20. `make` alone lists the targets.

SHELL := /bin/bash
CARGO ?= cargo
# The crate of `make quick`.
CRATE ?= lingate-wire
# Arguments of `make run`.
ARGS ?=
# Rounds of `make soak`.
ROUNDS ?= 20
# Seconds for each target of `make fuzz`.
SECONDS_EACH ?= 3600

# One profile for clippy, build and tests, so that each dependency is compiled once.
PROFILE := ci
ALL := --workspace --all-targets --features lingate-e2e/agents

# cargo-nextest runs each test in a process of its own and is quicker; without it the tests are the same.
ifneq ($(shell command -v cargo-nextest 2>/dev/null),)
RUN_TESTS := $(CARGO) nextest run --profile ci --cargo-profile $(PROFILE)
RUN_QUICK := $(CARGO) nextest run --no-tests pass
else
RUN_TESTS := $(CARGO) test --profile $(PROFILE) --no-fail-fast
RUN_QUICK := $(CARGO) test
endif

.DEFAULT_GOAL := help
.PHONY: help run test test-clients clients fmt lint quick soak fuzz

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

run: ## build and serve on what is found in the environment (ARGS="--port 9000")
	@# Unoptimised: ready a good deal sooner than a release build, and quick enough for one person.
	@$(CARGO) run --quiet --package lingate -- serve $(ARGS)

test: lint clients ## everything that must hold, with Claude Code, Codex, Gemini CLI, opencode (15 minutes on two cores)
	$(CARGO) test --profile $(PROFILE) --workspace --doc --quiet
	$(CARGO) build --profile $(PROFILE) --workspace --bins
	@rm -f e2e/clients/skipped
	$(RUN_TESTS) --workspace
	$(CARGO) run --profile $(PROFILE) --quiet --package xtask -- fuzz --seconds 10
	@$(COUNT_SKIPPED)

test-clients: ## the other agents, and a real model
	@echo "clients: Qwen Code, Kimi CLI, pi, aider; Claude Code and every wire on llama.cpp with SmolLM2"
	@e2e/install npm more python kimi aider && e2e/install-browser && e2e/install-sdk
	$(CARGO) build --profile $(PROFILE) --workspace --bins
	@rm -f e2e/clients/skipped
	$(RUN_TESTS) --package lingate-e2e --features agents --test agents --test browser --test sdk
	@$(COUNT_SKIPPED)

COUNT_SKIPPED = if [ -s e2e/clients/skipped ]; then \
	  echo "skipped: $$(wc -l < e2e/clients/skipped)"; sort e2e/clients/skipped; fi

clients: ## install the clients of `make test`, from the cache if they are there
	@e2e/install npm python && e2e/install-sdk

fmt: ## format everything
	$(CARGO) fmt --all

lint: ## formatting, clippy, and licences where cargo-deny is installed
	$(CARGO) fmt --all --check
	$(CARGO) clippy --profile $(PROFILE) $(ALL) --quiet -- -D warnings
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny --offline check licenses bans sources; fi

quick: ## the inner loop: check and test one crate (CRATE=lingate-wire)
	$(CARGO) check --quiet --package $(CRATE) --all-targets
	$(RUN_QUICK) --package $(CRATE)

fuzz: ## every fuzz target for an hour (SECONDS_EACH=3600), as many at a time as there are processors
	$(CARGO) run --profile $(PROFILE) --quiet --package xtask -- fuzz --seconds $(SECONDS_EACH)

soak: clients ## a million generated replies, then the sessions again and again (ROUNDS=20): flaky tests, leaks and left-over processes show
	PROPTEST_CASES=1000000 $(CARGO) test --profile $(PROFILE) --package lingate-quirk --test it -- text::properties
	$(CARGO) test --profile $(PROFILE) --package lingate-route --test it -- --ignored
	$(CARGO) test --profile $(PROFILE) --package lingate-store --test it -- --ignored --test-threads 1 \
	  a_million_rows a_thousand_kills a_full_disk_is_noticed_within_a_second
	$(CARGO) test --profile $(PROFILE) --package lingate-gateway --test it -- --ignored reload a_million_rows_over_http
	$(CARGO) test --profile $(PROFILE) --package lingate --test it -- --ignored --test-threads 1 \
	  a_thousand_kills a_million_rows_at_the_start nobody_waits_for_a_minute \
	  a_full_disk_is_noticed_within_a_second
	$(CARGO) build --profile $(PROFILE) --workspace --bins
	@for round in $$(seq $(ROUNDS)); do echo "round $$round of $(ROUNDS)"; \
	  $(RUN_TESTS) --package lingate-e2e || exit; done
