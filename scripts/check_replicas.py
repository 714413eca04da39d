#!/usr/bin/env python3
"""Starts two servers on one database, sends the turns of conversations to either of them, and looks for lost and doubled messages.

    cargo build --release --features postgres
    scripts/with_postgres.sh scripts/check_replicas.py --binary target/release/fireclay --model runs/tiny
    scripts/check_replicas.py --model runs/tiny --db /tmp/replicas.sqlite       # a file, which several processes may use too

Each conversation goes on by its id, each turn at a server chosen by chance, while the others do the same. A turn must see all of those before it, and
in the end both servers must tell the same messages: what was said and answered, each once, in its order. Besides, both servers add messages to one
conversation at once.
"""

import argparse
import concurrent.futures
import json
import os
import random
import subprocess
import time
import urllib.error
import urllib.request

ASKED = ["Hello", "What is 3 + 4?", "Tell me more.", "Why?", "Thanks!"]


class Replica:
    def __init__(self, binary, model, database):
        command = [binary, "serve", "--model", f"tiny={model}", "--port", "0", "--threads", "1", "--db", database]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "http://" in line:
                self.url = "http://" + line.split("http://")[1].split()[0]
                break
        else:
            raise SystemExit("a server ended before it served")
        # Nobody reads its log; a full pipe would stop it.
        concurrent.futures.ThreadPoolExecutor(1).submit(lambda: [None for _ in self.process.stderr])

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {path}: {error.code} {error.read().decode()}")


def text_of(item):
    return "".join(part["text"] for part in item["content"])


def items(replica, conversation):
    """All messages of a conversation, page by page."""
    path, after, all_items = f"/v1/conversations/{conversation}/items?order=asc&limit=7", "", []
    while True:
        page = replica.ask("GET", path + after)
        all_items += page["data"]
        if not page["has_more"]:
            return all_items
        after = f"&after={page['last_id']}"


def talk(replicas, number, turns):
    """One conversation; its id, and what its client was told."""
    dice = random.Random(number)
    conversation = dice.choice(replicas).ask("POST", "/v1/conversations", {})["id"]
    told = []
    for turn in range(turns):
        said = f"{dice.choice(ASKED)} ({turn})"
        body = {"model": "tiny", "input": said, "conversation": conversation, "max_output_tokens": 4, "temperature": 0}
        response = dice.choice(replicas).ask("POST", "/v1/responses", body)
        answer = "".join(text_of(item) for item in response["output"])
        told += [("user", said), ("assistant", answer)]
    return conversation, told


def add_at_once(replicas, messages):
    """Both servers add to one conversation; every message must be there once."""
    conversation = replicas[0].ask("POST", "/v1/conversations", {})["id"]

    def add(number):
        item = {"type": "message", "role": "user", "content": f"message {number}"}
        replicas[number % 2].ask("POST", f"/v1/conversations/{conversation}/items", {"items": [item]})

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(messages)))
    for replica in replicas:
        texts = [text_of(item) for item in items(replica, conversation)]
        assert sorted(texts) == sorted(f"message {number}" for number in range(messages)), texts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/release/fireclay")
    parser.add_argument("--model", required=True)
    parser.add_argument("--db", default=os.environ.get("FIRECLAY_TEST_POSTGRES", "") + "/postgres")
    parser.add_argument("--conversations", type=int, default=200)
    parser.add_argument("--turns", type=int, default=5)
    args = parser.parse_args()
    replicas = [Replica(args.binary, args.model, args.db) for _ in range(2)]
    try:
        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            talks = list(pool.map(lambda number: talk(replicas, number, args.turns), range(args.conversations)))
        seconds = time.monotonic() - begun
        ids = set()
        for conversation, told in talks:
            for replica in replicas:
                found = items(replica, conversation)
                assert [(item["role"], text_of(item)) for item in found] == told, (conversation, told, found)
                assert all(item["status"] != "in_progress" for item in found)
            ids.update(item["id"] for item in found)
        turns = args.conversations * args.turns
        assert len(ids) == 2 * turns, "an id is there twice"
        print(f"{turns} turns of {args.conversations} conversations at two servers in {seconds:.0f} s: each message is there once, in its order")
        add_at_once(replicas, 100)
        print("100 messages that both servers add to one conversation at once: each is there once")
    finally:
        for replica in replicas:
            replica.process.terminate()
            replica.process.wait()


if __name__ == "__main__":
    main()
