# Groundwire. `make test` is the only command a newcomer needs; `make help` lists the others.

CARGO   ?= cargo
PREFIX  ?= /usr/local
DESTDIR ?=
TMP     := $(or $(TMPDIR),/tmp)
# Where cargo puts what it builds: the environment says it, or cargo's configuration. Asked only when
# a target needs it, and answered without cargo, too (`sudo make install`). By the shell, since
# make's own functions take a folder with a space for two.
TARGET   = $(shell dir='$(CARGO_TARGET_DIR)'; \
  [ -n "$$dir" ] || dir=$$($(CARGO) metadata --no-deps --offline --format-version 1 2>/dev/null | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'); \
  case "$${dir:=target}" in (/*) ;; (*) dir="$$PWD/$$dir" ;; esac; printf %s "$$dir")
PROGRAMS := $(sort $(basename $(notdir $(wildcard src/bin/*.rs))) $(notdir $(patsubst %/main.rs,%,$(wildcard src/bin/*/main.rs))))

.PHONY: build test test-cli check oldest fuzz sim airgap bench install clean help

build: ## Build the library and all programs, optimised
	$(CARGO) build --release --locked

test: ## Run all tests: the library's, then the programs'
	$(CARGO) build --locked --bins --examples
	$(CARGO) test --locked
	$(MAKE) test-cli

# The programs' tests are a package of their own, with dependencies; where no registry can be
# reached they are left out, and that is said.
test-cli:
	@if $(CARGO) fetch --locked --manifest-path tests/cli/Cargo.toml; then \
	  GROUNDWIRE_BIN_DIR="$(TARGET)/debug" $(CARGO) test --locked --manifest-path tests/cli/Cargo.toml; \
	else \
	  echo "make: tests/cli left out: its two dependencies are not here and no registry answers"; \
	  if [ -n "$$CI" ]; then exit 1; fi; \
	fi

check: ## Formatting, clippy and rustdoc, warnings as errors
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path tests/cli/Cargo.toml
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --all-targets --manifest-path tests/cli/Cargo.toml -- -D warnings
	$(CARGO) clippy --locked --all-targets --manifest-path tests/peers/kv/Cargo.toml -- -D warnings
	$(CARGO) clippy --locked --all-targets --manifest-path tests/peers/raft/Cargo.toml -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps

# Newer compilers take what the oldest one refuses, so only that one can tell. rustup fetches it once.
OLDEST = $(shell sed -n 's/^rust-version = "\(.*\)"$$/\1/p' Cargo.toml)
MUSL   = $(shell uname -m)-unknown-linux-musl
oldest: ## Check everything with the oldest Rust that is promised, and the programs for musl, too
	@if rustup run $(OLDEST) rustc --version 2>/dev/null && [ -d "$$(rustup run $(OLDEST) rustc --print sysroot)/lib/rustlib/$(MUSL)" ] || \
	  timeout 120 rustup toolchain install $(OLDEST) --profile minimal --target $(MUSL) --no-self-update; then \
	  rustup run $(OLDEST) cargo check --locked --all-targets && \
	  rustup run $(OLDEST) cargo check --locked --all-targets --manifest-path tests/cli/Cargo.toml && \
	  rustup run $(OLDEST) cargo check --locked --bins --target $(MUSL); \
	else \
	  echo "make: oldest left out: no rustup, or it has no Rust $(OLDEST) with $(MUSL) and nobody to fetch it from"; \
	fi

# The seed is printed: GROUNDWIRE_SEED=N make fuzz is the same run again.
fuzz: ## Try ten million mutated messages and their conversations, from a new seed
	@seed=$${GROUNDWIRE_SEED:-$$(date +%s)}; echo "GROUNDWIRE_SEED=$$seed"; \
	GROUNDWIRE_SEED=$$seed GROUNDWIRE_FUZZ=$${GROUNDWIRE_FUZZ:-10000000} \
	  $(CARGO) test --release --locked --lib --test wire --test rpc --test dns --test http fuzz:: -- --nocapture

# As for fuzz. GROUNDWIRE_SIM says how many seeds.
sim: ## Play 10,000 seeds of chaos on simulated Raft clusters, and hunt planted bugs
	@seed=$${GROUNDWIRE_SEED:-$$(date +%s)}; \
	GROUNDWIRE_SEED=$$seed GROUNDWIRE_SIM=$${GROUNDWIRE_SIM:-10000} \
	  $(CARGO) test --release --locked --lib raft::sim:: -- --nocapture

# AIRGAP_TESTS chooses the tests; without it, all.
airgap: ## Build and test a fresh clone offline with an empty Cargo home
	@set -e; dir=$$(mktemp -d "$(TMP)/groundwire-airgap.XXXXXX"); \
	trap 'rm -rf "$$dir"' EXIT; \
	git clone --quiet . "$$dir/clone"; mkdir "$$dir/home"; cd "$$dir/clone"; \
	env -u CARGO_TARGET_DIR CARGO_HOME="$$dir/home" $(CARGO) build --release --offline --locked; \
	env -u CARGO_TARGET_DIR CARGO_HOME="$$dir/home" $(CARGO) test --offline --locked $(AIRGAP_TESTS); \
	echo "airgap: built and tested with an empty CARGO_HOME"

bench: ## Measure beside the peers that are installed and print ratios
	$(CARGO) build --release --locked
	tests/peers/build.sh
	CARGO_TARGET_DIR="$(TARGET)" tests/peers/bench.py

# Without cargo where the programs are built already: root often has none.
install: ## Install the programs under $(DESTDIR)$(PREFIX)/bin; builds what is missing
	@for program in $(PROGRAMS); do \
	  [ -x "$(TARGET)/release/$$program" ] || { $(MAKE) build || exit 1; break; }; \
	done
	install -d "$(DESTDIR)$(PREFIX)/bin"
	for program in $(PROGRAMS); do install -m 755 "$(TARGET)/release/$$program" "$(DESTDIR)$(PREFIX)/bin/" || exit 1; done

clean: ## Remove what was built
	$(CARGO) clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' Makefile
	@echo "Only bench (for its peers), test-cli (for two packages) and oldest (for a compiler) ask registries, if they answer."
