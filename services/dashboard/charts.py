"""Charts as SVG text: numbers in, markup out. Words stand beside them, so the charts are hidden from readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from services.dashboard.views import PhaseView
from services.dashboard.words import emotion_word, signed

SPARK_W, SPARK_H = 72, 20
COLUMN_W, CURVE_H, PAD = 200, 168, 18


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


@dataclass(frozen=True, slots=True)
class _Dot:
    x: float
    y: float
    low: bool
    title: str


def emotion_curve(phases: Sequence[PhaseView]) -> Markup:
    """The felt emotion of every touchpoint type along the journey, and a phase's desired one as a dashed line.

    A type without evidence has no dot: the line passes over it and claims nothing.
    """
    width = COLUMN_W * len(phases)
    dots = [dot for index, phase in enumerate(phases) for dot in _dots(index, phase)]
    line = " ".join(f"{dot.x:.1f},{dot.y:.1f}" for dot in dots)
    marks = "".join(
        f'<circle class="{"low" if dot.low else "dot"}" cx="{dot.x:.1f}" cy="{dot.y:.1f}" r="{5 if dot.low else 4}">'
        f"<title>{escape(dot.title)}</title></circle>"
        for dot in dots
    )
    desired = "".join(_desired(index, phase) for index, phase in enumerate(phases))
    rules = "".join(
        f'<line class="rule" x1="{COLUMN_W * i}" y1="0" x2="{COLUMN_W * i}" y2="{CURVE_H}"/>'
        for i in range(1, len(phases))
    )
    scale = "".join(
        f'<line class="axis" x1="0" y1="{_y(v):.1f}" x2="{width}" y2="{_y(v):.1f}"/>'
        f'<text x="4" y="{_y(v) - 4:.1f}">{word}</text>'
        for v, word in ((0.8, "delighted"), (0.0, "neutral"), (-0.8, "frustrated"))
    )
    return Markup(
        f'<svg viewBox="0 0 {width} {CURVE_H}" preserveAspectRatio="none" role="img" aria-labelledby="curve-title">'
        f"{rules}{scale}{desired}<polyline class='felt' points='{line}'/>{marks}</svg>"
    )


def _y(emotion: float) -> float:
    return PAD + (1 - emotion) / 2 * (CURVE_H - 2 * PAD)


def _dots(index: int, phase: PhaseView) -> list[_Dot]:
    cells = [cell for cell in phase.types if cell.volume and cell.home_phase == phase.id]
    step = COLUMN_W / (len(cells) + 1)
    return [
        _Dot(
            COLUMN_W * index + step * (place + 1),
            _y(cell.emotion),
            cell.emotion < -0.2,
            f"{cell.name}: {emotion_word(cell.emotion)} ({signed(cell.emotion)})",
        )
        for place, cell in enumerate(cells)
        if cell.emotion is not None
    ]


def _desired(index: int, phase: PhaseView) -> str:
    wanted = [cell.desired_emotion for cell in phase.types if cell.desired_emotion is not None]
    if not wanted:
        return ""
    y = _y(sum(wanted) / len(wanted))
    return f'<line class="desired" x1="{COLUMN_W * index}" y1="{y:.1f}" x2="{COLUMN_W * (index + 1)}" y2="{y:.1f}"/>'
