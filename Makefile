# make build    bin/edgeward: fetches the pinned native libraries once, then compiles
# make run      build, then the demo in the browser
# make test     vet, room test and all tests with the race detector; says what it skipped for want of a tool
# make package  .deb, .rpm and .tar.gz in dist/
# make ui       the web page from its sources, into ui/dist
# The machine needs Go, gcc, g++, Python 3 with pip, and this Makefile; node only for make ui, ui-fresh and journeys.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VERSION := $(shell sed -n 's/^var release = "\(.*\)"$$/\1/p' cmd/edgeward/version.go)
GOARCH ?= $(shell go env GOARCH)
# The revision goes into the program where git can tell it; a tree without git builds as well.
VCS := $(shell git rev-parse --verify -q HEAD >/dev/null 2>&1 && echo true || echo false)
# No path of this machine, no symbol table, no build id: the same source gives the same bytes everywhere. DuckDB would have its
# 60,000 symbols exported for extensions, which are not taken here: seven MB of the file and of the memory of each process.
GOBUILD := go build -trimpath -buildvcs=$(VCS) -ldflags "-s -w -buildid= '-extldflags=-Wl,--no-export-dynamic'"
# Every package gets this long; a hanging test fails with its goroutines instead of eating the night.
TEST_TIMEOUT ?= 20m
TESTFLAGS ?=
# The race detector. Sums that are made costly on purpose, and share nothing, are not watched: they would cost ten times as much.
unwatched = -gcflags=golang.org/x/crypto/$(1)=-race=false
RACE ?= -race $(foreach p,scrypt argon2 blake2b,$(call unwatched,$(p)))
LONGEST := ./node/systemtest ./cmd/edgeward
# A program with the race detector sleeps for a second before it ends, in which nothing of ours runs; tests start a thousand of them.
export GORACE ?= atexit_sleep_ms=0
NFPM := go run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.0

# Tests that need Python modules use .ci/run's environment where it was made.
export EDGEWARD_PYTHON ?= $(wildcard $(CURDIR)/.cache/venv/bin/python)

.PHONY: all build pack run demo-fleet netns ui ui-fresh journeys vet test bench bench-serving conformance soak gpu reproducible package clean

all: build

# pack is quick when up to date.
pack:
	@go run ./packaging/fetch
	@go run ./packaging/notices -out cmd/edgeward/notices/go.json.zst ./cmd/edgeward
	@go run ./packaging/notices -out cmd/edgeward/notices/npm.json.zst -collected ui/notices.json

build: pack
	$(GOBUILD) -o bin/edgeward ./cmd/edgeward
	@ls -l bin/edgeward | awk '{printf "bin/edgeward: %.1f MiB\n", $$5/1048576}'

run: build
	bin/edgeward up --demo

# A hub and four nodes on this machine, to watch in the browser; Ctrl-C ends them.
demo-fleet: build
	bin/edgeward demo fleet --keep

# The web page anew, with the types of its client; what it writes is committed. Nothing else needs Node.
ui:
	cd ui && npm ci && npm run types && npm run check && npm run build && npm run notices

# Is ui/dist what ui/src gives?
ui-fresh:
	cd ui && npm ci && npm run check && npm run fresh

# Journeys in Debian's Chromium against bin/edgeward; JOURNEYS=j1 for one.
journeys: build
	cd ui && npm ci && npm run journeys -- $(JOURNEYS)

# What go vet compiles, the tests use.
vet:
	go vet $(RACE) ./...

# EDGEWARD_REQUIRE_ALL=1 turns a skip for want of a tool into a failure. go vet has looked already; no debugger
# comes. The longest packages first.
test: build vet
	go test -trimpath -count=1 .
	go test -json -vet=off -ldflags=-w $(RACE) $(TESTFLAGS) -timeout $(TEST_TIMEOUT) $(LONGEST) ./... | go run ./packaging/testsum

# Prints the tables of docs/benchmarks.md. TOPICS are start, serving, train, demo, hot (the Go benchmarks that BENCH
# matches), swap and resident; PEERS names a Python that has mlflow and lightgbm, to be measured beside the product.
BENCH ?= .
TOPICS ?= hot
ROUNDS ?= 5
PEERS ?=
bench: build
	go run ./packaging/bench -rounds $(ROUNDS) -match '$(BENCH)' -python '$(PEERS)' $(TOPICS)

# The product beside Triton's Python backend, MLServer, LitServe, BentoML, mlflow and bare ONNX Runtime in Go: sets them up in
# .cache/peers from their packages, once. ONLY=ours,triton runs some of its windows; KEEP=DIR keeps what was prepared and
# the samples there, so that a machine which is quiet for minutes only can run it in pieces; POINT is the length of one
# measurement. A round takes about eight minutes. What is missing is left out aloud; EDGEWARD_REQUIRE_ALL=1 makes it an error.
ONLY ?=
POINT ?= 2s
KEEP ?=
bench-serving: build
	go run ./packaging/bench -rounds $(ROUNDS) -point $(POINT) -only '$(ONLY)' -keep '$(KEEP)' serving

# The ONNX project's operator tests through our protocols; bare ONNX Runtime is the oracle.
conformance: pack
	CONFORMANCE_EVERY=1 EDGEWARD_REQUIRE_ALL=1 go test -count=1 -v -timeout $(TEST_TIMEOUT) -run Conformance ./node/systemtest/conformance

# Long tests look at EDGEWARD_SOAK for how long they are to run.
DURATION ?= 1h
soak: build
	EDGEWARD_SOAK=$(DURATION) go test -count=1 -v -timeout 0 -run Soak ./...

# A hub and five servers in network namespaces: cut lines, a killed hub, a full disk. Needs root, ip and tc.
netns: build
	EDGEWARD_SOAK=1 go test -count=1 -v -timeout 20m -run TestASiteInNamespaces ./node/systemtest

# Models on a GPU by the runtime pack PACK, compared with the CPU and timed; what lacks is said. See docs/runtimes.md.
PACK ?=
gpu: pack
	EDGEWARD_GPU_PACK='$(if $(PACK),$(abspath $(PACK)))' go test -count=1 -v -timeout 20m -run TestGPU ./runtime/infer

# Two clones in two folders, with caches of their own, must give the same bytes. Only what is committed counts.
reproducible: pack
	packaging/reproducible.sh

package: build
	NFPM='$(NFPM)' VERSION='$(VERSION)' GOARCH='$(GOARCH)' packaging/package.sh

clean:
	rm -rf bin dist
