"""The chart: one bar per program, as long as its rate. A hand-written SVG for light and dark pages."""

from __future__ import annotations

from html import escape

from bench.harness.figures import Results
from bench.scenarios.scenario import Scenario

WIDTH = 760
BAR, GAP, TOP = 20, 8, 44
LEFT, RIGHT = 210, 130
"""Widths of the names and of the figures after the bars."""
STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #222 }
    .title { font-weight: 600; font-size: 15px }
    .name { text-anchor: end }
    .peer { fill: #9aa5b1 }
    .ours { fill: #2f6fde }
    @media (prefers-color-scheme: dark) {
      text { fill: #ddd }
      .peer { fill: #66717d }
      .ours { fill: #5b93f5 }
    }
"""


def picture(scenario: Scenario, results: Results) -> str:
    """Return the chart as SVG, the fastest first."""
    figures = sorted(results.figures, key=lambda each: -each.pace)
    longest = figures[0].pace
    height = TOP + len(figures) * (BAR + GAP) + GAP
    title = f"{scenario.title}: URLs per second, and CPU per URL"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"  <title>{escape(title)}</title>",
        f"  <style>{STYLE}  </style>",
        f'  <text class="title" x="{GAP}" y="24">{escape(title)}</text>',
    ]
    for number, each in enumerate(figures):
        y = TOP + number * (BAR + GAP)
        width = max(1, round((WIDTH - LEFT - RIGHT) * each.pace / longest))
        kind = "ours" if each.name.startswith("fetchpool") else "peer"
        label = f"{each.pace:,.0f}/s, {each.cost * 1e6:,.0f} µs"
        lines += [
            f'  <text class="name" x="{LEFT - GAP}" y="{y + 15}">{escape(each.name)} ({each.workers})</text>',
            f'  <rect class="{kind}" x="{LEFT}" y="{y}" width="{width}" height="{BAR}" rx="2"/>',
            f'  <text x="{LEFT + width + GAP}" y="{y + 15}">{escape(label)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])
