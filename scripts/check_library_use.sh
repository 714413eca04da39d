#!/usr/bin/env bash
# Builds and runs a crate outside the workspace that depends on fireclay-model and fireclay-tokenizer alone, with one backend.
set -euo pipefail
cd "$(dirname "$0")/../examples/library-use"
cargo run --release
