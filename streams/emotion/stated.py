"""The emotion that a customer states by a score: NPS, CSAT, a rating, CES."""

from __future__ import annotations

from schemas.touchpoints import CleanTouchpoint

#: Kind of score → its centre and half its width.
_SCALES = {"nps": (5.0, 5.0), "csat": (3.0, 2.0), "rating": (3.0, 2.0), "ces": (4.0, 3.0)}


def stated_emotion(touchpoint: CleanTouchpoint) -> float | None:
    """The stated score on −1…1, else what the text says; None without evidence (never zero for it)."""
    if touchpoint.score is None:
        return touchpoint.sentiment
    centre, half = _SCALES.get(touchpoint.score_kind, (0.0, 0.0))
    return round(min(max((touchpoint.score - centre) / half, -1.0), 1.0), 4) if half else touchpoint.sentiment
