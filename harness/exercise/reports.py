"""The report of a language's tests: a verdict for each, and the words of a fault, shortened."""

from __future__ import annotations

import html
import json
import os
import re
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from harness.toolchain.programs import tail

_TAIL = 25
_FRAMES = 5


class Answer(NamedTuple):
    """The verdict of a language's test on one vector, and its words."""

    passed: bool
    words: str = ""

    @property
    def cause(self) -> str | None:
        """The wording of the fault in the log, for INTERNAL hides it from the caller."""
        if found := re.search(r'"cause":("(?:[^"\\]|\\.)*")', self.words):
            return str(json.loads(found[1]))
        found = re.search(r"\bcause=(?!null)(.*?), result=", self.words)  # a map of Java
        return found and found[1]


_ANY = re.compile(r"(.*)", re.DOTALL)


def read_junit(report: Path, name: re.Pattern[str] = _ANY) -> dict[str, Answer]:
    """The answers in a file, none if there is no whole one: a run that is ended leaves a part."""
    try:
        return junit(report.read_text(), name)
    except (FileNotFoundError, ElementTree.ParseError):
        return {}


def junit(report: str, name: re.Pattern[str] = _ANY) -> dict[str, Answer]:
    """The answers in a report of JUnit's form, by the group of ``name`` in a test's name."""
    answers: dict[str, Answer] = {}
    for test in ElementTree.fromstring(report).iter("testcase"):
        found = name.match(test.get("name", ""))
        if not found or test.find("skipped") is not None:
            continue
        before = answers.get(found[1])
        if before and not before.passed:
            continue  # pytest adds an error of the clean-up, which may only follow from the fault
        fault = test.find("failure")
        fault = test.find("error") if fault is None else fault
        words = "" if fault is None else _words(fault)
        answers[found[1]] = Answer(fault is None, words.strip())
    return answers


def _words(fault: ElementTree.Element) -> str:
    """The message. A failure of Python or Java has its place and its cause in the text."""
    text = fault.text or ""
    if "\nE  " in text:
        return _own_frames(text)
    java = re.findall(r"^\tat (?:.*/)?(rosetta\..*)", text, re.MULTILINE)
    return "\n  at ".join([_compared(html.unescape(fault.get("message", text))), *java[:_FRAMES]])


def _compared(message: str) -> str:
    """JUnit's two values first and one below the other: a log may stand before them."""
    before, arrow, values = message.partition(" ==> ")
    if not arrow:
        return message
    return values.replace("> but was: <", ">\nbut was:  <") + f"\n{before}"


def _own_frames(trace: str) -> str:
    """A traceback of pytest without the frames of libraries: there are many between two of ours."""
    kept, own = [], True
    for line in trace.splitlines():
        if re.match(r"\S+:\d+: ", line):
            own = line.startswith(("src/", "tests/"))
        if own or line.startswith(("E  ", "The above", "During handling")):
            kept.append(line)
    return "\n".join(kept)


def go_test(output: str) -> tuple[dict[str, Answer], str]:
    """The answers by a test's name in the output of ``go test -json``, and the rest of it."""
    words: dict[str, str] = {}
    answers, plain = {}, ""
    for line in output.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            plain += f"{line}\n"
            continue
        test = event.get("Test", "")
        if event["Action"] in ("output", "build-output"):
            plain += event["Output"]
            words[test] = words.get(test, "") + event["Output"]
        elif test and event["Action"] in ("pass", "fail"):
            answers[test] = Answer(event["Action"] == "pass", words.get(test, ""))
    return answers, plain


def spec(output: str) -> dict[str, Answer]:
    """The tests that failed, by the summary at the end of Node's reporter "spec"."""
    answers = {}
    summary = output.partition("failing tests:\n")[2]
    for place, name, words in re.findall(
        r"^(test at .*)\n✖ (.*) \([\d.]+ms\)\n((?:(?!test at ).*\n)*)", summary, re.MULTILINE
    ):
        own = [line for line in words.splitlines() if not re.search(r" at .*\(node:", line)]
        answers[name] = Answer(False, "\n".join([place, *own]).strip())
    return answers


def start_fault(output: str, code: Path) -> str:
    """Why no test of ``code`` began."""
    thrown = r"^file://(\S+):(\d+)\n((?:.*\n)+?) *\^+\n+(\w*Error.*)$"  # as Node tells it
    if found := re.search(thrown, output, re.MULTILINE):
        file, line, source, error = found.groups()
        return f"{os.path.relpath(file, code)}:{line}: {error}\n\n{source.rstrip()}"
    if found := re.search(r"^Error \[ERR_MODULE_NOT_FOUND\]: .*$", output, re.MULTILINE):
        return found[0].replace(f"{code}/", "")
    return tail(output, _TAIL)
