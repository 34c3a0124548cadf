"""Charts as SVG text: numbers in, markup out. Words stand beside them, so the charts are hidden from readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from services.dashboard.views import PhaseView
from services.dashboard.words import emotion_word, signed

SPARK_W, SPARK_H = 72, 20
BARS_W, BARS_H = 150, 24
DUMBBELL_W, DUMBBELL_H = 120, 12
PAD = 11
"""Percent of the curve's height above `delighted` at its most, and below the opposite."""


def sparkline(values: Sequence[int]) -> Markup:
    """Volume over the window; empty when there is none."""
    top = max(values, default=0)
    if not top:
        return Markup("")
    step = SPARK_W / max(len(values) - 1, 1)
    points = " ".join(f"{i * step:.1f},{SPARK_H - 2 - v / top * (SPARK_H - 4):.1f}" for i, v in enumerate(values))
    return Markup(
        f'<svg class="spark" viewBox="0 0 {SPARK_W} {SPARK_H}" width="52" height="{SPARK_H}" '
        f'preserveAspectRatio="none" aria-hidden="true" focusable="false"><polyline points="{points}"/></svg>'
    )


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
        f'focusable="false"><rect class="whole" width="70" height="6" rx="3"/>'
        f'<rect class="part" width="{max(0.0, min(1.0, share)) * 70:.1f}" height="6" rx="3"/></svg>'
    )


@dataclass(frozen=True, slots=True)
class _Dot:
    x: float
    y: float
    low: bool
    title: str


def emotion_curve(phases: Sequence[PhaseView]) -> Markup:
    """The felt emotion of every touchpoint type along the journey, and a phase's desired one as a dashed line.

    A type without evidence has no dot: the line passes over it and claims nothing. Only the inner drawing, which has
    no words and no dots, is stretched to the width there is; the rest is placed by percentages and keeps its shape.
    """
    dots = [dot for index, phase in enumerate(phases) for dot in _dots(index, phase, 100 / len(phases))]
    line = " ".join(f"{dot.x:.2f},{dot.y:.2f}" for dot in dots)
    marks = "".join(
        f'<circle class="{"low" if dot.low else "dot"}" cx="{dot.x:.2f}%" cy="{dot.y:.2f}%" r="{5 if dot.low else 4}">'
        f"<title>{escape(dot.title)}</title></circle>"
        for dot in dots
    )
    desired = "".join(_desired(index, phase, 100 / len(phases)) for index, phase in enumerate(phases))
    rules = "".join(
        _line("rule", (100 / len(phases) * i, 0), (100 / len(phases) * i, 100)) for i in range(1, len(phases))
    )
    scale = "".join(
        f'{_line("axis", (0, _y(v)), (100, _y(v)))}<text x="4" y="{_y(v):.2f}%" dy="-4">{word}</text>'
        for v, word in ((0.8, "delighted"), (0.0, "neutral"), (-0.8, "frustrated"))
    )
    stretched = (
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" width="100%" height="100%">'
        f'<polyline class="felt" points="{line}"/></svg>'
    )
    return Markup(f'<svg role="img" aria-labelledby="curve-title">{rules}{scale}{desired}{stretched}{marks}</svg>')


def _y(emotion: float) -> float:
    """Percent from the top."""
    return PAD + (1 - emotion) / 2 * (100 - 2 * PAD)


def _line(kind: str, start: tuple[float, float], end: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = start, end
    return f'<line class="{kind}" x1="{x1:.2f}%" y1="{y1:.2f}%" x2="{x2:.2f}%" y2="{y2:.2f}%"/>'


def _dots(index: int, phase: PhaseView, width: float) -> list[_Dot]:
    """A column's types: its own, and those of other phases that say something here, as they count in its average."""
    cells = [cell for cell in phase.types if cell.volume and (cell.home_phase == phase.id or cell.emotion is not None)]
    step = width / (len(cells) + 1)
    return [
        _Dot(
            width * index + step * (place + 1),
            _y(cell.emotion),
            cell.emotion < -0.2,
            f"{cell.name}: {emotion_word(cell.emotion)} ({signed(cell.emotion)})",
        )
        for place, cell in enumerate(cells)
        if cell.emotion is not None
    ]


def _desired(index: int, phase: PhaseView, width: float) -> str:
    wanted = [cell.desired_emotion for cell in phase.types if cell.desired_emotion is not None]
    if not wanted:
        return ""
    y = _y(sum(wanted) / len(wanted))
    return _line("desired", (width * index, y), (width * (index + 1), y))
