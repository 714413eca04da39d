#!/usr/bin/env python3
"""Uses `fireclay chat` at a pseudo terminal as a person would, and looks at the screen.

    pip install pexpect pyte
    scripts/check_terminal.py --binary target/release/fireclay --model runs/tiny [--show]

Every check prints a line; the first that fails shows the screen and ends the script with exit code 1. `--show` prints the screen after each step.
Tested with pexpect 4.9 and pyte 0.8.
"""

import argparse
import json
import os
import pathlib
import signal
import tempfile
import time

import pexpect
import pyte

WIDTH, HEIGHT = 140, 40
UP, ALT_ENTER, CTRL_C, CTRL_D = "\x1b[A", "\x1b\r", "\x03", "\x04"


class Screen:
    """A chat, and what its terminal shows."""

    def __init__(self, args, folder, *more):
        command = ["chat", "--model", os.path.abspath(args.model), "--temperature", "0", "--max-tokens", "60", *more]
        environment = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": "1"}
        self.child = pexpect.spawn(os.path.abspath(args.binary), command, cwd=folder, env=environment, dimensions=(HEIGHT, WIDTH))
        self.screen = pyte.Screen(WIDTH, HEIGHT)
        self.stream = pyte.ByteStream(self.screen)
        self.show = args.show

    def read(self, seconds=0.4):
        """Takes what comes until nothing comes for a while."""
        while True:
            try:
                self.stream.feed(self.child.read_nonblocking(1 << 16, timeout=seconds))
            except (pexpect.TIMEOUT, pexpect.EOF):
                return

    def lines(self):
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def text(self):
        return "\n".join(self.lines())

    def wait(self, what, seconds=30):
        """Waits until the screen has this."""
        until = time.monotonic() + seconds
        while what not in self.text():
            assert time.monotonic() < until, f"{what!r} is not on the screen:\n{self.text()}"
            self.read(0.1)

    def prompt(self, seconds=30):
        """Waits until the last line is an empty prompt."""
        until = time.monotonic() + seconds
        while not self.lines() or self.lines()[-1] != ">":
            assert time.monotonic() < until, f"there is no prompt:\n{self.text()}"
            self.read(0.1)
        if self.show:
            print("\n".join("    | " + line for line in self.lines()))

    def say(self, line):
        self.child.send(line + "\r")
        self.read(0.2)
        self.prompt()

    def clear(self):
        self.screen.reset()

    def end(self):
        self.read()
        self.child.wait()
        return self.child.exitstatus


def passed(what):
    print(f"ok  {what}")


def conversation(args, folder):
    chat = Screen(args, folder)
    chat.wait("conversations kept in fireclay.sqlite")
    chat.prompt()
    chat.say("Who are you?")
    assert len(chat.lines()) >= 4, chat.text()
    passed("a greeting, a question, an answer")

    chat.child.send("/he\t")
    chat.wait("> /help")
    chat.child.send("\r")
    chat.prompt()
    chat.wait("/rate up|down")
    passed("Tab completes a command")

    chat.clear()
    chat.child.send("one" + ALT_ENTER + "two\\\rthree\r")
    chat.read(0.2)
    chat.prompt()
    # Pasted lines come with the marks that a terminal puts around them.
    chat.child.send("\x1b[200~four\nfive\x1b[201~\r")
    chat.read(0.2)
    chat.prompt()
    chat.clear()
    # The second goes up within the message of two lines.
    chat.child.send(UP + UP + UP)
    chat.wait("three")
    assert [line for line in chat.lines() if line.strip()][-3:] == ["> one", "two\\", "three"], chat.text()
    chat.child.send(CTRL_C)
    chat.wait("Ctrl-C again quits")
    chat.prompt()
    passed("messages of several lines, by Alt-Enter, by a backslash and pasted; the arrows bring them back; Ctrl-C drops them")

    chat.clear()
    chat.say('/rate up')
    chat.say('/rate "I am a kiln."')
    chat.say("/list")
    assert "Who are you?" in chat.text() and " 1  conv_" in chat.text(), chat.text()
    chat.say("/save kept.json")
    chat.say("/nonsense")
    assert "error: unknown command /nonsense" in chat.text(), chat.text()
    kept = json.loads((folder / "kept.json").read_text())
    said = [(message["role"], message["content"]) for message in kept["messages"]]
    assert ("user", "one\ntwo\nthree") in said and ("user", "four\nfive") in said, said
    assert kept["messages"][-1]["rating"] == {"verdict": "up", "better": "I am a kiln."}, kept["messages"][-1]
    passed("rated, listed, saved")
    chat.child.send(CTRL_D)
    assert chat.end() == 0
    passed("Ctrl-D leaves")


def going_on(args, folder):
    chat = Screen(args, folder)
    chat.prompt()
    chat.child.send(UP)
    chat.wait("> four")
    chat.child.send(CTRL_C)
    chat.wait("Ctrl-C again quits")
    chat.clear()
    chat.say("/open")
    assert "Who are you? (6 messages)" in chat.text() and "> four" in chat.text(), chat.text()
    chat.say("/undo")
    chat.say("And now?")
    chat.clear()
    chat.say("/open 1")
    assert "no number 1 in the last list" in chat.text(), chat.text()
    passed("another chat goes on with the conversation")
    chat.child.send(CTRL_C)
    chat.wait("Ctrl-C again quits")
    chat.child.send(CTRL_C)
    assert chat.end() == 130
    passed("Ctrl-C twice leaves with 130")


def stopping(args, folder):
    chat = Screen(args, folder, "--db", ":memory:")
    chat.prompt()
    # While the answer is computed, and not at the prompt: the process hears the signal that the terminal sends.
    chat.child.send("Tell me a long story about a fox and a kiln.\r")
    os.kill(chat.child.pid, signal.SIGINT)
    chat.read()
    chat.prompt()
    chat.child.send("/quit\r")
    assert chat.end() == 0, "it goes on after an answer was stopped"
    passed("Ctrl-C during an answer stops it and the chat goes on")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/release/fireclay")
    parser.add_argument("--model", required=True)
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for check in (conversation, going_on, stopping):
            check(args, pathlib.Path(folder))
    print("all passed")


if __name__ == "__main__":
    main()
