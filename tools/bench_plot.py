#!/usr/bin/env python3
"""Draw bench.json as an SVG: time by row, as a ratio to the bare host.

tools/bench draws with it; alone it draws a file kept from an earlier run:

usage: tools/bench_plot.py bench.json bench.svg
"""

import html
import json
import math
import sys

WIDTH, LEFT, RIGHT, TOP, STEP = 760, 190, 84, 92, 26
COLOURS = {"guest": "#2563a8", "tcg": "#c2571a"}
STYLE = """
 svg { background: #fff; font: 13px sans-serif; fill: #222; }
 .title { font-size: 16px; font-weight: bold; }
 .small, .tick { font-size: 11px; fill: #666; }
 .grid { stroke: #ddd; } .one { stroke: #222; stroke-width: 1.5; }
"""


def span(ns):
    """A time with three digits: 98.3 ns, 2.41 µs, 137 ms."""
    for unit in ("ns", "µs", "ms"):
        if ns < 999.5:
            break
        ns /= 1000
    else:
        unit = "s"
    digits = 2 if ns < 9.995 else 1 if ns < 99.95 else 0
    return f"{ns:.{digits}f} {unit}"


def stops(low, high):
    """The values of a 1-2-5 series from just below LOW to just above HIGH."""
    series = [factor * 10.0 ** power
              for power in range(-9, 10) for factor in (1, 2, 5)]
    first = max(value for value in series if value <= low)
    last = min(value for value in series if value >= high)
    return [value for value in series if first <= value <= last]


class Drawing:
    """SVG elements in the order drawn."""

    def __init__(self):
        self.elements = []

    def text(self, x, y, text, css="", anchor="start"):
        self.elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="{css}" '
            f'text-anchor="{anchor}">{html.escape(text)}</text>')

    def line(self, x1, y1, x2, y2, css="", style=""):
        self.elements.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'class="{css}" style="{style}"/>')

    def dot(self, x, y, colour, tip):
        self.elements.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}">'
            f"<title>{html.escape(tip)}</title></circle>")

    def svg(self, width, height):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
                f'height="{height}" viewBox="0 0 {width} {height}">\n'
                f"<style>{STYLE}</style>\n"
                f'<rect width="{width}" height="{height}" fill="#fff"/>\n'
                + "\n".join(self.elements) + "\n</svg>\n")


def draw(report):
    peers = [name for name in report["machines"] if name in COLOURS]
    rows = [row for row in report["rows"].values()
            if any("ratio" in row.get(name, {}) for name in peers)]
    ratios = [row[name][key] for row in rows for name in peers
              if "ratio" in row.get(name, {})
              for key in ("ratio_min", "ratio_max")]
    # Always some room on both sides of 1.
    ticks = stops(min([*ratios, 0.5]), max([*ratios, 2]))
    low, high = math.log10(ticks[0]), math.log10(ticks[-1])
    bottom = TOP + STEP * len(rows)
    drawing = Drawing()

    def across(value):
        return LEFT + (WIDTH - LEFT - RIGHT) * (
            math.log10(value) - low) / (high - low)

    host, settings = report["host"], report["settings"]
    drawing.text(16, 24, "Time taken, as a ratio to the bare host", "title")
    drawing.text(16, 42, f"left of 1 is faster; Linux {settings['line']} on "
                 f"Linux {host['kernel']}, {host['cpu']}", "small")
    x = 16
    for name in peers:
        title = report["machines"][name]["title"]
        boot = report["boot"].get(name)
        if boot:
            title += f" (exec to init {span(boot['init']['ns'])})"
        drawing.dot(x + 5, 59, COLOURS[name], title)
        drawing.text(x + 16, 63, title)
        x += 40 + 7.2 * len(title)
    for value in ticks:
        drawing.line(across(value), TOP - 6, across(value), bottom,
                     "one" if value == 1 else "grid")
        drawing.text(across(value), TOP - 10, f"{value:g}", "tick", "middle")
    for index, row in enumerate(rows):
        y = TOP + STEP * (index + 0.5)
        drawing.text(LEFT - 12, y + 4, row["title"], anchor="end")
        drawing.text(WIDTH - 16, y + 4, span(row["bare"]["ns"]), "small", "end")
        for number, name in enumerate(peers):
            entry = row.get(name, {})
            if "ratio" not in entry:
                continue
            # Side by side where two are equal.
            y = TOP + STEP * (index + (number + 1) / (len(peers) + 1))
            drawing.line(across(entry["ratio_min"]), y,
                         across(entry["ratio_max"]), y,
                         style=f"stroke:{COLOURS[name]};stroke-width:2")
            drawing.dot(across(entry["ratio"]), y, COLOURS[name],
                        f"{row['title']}: {span(entry['ns'])},"
                        f" {entry['ratio']:.2f} of the bare host")
    drawing.text(WIDTH - 16, TOP - 10, "bare host", "tick", "end")
    drawing.text(16, bottom + 20, "dots: medians; lines: from the best to the"
                 " worst round", "small")
    return drawing.svg(WIDTH, bottom + 32)


def main():
    if len(sys.argv) != 3:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    with open(sys.argv[1], encoding="utf-8") as source:
        picture = draw(json.load(source))
    with open(sys.argv[2], "w", encoding="utf-8") as target:
        target.write(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
