"""docs/feed.md: its tables are fresh, and it names the alarms and parameters of feed.yaml."""

from __future__ import annotations

import re

import feed_tables
from test_feed_template import DELIVERIES, of_type, template

PAGE = feed_tables.PAGE.read_text()


def test_the_tables_are_fresh() -> None:
    """`python tests/make_tables.py` in `.venv` writes them anew."""
    named = [name for _, name, *_ in feed_tables.BLOCK.findall(PAGE)]
    assert named == list(feed_tables.BLOCKS)
    assert feed_tables.page() == PAGE


def test_every_alarm_of_the_template_stands_in_the_page() -> None:
    alarms = {name for each in DELIVERIES for name in of_type("CloudWatch::Alarm", Delivery=each)}
    assert set(re.findall(r"^\| `(\w+Alarm)` \|", PAGE, re.MULTILINE)) == alarms


def test_the_commands_parameters_are_those_without_a_default() -> None:
    needed = {name for name, each in template()["Parameters"].items() if "Default" not in each}
    (command,) = re.findall(r"--parameter-overrides .*?\n\n", PAGE, re.DOTALL)
    assert set(re.findall(r"\b([A-Z]\w+)=", command)) == needed
