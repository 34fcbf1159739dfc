# Entry points for people. Everything else is cargo.
#
#   make run          try Restante on this machine; DEMO=once shows the story and ends
#   make demo         Kamailio, Restante, two clients and Prometheus in containers: a story, step by step
#   make test         the whole test suite, as CI runs it
#   make test-long    what takes too long for that, at most 6 hours, and docs/test-long.md; STAGES="fuzz timers", RESUME=1 goes on
#   make soak         a load with kills for SOAK=8h, which must lose nothing and grow nowhere
#   make conformance  the tests of each requirement, and docs/conformance.md; TIER=long, ONLY=ct_dlv, TARGET=file as it says
#   make bench        a benchmark of docs/benchmarks.md; which one and options in BENCH="push --rounds 1"
#   make simulation   random histories of a deployment (docs/simulation.md); how many and from which seed: SEEDS=10000 FROM=0
#   make image        container image from source (needs a registry for the base images)
#   make deb          Debian packages; scripts/deb-story lives with them in a container
#   make runtime      container image from binaries built here (needs no registry)

SHELL := /bin/bash
.DEFAULT_GOAL := help

# release | dev: what `run` and `runtime` build.
PROFILE ?= release

# How long `soak` takes.
SOAK ?= 8h

# Histories of `simulation`.
SEEDS ?= 10000
FROM ?= 0

.PHONY: help run demo test test-long soak conformance conformance-document metrics-document log-events-document configuration-document bench simulation image runtime deb

help:
	@sed -n 's/^#   //p' Makefile

run:
	@PROFILE=$(PROFILE) DEMO=$(DEMO) scripts/run

demo: runtime
	@scripts/demo-images
	@scripts/demo-story

test:
	@scripts/test

test-long:
	@scripts/test-long $(if $(RESUME),--resume) $(STAGES)

# The tests run the binaries. All are built with the features of the whole workspace: `cargo run -p` would build much anew.
CONFORMANCE = $${CARGO_TARGET_DIR:-target}/debug/conformance

soak:
	@cargo build --quiet --locked --workspace --bins
	@SOAK=$(SOAK) cargo test --quiet --locked --workspace --test e2e -- --ignored --nocapture ct_rob_05

conformance:
	@cargo build --quiet --locked --workspace --bins
	@$(CONFORMANCE) \
	  $(if $(TIER),--tier $(TIER)) $(if $(ONLY),--only $(ONLY)) $(if $(TARGET),--target $(TARGET))

# The same with the verdicts it has, after tests were renamed or reasons changed.
conformance-document:
	@cargo build --quiet --locked --workspace --bins
	@$(CONFORMANCE) --document

# A document that restante writes: DOCUMENT, ARGUMENTS. It takes the place of the old one when it is whole.
define written
	@mkdir -p $${CARGO_TARGET_DIR:-target}
	@cargo run --quiet --locked --bin restante -- $(2) >$${CARGO_TARGET_DIR:-target}/$(1)
	@mv $${CARGO_TARGET_DIR:-target}/$(1) docs/$(1)
endef

# What the processes say they count.
metrics-document:
	$(call written,metrics.md,metrics)

# What can be configured.
configuration-document:
	$(call written,configuration.md,config reference)

# What lines of the log can be about.
log-events-document:
	$(call written,log-events.md,log-events)

simulation:
	cargo run --locked --release -p restante-simulation -- --seeds $(SEEDS) --from $(FROM)

bench:
	@scripts/bench $(BENCH)

image:
	docker build --target image -t restante:$$(scripts/version) .

runtime:
	@PROFILE=$(PROFILE) scripts/runtime-image

deb:
	@PROFILE=$(PROFILE) scripts/deb
