#!/usr/bin/env python3
"""How fast a running server with OpenAI's API answers several streams at once: tokens a second, and the time to each stream's first token. Needs nothing
but Python.

    fireclay serve --model SmolLM2-135M-Instruct --weights int8 --threads 2 &
    scripts/bench_server.py [--url http://127.0.0.1:8080] [--streams 1 8] [--tokens 128] [--rounds 3] [--pid $!]

Every stream has another prompt of some sixty words, is decoded greedily and goes on to its last token (`ignore_eos`). llama.cpp's server answers the same
requests: scripts/peers/llama_server.py starts it. Ask the two in turn, one of them stopped (SIGSTOP) or idle meanwhile. With `--pid` tokens are counted
by the server's CPU time too, which on a busy machine says more: of servers with one thread, whose threads do not wait for one another.
"""

import argparse
import asyncio
import json
import os
import statistics
import time
from urllib.parse import urlsplit

RUN = time.time_ns()
WORDS = "the clay is dug from the river and dried in the sun before it is ground mixed with sand and shaped on the wheel into cups bowls and jars".split()


def prompt(number):
    turned = WORDS[number % len(WORDS) :] + WORDS[: number % len(WORDS)]
    # Nothing is known of a prompt from an earlier run.
    return f"Story {RUN}, {number}. " + " ".join(turned + turned[:: 1 + number % 3])


async def stream(url, model, number, tokens):
    """Seconds to the first token, and the tokens of the answer."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    body = json.dumps({"model": model, "prompt": prompt(number), "max_tokens": tokens, "temperature": 0, "stream": True,
                       "ignore_eos": True, "stream_options": {"include_usage": True}}).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    begun = time.monotonic()
    writer.write(head.encode() + body)
    first, written = None, None
    while line := await reader.readline():
        if not line.startswith(b"data: {"):
            assert not line.startswith(b"HTTP/1.1 ") or b" 200 " in line, line
            continue
        event = json.loads(line[6:])
        if first is None and event.get("choices") and event["choices"][0]["text"]:
            first = time.monotonic() - begun
        written = (event.get("usage") or {}).get("completion_tokens", written)
    writer.close()
    assert written == tokens, f"{written} tokens instead of {tokens}"
    return first, written


def cpu_seconds(pid):
    if pid is None:
        return float("nan")
    with open(f"/proc/{pid}/stat") as stat:
        user, system = stat.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def measure(args, streams, round_):
    begun, cpu = time.monotonic(), cpu_seconds(args.pid)
    # Prompts that no request had before, so that nothing is known of them.
    numbers = range(round_ * 1000 + streams * 100, round_ * 1000 + streams * 101)
    answers = await asyncio.gather(*(stream(args.url, args.model, number, args.tokens) for number in numbers))
    seconds = time.monotonic() - begun
    written = sum(written for _, written in answers)
    cpu = cpu_seconds(args.pid) - cpu
    return written / seconds, statistics.median(first for first, _ in answers), written / cpu


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--model", default=None, help="the first one, if not given")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pid", type=int)
    args = parser.parse_args()
    if args.model is None:
        import urllib.request

        with urllib.request.urlopen(f"{args.url}/v1/models") as answer:
            args.model = json.load(answer)["data"][0]["id"]
    await measure(args, 1, 999)
    for streams in args.streams:
        rounds = [await measure(args, streams, round_) for round_ in range(args.rounds)]
        speeds = ", ".join(f"{speed:.1f}" for speed, _, _ in rounds)
        firsts = ", ".join(f"{first * 1e3:.0f}" for _, first, _ in rounds)
        by_cpu = ", ".join(f"{tokens:.1f}" for _, _, tokens in rounds)
        by_cpu = f"; {by_cpu} tokens by CPU second" if args.pid else ""
        print(f"{streams} streams: {speeds} tokens/s{by_cpu}; median time to the first token {firsts} ms", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
