#!/usr/bin/env bash
# Runs the tests of fireclay-kernels, the crate that has `unsafe`, under the address sanitizer: an access outside of
# allocated memory ends a test at once. The sanitizer is an unstable option, which a stable compiler takes with
# RUSTC_BOOTSTRAP. It rebuilds all dependencies, which takes some minutes and a folder of its own (the first argument,
# or target/addresses). The kernels for AMX run on a CPU with AVX512-BF16 too: their instructions are emulated, by code
# that the sanitizer watches.
set -euo pipefail
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" CARGO_TARGET_DIR=${1:-target/addresses}
# Threads of rayon's pool end with the process, and what they keep with them.
export ASAN_OPTIONS=detect_leaks=0
cargo test --release -p fireclay-kernels --features emulated-amx --tests --target "$host"
