# Entry points for people. Everything else is cargo.
#
#   make run          try Restante on this machine; DEMO=once shows the story and ends
#   make test         the whole test suite, as CI runs it
#   make bench        a benchmark of docs/benchmarks.md; which one and options in BENCH="push --rounds 1"
#   make image        container image from source (needs a registry for the base images)
#   make runtime      container image from binaries built here (needs no registry)

SHELL := /bin/bash
.DEFAULT_GOAL := help

# release | dev: what `run` and `runtime` build.
PROFILE ?= release

.PHONY: help run test bench image runtime

help:
	@sed -n 's/^#   //p' Makefile

run:
	@PROFILE=$(PROFILE) DEMO=$(DEMO) scripts/run

test:
	@scripts/test

bench:
	@scripts/bench $(BENCH)

image:
	docker build --target image -t restante:$$(scripts/version) .

runtime:
	@PROFILE=$(PROFILE) scripts/runtime-image
