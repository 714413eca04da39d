#!/usr/bin/env python3
"""Holds the same conversation of four messages with an assistant a hundred times, with other words: somebody says their name, asks for a story about an animal
with another name, then for a sum, and then for their own name.

usage: name_story_sum.py FIRECLAY RUN... [--conversations 100]

Prints, for each run, how often the first reply has the name, the story has the animal, the name, and both, the sum is right, and the name is still known.
Replies are greedy. Names and animals are ordinary ones, which a model may have read or not. Needs Python alone; not part of CI, for it needs a trained model.
"""
import argparse
import json
import pathlib
import random
import subprocess
import tempfile

NAMES = "Clara Walter Anna Tom Maria Ben Julia Oscar Nina Peter Lucy Max Sophie Henry Eva Leo Martha Felix Rosa Simon".split()
ANIMALS = "zebra camel dog cat fox owl walrus penguin rabbit bear lion turtle horse whale dragon".split()
SUM = ("what is 12 + 30", "= 42")


def conversations(count):
    draw = random.Random(5)
    for _ in range(count):
        person, hero = draw.sample(NAMES, 2)
        yield person, hero, draw.choice(ANIMALS)


def replies(binary, run, asked):
    lines = []
    for person, hero, animal in asked:
        lines += ["/new", f"my name is {person}", f"tell me a story about a {animal} named {hero}", SUM[0], "What is my name?"]
    with tempfile.TemporaryDirectory() as folder:
        call = [binary, "chat", "--model", run, "--temperature", "0", "--json", "--db", str(pathlib.Path(folder) / "chat.sqlite")]
        done = subprocess.run(call, input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    found = [line["reply"] for line in map(json.loads, done.stdout.splitlines()) if "reply" in line]
    assert len(found) == 4 * len(asked), f"{len(found)} replies to {4 * len(asked)} messages"
    return [found[4 * index : 4 * index + 4] for index in range(len(asked))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fireclay")
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--conversations", type=int, default=100)
    given = parser.parse_args()
    asked = list(conversations(given.conversations))
    for run in given.runs:
        counts = dict.fromkeys(["greeted", "animal", "hero", "both", "sum", "recalled"], 0)
        for (person, hero, animal), (greeting, story, total, name) in zip(asked, replies(given.fireclay, run, asked)):
            counts["greeted"] += person in greeting
            counts["animal"] += animal in story
            counts["hero"] += hero in story
            counts["both"] += animal in story and hero in story
            counts["sum"] += SUM[1] in total
            counts["recalled"] += person in name
        print(run, " ".join(f"{what} {count}" for what, count in counts.items()), f"of {len(asked)}")


if __name__ == "__main__":
    main()
