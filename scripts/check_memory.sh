#!/usr/bin/env bash
# The tests of fireclay-kernels, where `unsafe` is at home, under LLVM's address sanitizer: a read or write outside of what is allocated ends them.
# The runtime comes with Rust for Linux on x86-64; RUSTC_BOOTSTRAP lets the stable compiler take the flag. Compiles burn once more (about 5 minutes).
set -euo pipefail
cd "$(dirname "$0")/.."

# A folder of its own, and a target named, so that build scripts and macros are not instrumented.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/sanitized
export RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address"
# burn and rayon keep what they allocate until the process ends.
export ASAN_OPTIONS=detect_leaks=0
exec cargo test --release -p fireclay-kernels --tests --target x86_64-unknown-linux-gnu
