#!/usr/bin/env python3
"""Where the time of a training step goes: milliseconds a step for each part of the program, by sampling.

usage: profile_step.py BINARY [flags of `fireclay bench train`…]

Prints a table of parts, and with --files one of source files of fireclay-kernels. The binary needs line numbers of the
kernels (and is as fast with them):

    cargo build --release -p fireclay --config 'profile.release.package.fireclay-kernels.debug="line-tables-only"'

Needs Linux with perf, and addr2line and readelf of binutils. What several threads do at once counts once for each, and
is divided by their number, so that parts add up to the time of a step.
"""
import collections
import json
import os
import re
import subprocess
import sys
import tempfile

# A part is named after the innermost source file that begins so and is not one of HELPERS.
PARTS = [
    ("attention/", "attention"),
    ("product/pairs", "attention"),
    ("product/pack", "packing operands of products"),
    ("product/amx/pack", "packing operands of products"),
    ("product/", "products of maps and head"),
    ("optimizer", "AdamW and the norm of all gradients"),
    ("norm/", "norms"),
    ("rotary/", "norms"),
    ("activation/", "activations"),
    ("cross_entropy/", "cross-entropy"),
    ("head/", "cross-entropy"),
    ("linear/", "sums over columns, roundings, residuals, embedding"),
    ("add/", "sums over columns, roundings, residuals, embedding"),
    ("embedding/", "sums over columns, roundings, residuals, embedding"),
    ("host", "sums over columns, roundings, residuals, embedding"),
]
# Code that is inlined into that of others.
HELPERS = ("simd.rs", "host.rs", "product/registers.rs", "product/vectors.rs", "product/number.rs", "product/lane.rs", "product/vector_lanes.rs")
REST = "memory, threads, the system and everything else"


def output(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout


def samples(binary, data):
    """Periods by file offset in the binary, and of everything else together."""
    name = os.path.basename(binary)
    maps, own, other = [], collections.Counter(), 0
    for line in output("perf", "script", "-i", data, "-F", "period,ip,dso", "--show-mmap-events").splitlines():
        if "PERF_RECORD_MMAP" in line:
            found = re.search(r"\[0x([0-9a-f]+)\(0x([0-9a-f]+)\) @ (?:0x)?([0-9a-f]+) .*\]: \S+ (\S+)", line)
            if found and os.path.basename(found[4]) == name:
                maps.append([int(number, 16) for number in found.groups()[:3]])
            continue
        found = re.match(r"\s*(\d+)\s+([0-9a-f]+)", line)
        if not found:
            continue
        period, address = int(found[1]), int(found[2], 16)
        inside = [address - start + offset for start, length, offset in maps if start <= address < start + length]
        if inside:
            own[inside[0]] += period
        else:
            other += period
    return own, other


def virtual_addresses(binary, offsets):
    loads = []
    for line in output("readelf", "-lW", binary).splitlines():
        words = line.split()
        if words and words[0] == "LOAD":
            loads.append([int(words[i], 16) for i in (1, 2, 4)])
    return [next((offset - start + address for start, address, size in loads if start <= offset < start + size), offset) for offset in offsets]


def source_files(binary, offsets):
    """For each offset the files of fireclay-kernels whose code is inlined there, the innermost first."""
    addresses = "\n".join(hex(address) for address in virtual_addresses(binary, offsets))
    frames = output("addr2line", "-e", binary, "-i", "-f", "-a", input=addresses)
    return [re.findall(r"crates/kernels/src/(\S+?\.rs)", frame) for frame in re.split(r"^0x[0-9a-f]+$", frames, flags=re.M)[1:]]


def main():
    arguments = [word for word in sys.argv[1:] if word != "--files"]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__.strip())
        sys.exit(0 if arguments else 2)
    binary, flags = os.path.realpath(arguments[0]), arguments[1:]
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/perf.data"
        # The first steps and the start are left out.
        command = ["perf", "record", "-D", "3000", "-F", "1999", "-o", data, binary, "bench", "train", *flags, "--json"]
        lines = output(*command).splitlines()
        report = json.loads(next(line for line in lines if line.startswith("{")))
        own, other = samples(binary, data)
    number = lambda flag, default: int(flags[flags.index(flag) + 1]) if flag in flags else default
    tokens = number("--batch", 8) * number("--context", 256)
    milliseconds = 1000 * tokens / report["tokens_per_s"]
    parts, files = collections.Counter({REST: other}), collections.Counter()
    for (offset, period), found in zip(own.items(), source_files(binary, list(own))):
        file = next((file for file in found if file not in HELPERS), found[0] if found else "")
        parts[next((part for start, part in PARTS if file.startswith(start)), REST)] += period
        files[file or "no kernel"] += period
    total = sum(parts.values())
    print(f"{milliseconds:.1f} ms a step of {tokens} tokens, instruction set {report['instruction_set']}")
    for part, period in parts.most_common():
        print(f"{milliseconds * period / total:8.1f} ms {100 * period / total:5.1f} %  {part}")
    if "--files" in sys.argv:
        for file, period in files.most_common(40):
            print(f"{milliseconds * period / total:8.1f} ms  {file}")


if __name__ == "__main__":
    main()
