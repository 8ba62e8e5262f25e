"""An SVG of matplotlib's without what no viewer needs: half the size, the same picture."""

from __future__ import annotations

import re
from collections import Counter

# More decimals than are seen, comments that repeat texts, names that nothing refers to, indents.
SPARED = (
    (r"(\d\.\d\d)\d+", r"\1"),
    (r"<!--.*?-->", ""),
    (r' id="[a-z0-9]+(\.[a-z]+)?_\d+"', ""),
    (r"<g>\s*(<(?:path|use)[^>]*/>)\s*</g>", r"\1"),
    (r"\s*\n\s*", "\n"),
)
OFTEN = 4


def slim(svg: str) -> str:
    """The same picture; styles that many elements repeat are told once."""
    for pattern, short in SPARED:
        svg = re.sub(pattern, short, svg)
    counts = Counter(re.findall(r' style="([^"]*)"', svg))
    often = [style for style, count in counts.items() if count >= OFTEN]
    names = {style: f"s{place}" for place, style in enumerate(often)}

    def named(match: re.Match[str]) -> str:
        style = match[1]
        return f' class="{names[style]}"' if style in names else match[0]

    rules = "".join(f".{name}{{{style}}}\n" for style, name in names.items())
    svg = re.sub(r' style="([^"]*)"', named, svg)
    return svg.replace("</style>", f"\n{rules}</style>", 1)
