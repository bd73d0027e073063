#!/usr/bin/env python3
"""Draw bench.json as an SVG: time by row, as a ratio to the bare host, and
the other figures as a share of their limits.

tools/bench draws with it; alone it draws a file kept from an earlier run:

usage: tools/bench_plot.py bench.json bench.svg
"""

import html
import json
import math
import sys

WIDTH, LEFT, RIGHT, TOP, STEP = 760, 198, 84, 92, 26
LIMIT = "stroke:#b3261e;stroke-width:2"
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


def amount(value, unit, short=False):
    """A value in a unit: ns (as span() has it), MiB or %; short for a limit."""
    if unit == "ns":
        text = span(value)
        number, unit = text.split(" ")
        return f"{float(number):g} {unit}" if short else text
    if short:
        return f"{value:g} {unit}"
    return f"{value:.{2 if unit == '%' else 1}f} {unit}"


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


class Axis:
    """A logarithmic axis across the picture, and its ticks."""

    def __init__(self, values):
        # Always some room on both sides of 1.
        self.ticks = stops(min([*values, 0.5]), max([*values, 2]))
        self.low = math.log10(self.ticks[0])
        self.high = math.log10(self.ticks[-1])

    def across(self, value):
        return LEFT + (WIDTH - LEFT - RIGHT) * (
            math.log10(value) - self.low) / (self.high - self.low)

    def draw(self, drawing, top, bottom, style=None):
        for value in self.ticks:
            x = self.across(value)
            one = value == 1
            drawing.line(x, top - 6, x, bottom, "one" if one else "grid",
                         style if one and style else "")
            drawing.text(x, top - 10, f"{value:g}", "tick", "middle")


def draw_rows(drawing, report, rows, peers):
    ratios = [row[name][key] for row in rows for name in peers
              if "ratio" in row.get(name, {})
              for key in ("ratio_min", "ratio_max")]
    axis = Axis(ratios)
    bottom = TOP + STEP * len(rows)
    axis.draw(drawing, TOP, bottom)
    for index, row in enumerate(rows):
        y = TOP + STEP * (index + 0.5)
        drawing.text(LEFT - 12, y + 4, row["title"], anchor="end")
        drawing.text(WIDTH - 16, y + 4, span(row["bare"]["ns"]), "small", "end")
        if "limit" in row:
            x = axis.across(row["limit"])
            drawing.line(x, y - STEP / 3, x, y + STEP / 3, style=LIMIT)
        for number, name in enumerate(peers):
            entry = row.get(name, {})
            if "ratio" not in entry:
                continue
            # Side by side where two are equal.
            y = TOP + STEP * (index + (number + 1) / (len(peers) + 1))
            drawing.line(axis.across(entry["ratio_min"]), y,
                         axis.across(entry["ratio_max"]), y,
                         style=f"stroke:{COLOURS[name]};stroke-width:2")
            tip = (f"{row['title']}: {span(entry['ns'])},"
                   f" {entry['ratio']:.2f} of the bare host")
            if name == "guest" and "limit" in row:
                tip += f"; limit {row['limit']:g}"
            drawing.dot(axis.across(entry["ratio"]), y, COLOURS[name], tip)
    drawing.text(WIDTH - 16, TOP - 10, report["machines"]["bare"]["title"]
                 if "bare" in report["machines"] else "", "tick", "end")
    drawing.text(16, bottom + 20, "dots: medians; lines: from the best to the"
                 " worst round; red: the limit", "small")
    return bottom + 32


def draw_figures(drawing, figures, peers, top):
    """What has no bare host to be compared with, against its limit."""
    def share(value, figure):
        return max(value / figure["limit"], 0.01)

    axis = Axis([share(figure[name][key], figure) for figure in figures
                 for name in peers if name in figure for key in ("min", "max")])
    drawing.text(16, top + 14, "As a share of its limit", "title")
    top += 44
    bottom = top + STEP * len(figures)
    axis.draw(drawing, top, bottom, LIMIT)
    drawing.text(WIDTH - 16, top - 10, "limit", "tick", "end")
    for index, figure in enumerate(figures):
        y = top + STEP * (index + 0.5)
        unit = figure["unit"]
        drawing.text(LEFT - 12, y + 4, figure["title"], anchor="end")
        drawing.text(WIDTH - 16, y + 4, amount(figure["limit"], unit, True),
                     "small", "end")
        for number, name in enumerate(peers):
            entry = figure.get(name)
            if not entry:
                continue
            y = top + STEP * (index + (number + 1) / (len(peers) + 1))
            drawing.line(axis.across(share(entry["min"], figure)), y,
                         axis.across(share(entry["max"], figure)), y,
                         style=f"stroke:{COLOURS[name]};stroke-width:2")
            drawing.dot(axis.across(share(entry["value"], figure)), y,
                        COLOURS[name],
                        f"{figure['title']}: {amount(entry['value'], unit)};"
                        f" limit {amount(figure['limit'], unit, True)}")
    return bottom + 12


def draw(report):
    peers = [name for name in report["machines"] if name in COLOURS]
    rows = [row for row in report["rows"].values()
            if any("ratio" in row.get(name, {}) for name in peers)]
    figures = [figure for figure in report.get("figures", {}).values()
               if "limit" in figure and any(name in figure for name in peers)]
    drawing = Drawing()
    host, settings = report["host"], report["settings"]
    drawing.text(16, 24, "Time taken, as a ratio to the bare host", "title")
    drawing.text(16, 42, f"left of 1 is faster; Linux {settings['line']} on "
                 f"Linux {host['kernel']}, {host['cpu']}", "small")
    x = 16
    for name in peers:
        title = report["machines"][name]["title"]
        drawing.dot(x + 5, 59, COLOURS[name], title)
        drawing.text(x + 16, 63, title)
        x += 40 + 7.2 * len(title)
    bottom = draw_rows(drawing, report, rows, peers)
    if figures:
        bottom = draw_figures(drawing, figures, peers, bottom + 16)
    return drawing.svg(WIDTH, bottom)


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
