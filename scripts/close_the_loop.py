#!/usr/bin/env python3
"""Rates the replies of a served model, trains on the ratings by DPO, and compares what is drawn before and after.

    scripts/close_the_loop.py FIRECLAY RUN FOLDER [--prompts 40] [--draws 8] [--steps 60]

FIRECLAY is the binary, RUN a trained run, FOLDER a new folder for the database, the export and the new run. A person is played by one taste:
a reply that asks something back ("?") is liked, one that does not is not. For each prompt two replies are drawn in one conversation, rated by
thumbs, and exported; what counts is the share of liked replies among --draws drawn for each prompt, before and after. Needs nothing but Python.
"""

import argparse
import json
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request

SAID = ["Hello", "Hi there", "Good morning", "Good evening", "hey", "My name is {}", "I am {}", "call me {}"]
NAMES = ["Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hugo", "Ida", "Jonas"]


def prompts(count):
    """Greetings and introductions, each once."""
    names = [said.format(name) for name in NAMES for said in SAID if "{}" in said]
    plain = [said for said in SAID if "{}" not in said]
    plain += [said + mark for said in plain for mark in "!."]
    every = plain + names
    if count > len(every):
        sys.exit(f"--prompts {count}: there are {len(every)}")
    return every[:count]


class Server:
    """`fireclay serve` on a free port, ended with the block."""

    def __init__(self, binary, model, database):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        arguments = ["serve", "--model", f"it={model}", "--port", str(self.port), "--db", str(database)]
        self.process = subprocess.Popen([binary, *arguments], stderr=subprocess.DEVNULL)

    def __enter__(self):
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=1)
                return self
            except OSError:
                time.sleep(0.1)
        sys.exit("the server does not answer")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def ask(self, path, body, method="POST"):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    def drawn(self, prompt, draws):
        body = {"model": "it", "messages": [{"role": "user", "content": prompt}], "n": draws, "seed": 1, "temperature": 1.0}
        return [choice["message"]["content"] for choice in json.loads(self.ask("/v1/chat/completions", body))["choices"]]

    def reply(self, conversation, body):
        """The events of a stored reply: the ids of user's message and reply, and its text."""
        events = self.ask(f"/ui/api/conversations/{conversation}/replies", {"model": "it", "temperature": 1.0, **body})
        events = [json.loads(line[5:]) for line in events.splitlines() if line.startswith("data:")]
        started = next(event for event in events if event["type"] == "started")
        text = "".join(event.get("text", "") for event in events if event["type"] == "delta")
        return started, text


def liked(text):
    return "?" in text


def share(server, asked, draws):
    replies = [reply for prompt in asked for reply in server.drawn(prompt, draws)]
    return sum(map(liked, replies)) / len(replies)


def rate(server, prompt):
    """Two replies to a prompt in one conversation, each with a thumb."""
    conversation = json.loads(server.ask("/ui/api/conversations", {}))["id"]
    first, text = server.reply(conversation, {"text": prompt})
    second, other = server.reply(conversation, {"parent": first["user"]["id"]})
    for started, said in [(first, text), (second, other)]:
        verdict = "up" if liked(said) else "down"
        server.ask(f"/ui/api/messages/{started['reply']['id']}/rating", {"verdict": verdict}, "PUT")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("run")
    parser.add_argument("folder", type=pathlib.Path)
    for name, default in [("prompts", 40), ("draws", 8), ("steps", 60)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    given.folder.mkdir(parents=True)
    database, rated, better = given.folder / "chats.db", given.folder / "rated", given.folder / "better"
    asked = prompts(given.prompts)
    with Server(given.binary, given.run, database) as server:
        before = share(server, asked, given.draws)
        for prompt in asked:
            rate(server, prompt)
    subprocess.run([given.binary, "data", "export-preferences", "--db", database, "--out", rated, "--force"], check=True)
    pairs = sum(1 for _ in open(rated / "preferences.jsonl"))
    settings = [f'dpo.data=["{rated / "preferences.jsonl"}"]', f"dpo.steps={given.steps}", "dpo.learning_rate=1e-4"]
    # The ratings decide, not the battery, which would keep the model that the stage began with.
    settings += ["battery.per_topic=0", "battery.final_per_topic=0"]
    train = [given.binary, "train", "--recipe", "tiny", "--stages", "dpo", "--model", given.run, "--out", better]
    subprocess.run([*train, *(word for setting in settings for word in ("--set", setting))], check=True)
    with Server(given.binary, better, database) as server:
        after = share(server, asked, given.draws)
        kept = len(json.loads(server.ask("/ui/api/conversations?limit=200", None, "GET"))["conversations"])
    print(f"{len(asked)} conversations, {pairs} pairs; liked: {100 * before:.1f} % before, {100 * after:.1f} % after; {kept} conversations listed")


if __name__ == "__main__":
    main()
