#!/usr/bin/env bash
# Runs the tests of fireclay-kernels, the crate that has `unsafe`, under the address sanitizer: an access outside of
# allocated memory ends a test at once. The sanitizer is an unstable option, which a stable compiler takes with
# RUSTC_BOOTSTRAP. It rebuilds all dependencies, which takes some minutes and a folder of its own (the first argument,
# or target/addresses). On a CPU with AVX512-BF16 and without AMX the tile instructions of AMX are emulated, by code
# that the sanitizer watches; it does not see what the instructions themselves read and write.
set -euo pipefail
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" CARGO_TARGET_DIR=${1:-target/addresses}
# Threads of rayon's pool end with the process, and what they keep with them.
export ASAN_OPTIONS=detect_leaks=0
case "$(grep -m 1 '^flags' /proc/cpuinfo)" in
*amx_bf16*) echo "not watched: what tile instructions of AMX access, which this CPU has" ;;
*avx512_bf16*) ;;
*) echo "left out: kernels for AVX512-BF16 and AMX, which this CPU does not have" ;;
esac
cargo test --release -p fireclay-kernels --features emulated-amx --tests --target "$host"
