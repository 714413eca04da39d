#!/usr/bin/env bash
# The same model tests on every backend that a machine without a graphics card can run, and with them that the first ratio of a policy is 1; and a
# compile check of those it cannot.
# Needs a software Vulkan adapter for wgpu: apt-get install mesa-vulkan-drivers libvulkan1. The first wgpu build takes about 15 minutes on 2 cores.
set -euo pipefail
cd "$(dirname "$0")/.."

# A folder of its own: every set of features compiles burn again.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/backends

test_on() {
    local device=$1 backend=$2
    echo "== model tests on $device"
    local build=(--release -p fireclay-model -p fireclay-rlhf --no-default-features --features "fireclay-model/$backend,fireclay-rlhf/$backend")
    FIRECLAY_TEST_DEVICE=$device cargo test "${build[@]}" --test model
    FIRECLAY_TEST_DEVICE=$device cargo test "${build[@]}" --test rlhf -- rollouts
}

test_on flex flex
test_on ndarray ndarray
# Autotune and fusion stay off: on a software adapter tuning takes longer than the work.
test_on wgpu:cpu wgpu

for features in cuda vulkan; do
    echo "== cargo check --features $features"
    cargo check --release -p fireclay --features "$features"
done
