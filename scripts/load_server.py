#!/usr/bin/env python3
"""Puts a running server under load, and says whether it stayed whole. Needs nothing but Python.

    fireclay serve --model runs/tiny --quiet &
    scripts/load_server.py --pid $! [--url http://127.0.0.1:8080] [--clients 200] [--seconds 60]

A third of the clients hang up in the middle of their streams, a tenth of the requests are malformed or too large. Every well-formed request must be
answered or turned away with 429, `/health` must answer within 50 ms (99th percentile), and at the end no page of the engine's memory and no file
descriptor may be left in use.
"""

import argparse
import asyncio
import collections
import json
import multiprocessing
import os
import random
import time
import urllib.request
from urllib.parse import urlsplit


class Server:
    def __init__(self, url):
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port or 80

    async def send(self, method, path, body=b"", kind="application/json"):
        reader, writer = await asyncio.open_connection(self.host, self.port)
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        return reader, writer

    async def ask(self, method, path, body=b""):
        """Status and body of a whole answer."""
        reader, writer = await self.send(method, path, body)
        try:
            answer = await asyncio.wait_for(reader.read(), 120)
        finally:
            writer.close()
        head, _, text = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), text


class Tally:
    def __init__(self):
        self.outcomes = collections.Counter()
        self.wrong = []
        self.health = []
        self.first = []
        self.tokens = 0


async def client(server, number, model, until, tally):
    dice = random.Random(number)
    while time.monotonic() < until:
        body = {
            "model": model,
            "messages": [{"role": "user", "content": dice.choice(["Hello", "Tell me a story about a fox.", "What is 3 + 4?"])}],
            "max_tokens": dice.randint(4, 64),
            "stream": True,
        }
        try:
            if dice.random() < 0.1:
                await malformed(server, dice, tally)
                continue
            if number % 3 == 0:
                await hang_up(server, body, dice, tally)
            else:
                await stream(server, body, tally)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.TimeoutError, IndexError) as error:
            tally.wrong.append(repr(error))


async def malformed(server, dice, tally):
    bodies = [(b"{", {400}), (b"[]", {400}), (b'{"model": 1}', {400}), (b'{"a": "' + b"x" * (5 << 20) + b'"}', {413})]
    body, expected = dice.choice(bodies)
    try:
        status, _ = await server.ask("POST", "/v1/chat/completions", body)
    except ConnectionError:
        # A body that is too large need not be read to its end.
        assert len(body) > 1 << 20
        tally.outcomes["413 and closed"] += 1
        return
    tally.outcomes[status] += 1
    if status not in expected:
        tally.wrong.append(f"{status} for {body[:20]}")


async def hang_up(server, body, dice, tally):
    reader, writer = await server.send("POST", "/v1/chat/completions", json.dumps(body).encode())
    await asyncio.wait_for(reader.read(dice.randint(1, 2000)), 120)
    writer.transport.abort()
    tally.outcomes["hung up"] += 1


async def stream(server, body, tally):
    begun = time.monotonic()
    reader, writer = await server.send("POST", "/v1/chat/completions", json.dumps(body).encode())
    first = await asyncio.wait_for(reader.read(1 << 16), 120)
    rest = await asyncio.wait_for(reader.read(), 120)
    writer.close()
    status = int(first.split(b" ", 2)[1])
    tally.outcomes[status] += 1
    if status == 200:
        answer = first + rest
        tally.tokens += answer.count(b'"delta":{"content"')
        tally.first.append(time.monotonic() - begun)
        if b"[DONE]" not in answer or b'"error"' in answer:
            tally.wrong.append(answer[-200:])
    elif status == 429:
        await asyncio.sleep(0.2)
    else:
        tally.wrong.append(first)


def watch_health(url, seconds, times):
    """In a process of its own, so that the clients' work is not measured."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        begun = time.monotonic()
        with urllib.request.urlopen(f"{url}/health", timeout=60) as answer:
            assert answer.status == 200
        times.append(time.monotonic() - begun)
        time.sleep(0.05)


async def metrics(server):
    _, text = await server.ask("GET", "/metrics")
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.decode().splitlines() if not line.startswith("#")}


def of_process(pid):
    """File descriptors, and MiB of memory."""
    with open(f"/proc/{pid}/status") as status:
        kib = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    return len(os.listdir(f"/proc/{pid}/fd")), kib / 1024


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--pid", type=int)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    args = parser.parse_args()
    server = Server(args.url)
    model = json.loads((await server.ask("GET", "/v1/models"))[1])["data"][0]["id"]
    # What is allocated once is allocated before memory is compared.
    await load(server, model, args.clients, 5, Tally())
    await asyncio.sleep(1)
    before = of_process(args.pid) if args.pid else None
    tally = Tally()
    begun = time.monotonic()
    with multiprocessing.Manager() as manager:
        times = manager.list()
        watching = multiprocessing.Process(target=watch_health, args=(args.url, args.seconds, times))
        watching.start()
        await load(server, model, args.clients, args.seconds, tally)
        watching.join()
        tally.health = list(times)
    seconds = time.monotonic() - begun
    await asyncio.sleep(2)
    left = await metrics(server)
    used = {name: number for name, number in left.items() if "cache_pages" in name and 'state="used"' in name}
    health = sorted(tally.health)
    p99 = health[int(0.99 * (len(health) - 1))] * 1000
    print(f"{sum(tally.outcomes.values())} requests in {seconds:.0f} s: {dict(tally.outcomes)}")
    print(f"{tally.tokens / seconds:.0f} pieces/s to readers that stay; /health: {len(health)} times, p99 {p99:.1f} ms")
    print(f"pages in use afterwards: {used}")
    if before:
        after = of_process(args.pid)
        print(f"file descriptors {before[0]} -> {after[0]}, memory {before[1]:.0f} -> {after[1]:.0f} MiB")
        assert after[0] <= before[0] + 4, "file descriptors leak"
    assert not tally.wrong, tally.wrong[:5]
    assert all(number == 0 for number in used.values()), "pages leak"
    print("whole" if p99 < 50 else f"whole, but /health took {p99:.0f} ms")


async def load(server, model, clients, seconds, tally):
    until = time.monotonic() + seconds
    await asyncio.gather(*(client(server, number, model, until, tally) for number in range(clients)))


if __name__ == "__main__":
    asyncio.run(main())
