#!/usr/bin/env bash
# The same tests on every backend that a machine without a graphics card can run: the model's (the decoder against
# PyTorch, cached against uncached), the engine's (greedy completions against full forward passes, each row of a crowd
# against the row alone), and that the first ratio of a policy is 1; and a compile check of backends that such a machine
# cannot run.
#
#     scripts/check_backends.sh [flex|ndarray|wgpu|vulkan|compile]...       without a name: flex, ndarray, wgpu, compile
#
# wgpu and vulkan need a software Vulkan adapter: apt-get install mesa-vulkan-drivers libvulkan1. How long their first
# build takes stands in docs/benchmarks.md, "Backends".
set -euo pipefail
cd "$(dirname "$0")/.."

# A folder of its own: every set of features compiles burn again.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/backends

test_on() {
    local device=$1 backend=$2
    echo "== tests on $device"
    # Compiled by the cheaper profile of Cargo.toml: the time of a build counts more here than its speed.
    local build=(--profile backends -p fireclay-model -p fireclay-infer -p fireclay-rlhf
        --features "fireclay-model/$backend,fireclay-infer/$backend,fireclay-rlhf/$backend" "${@:3}")
    export FIRECLAY_TEST_DEVICE=$device
    cargo test "${build[@]}" --test model --test infer --test rlhf --no-run
    cargo test "${build[@]}" --test model
    cargo test "${build[@]}" --test infer -- generation batches
    cargo test "${build[@]}" --test rlhf -- rollouts
}

[ $# -gt 0 ] || set -- flex ndarray wgpu compile
for backend in "$@"; do
    case $backend in
    # Autotune and fusion stay off: on a software adapter tuning takes longer than the work.
    flex | ndarray) test_on "$backend" "$backend" --no-default-features ;;
    wgpu | vulkan) test_on "$backend:cpu" "$backend" ;;
    compile)
        for features in cuda vulkan; do
            echo "== cargo check --features $features"
            cargo check --release -p fireclay --features "$features"
        done
        ;;
    *) echo "$backend: give flex, ndarray, wgpu, vulkan or compile" >&2 && exit 2 ;;
    esac
done
