"""Draws the picture of the README from ``data-flow.toml``, for light and for dark pages.

``python tests/make_picture.py`` writes both files. A test fails when they are stale.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

PICTURES = Path(__file__).parent.parent / "docs/pictures"
SOURCE = PICTURES / "data-flow.toml"
COLOURS = {
    "light": {
        **{"text": "#1f2328", "quiet": "#59636e", "line": "#8c959f", "box": "#f6f8fa"},
        **{"edge": "#d1d9e0", "source": "#9a6700", "step": "#0969da", "destination": "#1a7f37"},
    },
    "dark": {
        **{"text": "#f0f6fc", "quiet": "#9198a1", "line": "#6e7681", "box": "#151b23"},
        **{"edge": "#3d444d", "source": "#d29922", "step": "#4493f8", "destination": "#3fb950"},
    },
}
WIDTH, HEIGHT = 976, 410
STEP_WIDTH, GAP = 120, 20
STORE_Y, STORE_HEIGHT = 8, 92
STEP_Y, STEP_HEIGHT = 150, 116
BELOW_Y = 308
FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"

type Colours = Mapping[str, str]


def text(
    x: float, y: float, words: str, fill: str, size: int = 12, weight: int = 400, anchor: str = ""
) -> str:
    start = f' text-anchor="{anchor}"' if anchor else ' text-anchor="middle"'
    bold = f' font-weight="{weight}"' if weight != 400 else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{fill}"{bold}{start}>'
        f"{escape(words)}</text>"
    )


def box(x: float, y: float, width: float, height: float, fill: str, edge: str) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8" fill="{fill}" '
        f'stroke="{edge}" stroke-width="1.5"/>'
    )


def arrow(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    """A line from the first point to the second, horizontal or downwards."""
    head = (
        f"{x2:g},{y2:g} {x2 - 8:g},{y2 - 4.5:g} {x2 - 8:g},{y2 + 4.5:g}"
        if y1 == y2
        else f"{x2:g},{y2:g} {x2 - 4.5:g},{y2 - 8:g} {x2 + 4.5:g},{y2 - 8:g}"
    )
    end = (x2 - 7, y2) if y1 == y2 else (x2, y2 - 7)
    return (
        f'<path d="M{x1:g},{y1:g} L{end[0]:g},{end[1]:g}" stroke="{colour}" stroke-width="1.5"/>'
        f'<polygon points="{head}" fill="{colour}"/>'
    )


def draw(flow: Mapping[str, Any], colours: Colours) -> str:
    steps = flow["step"]
    left = (WIDTH - len(steps) * STEP_WIDTH - (len(steps) - 1) * GAP) / 2
    places = {step["name"]: left + number * (STEP_WIDTH + GAP) for number, step in enumerate(steps)}
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" font-family="{FONT}" role="img" '
            f'aria-label="{escape(flow["title"])}">',
            f"<title>{escape(flow['title'])}</title>",
            *_queue(flow["queue"], places, colours),
            *_source(flow["source"], places, colours),
            *_steps(steps, places, colours),
            *_destination(flow["destination"], places, colours),
            "</svg>\n",
        ]
    )


def _steps(
    steps: Sequence[Mapping[str, Any]], places: Mapping[str, float], colours: Colours
) -> Iterator[str]:
    for number, step in enumerate(steps):
        x = places[step["name"]]
        centre = x + STEP_WIDTH / 2
        yield box(x, STEP_Y, STEP_WIDTH, STEP_HEIGHT, colours["box"], colours["step"])
        yield text(centre, STEP_Y + 25, step["name"], colours["step"], 16, 600)
        for line, words in enumerate(step["does"]):
            yield text(centre, STEP_Y + 46 + 15 * line, words, colours["text"])
        for line, words in enumerate(step["bound"]):
            yield text(centre, STEP_Y + 85 + 14 * line, words, colours["quiet"], 11)
        yield text(centre, STEP_Y + STEP_HEIGHT + 17, step["clauses"], colours["quiet"], 11)
        if number:
            y = STEP_Y + STEP_HEIGHT / 2
            yield arrow(x - GAP + 2, y, x - 2, y, colours["line"])


def _queue(
    queue: Mapping[str, Any], places: Mapping[str, float], colours: Colours
) -> Iterator[str]:
    x = places[queue["above"]]
    centre = x + STEP_WIDTH / 2
    yield box(x, STORE_Y, STEP_WIDTH, STORE_HEIGHT, "none", colours["edge"])
    yield text(centre, STORE_Y + 28, queue["name"], colours["text"], 13, 600)
    for line, words in enumerate(queue["lines"]):
        yield text(centre, STORE_Y + 52 + 17 * line, words, colours["quiet"])
    yield arrow(centre, STORE_Y + STORE_HEIGHT + 2, centre, STEP_Y - 3, colours["line"])


def _span(names: Sequence[str], places: Mapping[str, float]) -> tuple[float, float]:
    return places[names[0]], places[names[-1]] + STEP_WIDTH - places[names[0]]


def _calls(
    names: Sequence[str], calls: Sequence[str], places: Mapping[str, float], y: float, colour: str
) -> Iterator[str]:
    for name, call in zip(names, calls, strict=True):
        centre = places[name] + STEP_WIDTH / 2
        yield arrow(centre, y, centre, y + 45, colour)
        yield text(centre + 8, y + 24, call, colour, 11, 600, "start")


def _source(
    source: Mapping[str, Any], places: Mapping[str, float], colours: Colours
) -> Iterator[str]:
    """Many small squares: their sizes differ by a fixed pattern."""
    x, width = _span(source["above"], places)
    colour = colours["source"]
    yield box(x, STORE_Y, width, STORE_HEIGHT, "none", colour)
    yield text(x + 14, STORE_Y + 24, source["name"], colour, 13, 600, "start")
    yield text(x + width - 14, STORE_Y + 24, source["text"], colours["quiet"], 11, 400, "end")
    for row in range(4):
        for column in range(29):
            side = 3 + (row * 7 + column * 5) % 4
            yield (
                f'<rect x="{x + 15 + column * 8:g}" y="{STORE_Y + 39 + row * 11:g}" '
                f'width="{side}" height="{side}" rx="1" fill="{colour}"/>'
            )
    yield from _calls(
        source["above"], source["calls"], places, STORE_Y + STORE_HEIGHT + 2, colours["source"]
    )


def _destination(
    destination: Mapping[str, Any], places: Mapping[str, float], colours: Colours
) -> Iterator[str]:
    x, width = _span(destination["below"], places)
    colour = colours["destination"]
    yield from _calls(destination["below"], destination["calls"], places, BELOW_Y - 21, colour)
    y = BELOW_Y + 26
    yield box(x, y, width, HEIGHT - y - 8, "none", colour)
    yield text(x - 14, y + 28, destination["name"], colour, 13, 600, "end")
    yield text(x - 14, y + 46, destination["text"], colours["quiet"], 11, 400, "end")
    objects = destination["objects"]
    room = (width - 28 - 10 * (len(objects) - 1)) / len(objects)
    for number, name in enumerate(objects):
        at = x + 14 + number * (room + 10)
        hidden = name.startswith("_")
        look = (
            f'fill="none" stroke="{colour}" stroke-dasharray="4 3"'
            if hidden
            else f'fill="{colour}"'
        )
        yield f'<rect x="{at:g}" y="{y + 13:g}" width="{room:g}" height="40" rx="4" {look}/>'
        yield text(at + room / 2, y + 37, name, colour if hidden else colours["box"], 12, 600)


def pictures() -> dict[Path, str]:
    """Each file of the picture and its text."""
    flow = tomllib.loads(SOURCE.read_text())
    return {PICTURES / f"data-flow-{name}.svg": draw(flow, each) for name, each in COLOURS.items()}


if __name__ == "__main__":
    for path, drawn in pictures().items():
        path.write_text(drawn)
