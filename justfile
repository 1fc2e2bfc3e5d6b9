# Every command a developer needs. `just` lists them.

set shell := ["bash", "-euo", "pipefail", "-c"]

default:
    @just --list --unsorted

# Install what is missing, build everything, start PizzaPi on this machine
up *args:
    ./scripts/up {{args}}

# Install the tools and packages that building and testing need
setup:
    ./scripts/setup

# Build protocol → types → web UI → the program (release profile: `just release`)
build: types ui
    cargo build -p pizzapi -p pizzapi-server

# The web UI into ui/dist
ui:
    ./scripts/ui-build

# TypeScript types from the protocol crate into ui/src/protocol/generated
types:
    cargo run -q -p pizzapi-protocol --bin export-types

# Relay, runner and web UI with reload, on this machine
dev *args:
    ./scripts/dev {{args}}

# Relay, runner, web UI and a clearly labelled demo model: try it without any key
demo *args:
    cargo run -q -p pizzapi -- local --demo {{args}}

# Run the program: `just run models`, `just run -- -p "hello"`
run *args:
    cargo run -q -p pizzapi -- {{args}}

# Everything that can be said without running: format, lints, types, arrows, docs
check:
    ./scripts/check

# Every test: workspace, web UI, end to end
test:
    ./scripts/test

# Only the Rust tests, with Redis and PostgreSQL when they are running
test-rust *args:
    cargo test --workspace {{args}}

# Only the tests that need a Redis server
test-redis:
    ./scripts/test redis

# Only the end-to-end suites
test-e2e *args:
    ./scripts/test e2e {{args}}

# Randomised faults against real processes: `just nemesis --seed 7 --minutes 10`
nemesis *args:
    cargo run -q -p pizzapi-bench --bin nemesis -- {{args}}

# Figures of docs/benchmarks.md (release profile)
bench *args:
    ./scripts/bench {{args}}

# Accept changed screens of the terminal UI
snapshots:
    INSTA_UPDATE=always cargo test -p pizzapi

# Optimised binaries with the web UI inside
release: types ui
    cargo build --release -p pizzapi -p pizzapi-server

# Container image of the relay
image tag="pizzapi":
    docker build -f docker/Dockerfile -t {{tag}} .
