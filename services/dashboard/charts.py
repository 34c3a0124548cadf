"""Charts as SVG text: numbers in, markup out. Words stand beside them, so the charts are hidden from readers."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

BARS_W, BARS_H = 150, 24
DUMBBELL_W, DUMBBELL_H = 120, 12


def bars(days: Sequence[float], window_days: int, label: str = "") -> Markup:
    """Pain by day, the last one today. Days of the window are marked: their bars are red, before it stands a line.

    The scale is the chart's own: it shows when, the number beside it how much.
    """
    top, step, start = max(days, default=0.0), BARS_W / max(len(days), 1), len(days) - window_days
    drawn = "".join(
        _bar(index * step, step, pain / top if top else 0.0, is_now=index >= start) for index, pain in enumerate(days)
    )
    x = start * step - step * 0.1
    mark = f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{BARS_H}"/>' if 0 < start < len(days) else ""
    return Markup(
        f'<svg class="bars" viewBox="0 0 {BARS_W} {BARS_H}" width="{BARS_W}" height="{BARS_H}" '
        f'preserveAspectRatio="none" role="img" aria-label="{escape(label)}">{drawn}{mark}</svg>'
    )


def _bar(x: float, step: float, share: float, *, is_now: bool) -> str:
    height = max(0.8, share * (BARS_H - 2)) if share else 0.8
    kind = "z" if not share else "now" if is_now else "old"
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{BARS_H - height:.1f}" width="{step * 0.76:.1f}" height="{height:.1f}"/>'
    )


def dumbbell(found: float | None, wanted: float | None) -> Markup:
    """Felt (filled) against wanted (hollow), from −1 to 1; the number stands beside it. Nothing where nobody spoke."""
    if found is None:
        return Markup("")
    place = {
        name: 6 + (value + 1) / 2 * (DUMBBELL_W - 12)
        for name, value in (("f", found), ("w", wanted))
        if value is not None
    }
    y, middle = DUMBBELL_H / 2, DUMBBELL_W / 2
    gap = f'<line class="gap" x1="{place["w"]:.1f}" x2="{place["f"]:.1f}" y1="{y}" y2="{y}"/>' if "w" in place else ""
    hollow = f'<circle class="wanted" cx="{place["w"]:.1f}" cy="{y}" r="4"/>' if "w" in place else ""
    kind = "bad" if wanted is not None and found < wanted - 0.1 else "good"
    return Markup(
        f'<svg class="dumbbell {kind}" viewBox="0 0 {DUMBBELL_W} {DUMBBELL_H}" width="{DUMBBELL_W}" '
        f'height="{DUMBBELL_H}" aria-hidden="true" focusable="false"><line class="axis" x1="0" x2="{DUMBBELL_W}" '
        f'y1="{y}" y2="{y}"/><line class="axis" x1="{middle}" x2="{middle}" y1="1" y2="{DUMBBELL_H - 1}"/>'
        f'{gap}{hollow}<circle class="felt" cx="{place["f"]:.1f}" cy="{y}" r="4"/></svg>'
    )


def share_bar(share: float) -> Markup:
    """A part of a whole, 0 to 1."""
    return Markup(
        f'<svg class="share" viewBox="0 0 70 6" width="70" height="6" preserveAspectRatio="none" aria-hidden="true" '
        f'focusable="false"><rect class="whole" width="70" height="6"/>'
        f'<rect class="part" width="{max(0.0, min(1.0, share)) * 70:.1f}" height="6"/></svg>'
    )


def lane(felt: float | None, wanted: float | None) -> Markup:
    """Felt and wanted in one phase, as wide as its column, −1 at the bottom and 1 on top; a gap where nobody spoke."""
    drawn = _level("zero", 0.0) + _level("wanted", wanted) + _level("felt", felt)
    return Markup(
        f'<svg class="lane" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f"{drawn}</svg>"
    )


def _level(kind: str, value: float | None) -> str:
    if value is None:
        return ""
    y = 4 + (1 - value) / 2 * 92
    return f'<line class="{kind}" x1="0" x2="100" y1="{y:.1f}" y2="{y:.1f}"/>'


def ticks(marks: Sequence[tuple[float, str]]) -> Markup:
    """Where in a stretch it hurt: places from 0 to 1, each with the word of its severity."""
    drawn = "".join(
        f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="8"/>'
        for x, kind in ((max(0.0, min(1.0, place)) * 100, kind) for place, kind in marks)
    )
    return Markup(
        f'<svg class="ticks" viewBox="0 0 100 8" height="8" preserveAspectRatio="none" aria-hidden="true" '
        f'focusable="false">{drawn}</svg>'
    )


def promise(found: float | None, wanted: float, met: bool | None) -> Markup:
    """What was promised (hollow) against what was measured (filled), on a scale from nothing to the larger of them."""
    if found is None or met is None:
        return Markup("")
    top = max(abs(found), abs(wanted)) or 1.0
    at, to = (6 + (DUMBBELL_W - 12) * abs(value) / top for value in (found, wanted))
    y = DUMBBELL_H / 2
    return Markup(
        f'<svg class="dumbbell {"good" if met else "bad"}" viewBox="0 0 {DUMBBELL_W} {DUMBBELL_H}" '
        f'width="{DUMBBELL_W}" height="{DUMBBELL_H}" aria-hidden="true" focusable="false">'
        f'<line class="axis" x1="0" x2="{DUMBBELL_W}" y1="{y}" y2="{y}"/>'
        f'<line class="gap" x1="{at:.1f}" x2="{to:.1f}" y1="{y}" y2="{y}"/>'
        f'<circle class="wanted" cx="{to:.1f}" cy="{y}" r="4"/>'
        f'<circle class="felt" cx="{at:.1f}" cy="{y}" r="4"/></svg>'
    )
