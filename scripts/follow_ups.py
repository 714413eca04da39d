#!/usr/bin/env python3
"""Short conversations of several messages with an assistant of the embedded corpus, and how many replies are sensible, by kind.

usage: follow_ups.py FIRECLAY RUN... [--show]

What is typed was written by hand, without regard to the wordings of the corpus: names in mid-conversation and in Chinese, what was never told, questions
about a story, "another one", "yes" to an offer, calculations beyond two digits. Of each conversation the last reply is judged. Replies are greedy. Needs
Python alone; not part of CI, for it needs a trained model.
"""
import argparse
import json
import pathlib
import re
import subprocess
import tempfile

UNKNOWN = r"do not know|don't know|not told|only add|too hard|cannot|不知道|没有告诉"
NAMES = ["Clara", "Walter", "Ben", "Martha", "Felix", "Priya"]
CHINESE_NAMES = ["李明", "王芳", "小红", "张伟", "陈静", "小刚"]
STORIES = [("tell me a story about a zebra named Otto", "Otto", "zebra"), ("a story about a fox called Nina please", "Nina", "fox"),
           ("can you tell me a story about Leo the lion?", "Leo", "lion"), ("I'd like a story about a whale with the name Rosa", "Rosa", "whale")]


def conversations():
    """Kind, messages, and the pattern that the last reply has."""
    for name in NAMES:
        yield "greeted by name", [f"hi, I'm {name}"], name
        yield "greeted by name", [f"im {name.lower()}"], name
        yield "greeted by name", [f"hello! {name} here"], name
        yield "name in mid-conversation", ["hello", "what is 3 + 5?", f"by the way, my name is {name}", "so what's my name?"], name
        yield "name in mid-conversation", ["tell me a joke", f"I am {name}", "that was funny", "do you remember my name?"], name
        yield "name after a story", [f"my name is {name}", "tell me a story", "nice story", "what's my name?"], name
    for name in CHINESE_NAMES:
        yield "name in Chinese", [f"我叫{name}", "我叫什么名字？"], name
        yield "name in Chinese", ["你好", f"我的名字是{name}。", "你记得我的名字吗？"], name
        yield "name in Chinese", [f"你好，我是{name}", "讲一个小猫的故事吧", "我是谁？"], name
    for name in NAMES[:3]:
        yield "never told", [f"my name is {name}", "what is my favourite colour?"], UNKNOWN
        yield "never told", [f"my name is {name}", "what food do I like?"], UNKNOWN
        yield "never told", [f"i'm {name}", "what pet do I have?"], UNKNOWN
    yield "never told", ["hello", "what's my name?"], UNKNOWN
    yield "never told", ["I like pasta", "and what is my name?"], UNKNOWN
    yield "never told", ["我喜欢吃面条", "我叫什么？"], UNKNOWN
    for ask, name, kind in STORIES:
        yield "hero of a story", [ask, "what was its name?"], name
        yield "hero of a story", [ask, "who was the story about?"], f"{name}|{kind}"
        yield "hero of a story", [ask, f"what animal was {name}?"], kind
        yield "another story", [ask, "another one"], r"(?s).{150,}[.!\"]$"
        yield "another story", [ask, "can you tell me another story please"], r"(?s).{150,}[.!\"]$"
        yield "another story", [ask, "one more!"], r"(?s).{150,}[.!\"]$"
        yield "after the end", [ask, "go on"], "whole story|the end|all"
        yield "after the end", [ask, "and then what happened?"], "whole story|the end|all"
    for opening in ["thank you so much", "I am bored", "I had a bad day", "I can't sleep", "hello there"]:
        yield "yes to an offer", [opening, "@yes"], r"(?s).{150,}[.!\"]$"
        yield "yes to an offer", [opening, "@sure, tell me one"], r"(?s).{150,}[.!\"]$"
    for sum_ in ["123 + 456", "what is 200 - 50?", "7 * 8", "12 x 12", "what's 100 divided by 5", "1 + 2 + 3", "2.5 + 2.5", "5 - 9", "1000 + 1", "25 times 4",
                 "what is 15% of 80?", "3 plus 4 plus 5"]:
        yield "calculation out of reach", [sum_], UNKNOWN
    for sum_, result in [("47 + 38", 85), ("what's 90 - 45?", 45), ("12 plus 9", 21), ("8-8", 0), ("how much is 99 + 99", 198), ("10 minus 3", 7)]:
        yield "calculation in reach", [sum_], rf"\b{result}$"
    yield "feelings", ["my dog died"], "sorry"
    yield "feelings", ["my grandma is in hospital"], "sorry"
    yield "feelings", ["I am so hungry"], "eat|good|enjoy"
    yield "feelings", ["i feel lonely tonight"], "here|glad|story"
    yield "feelings", ["thanks!"], "welcome|pleasure|glad|[Aa]ny time"
    yield "feelings", ["I got a new job!"], "glad|nice|happy"


def replies(binary, run, asked):
    """The replies to each conversation. "@text" is said only where an offer of a story has just been made."""
    lines = []
    for messages in asked:
        lines += ["/new"] + [message.removeprefix("@") for message in messages]
    with tempfile.TemporaryDirectory() as folder:
        call = [binary, "chat", "--model", run, "--temperature", "0", "--json", "--db", str(pathlib.Path(folder) / "chat.sqlite")]
        done = subprocess.run(call, input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    found = iter([line["reply"] for line in map(json.loads, done.stdout.splitlines()) if "reply" in line])
    return [[next(found) for _ in messages] for messages in asked]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fireclay")
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--show", action="store_true", help="print the conversations whose last reply is not sensible")
    given = parser.parse_args()
    asked = list(conversations())
    for run in given.runs:
        counts = {}
        for (kind, messages, wanted), said in zip(asked, replies(given.fireclay, run, [messages for _, messages, _ in asked])):
            last_but_one = said[-2] if len(said) > 1 else ""
            if messages[-1].startswith("@") and not re.search(r"(story|one)\?$", last_but_one):
                continue
            good = bool(re.search(wanted, said[-1]))
            right, all_ = counts.get(kind, (0, 0))
            counts[kind] = (right + good, all_ + 1)
            if given.show and not good:
                print(f"[{kind}]", *[f"{message} -> {reply}" for message, reply in zip(messages, said)], sep="\n    ")
        right, all_ = map(sum, zip(*counts.values()))
        print(run, ", ".join(f"{kind} {right} of {all_}" for kind, (right, all_) in counts.items()), f"together {right} of {all_}", sep=": ")


if __name__ == "__main__":
    main()
