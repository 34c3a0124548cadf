"""What a user agent says: a browser, a program that crawls or watches, or a library that a server sends with.

Crawlers, monitors and headless browsers are told by the list of the package `crawlerdetect`, which is kept up to date
there. A library's agent says nothing of who the event is about: a server tells of an order with it, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from crawlerdetect import CrawlerDetect

from schemas.traffic import AgentKind, Device

MAX_AGENT_CHARS: Final = 400
MAX_NAME_CHARS: Final = 60
_LIBRARY = re.compile(
    r"curl|wget|python|okhttp|axios|node-fetch|undici|go-http-client|java/|apache-httpclient|guzzle|libwww|httpclient|"
    r"httpie|postman|insomnia|ruby|faraday|dart|analytics-|rudder|posthog|segment",
    re.I,
)
#: What runs pages without a person before it, also where the list does not know it.
_HEADLESS = re.compile(r"headless\w*|jsdom|happy-?dom|puppeteer|playwright|cypress|selenium|webdriver|prerender", re.I)
_TABLET = re.compile(r"ipad|tablet|android(?!.*mobile)|kindle|silk", re.I)
_MOBILE = re.compile(r"mobi|iphone|ipod|android|windows phone|blackberry", re.I)
#: What each browser alone says of itself. Nearly all say `Chrome` and `Safari`, so those are asked last.
_BROWSERS: Final = (
    ("Edge", re.compile(r"\b(?:Edg|Edge|EdgA|EdgiOS)/")),
    ("Opera", re.compile(r"\b(?:OPR|Opera|OPiOS|OPT)/")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/")),
    ("Vivaldi", re.compile(r"\bVivaldi/")),
    ("Yandex", re.compile(r"\bYaBrowser/")),
    ("DuckDuckGo", re.compile(r"\b(?:DuckDuckGo|Ddg)/")),
    ("Facebook", re.compile(r"\bFB(?:AN|AV|_IAB)\b")),
    ("Instagram", re.compile(r"\bInstagram\b")),
    ("LinkedIn", re.compile(r"\bLinkedInApp\b")),
    ("Internet Explorer", re.compile(r"\b(?:MSIE |Trident/)")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(?:Chrome|CriOS|Chromium)/")),
    ("Safari", re.compile(r"\bSafari/")),
)
_crawlers = CrawlerDetect()


@dataclass(frozen=True, slots=True)
class Agent:
    """`name`: of a program; empty for a browser, and where it is not known. `browser`: its family."""

    name: str = ""
    kind: AgentKind = ""
    device: Device = ""
    browser: str = ""


@lru_cache(maxsize=8_192)
def agent_of(user_agent: str) -> Agent:
    """The agent of a `User-Agent`. They repeat, so what was looked up is remembered."""
    said = user_agent.strip()[:MAX_AGENT_CHARS]
    if not said:
        return Agent()
    if headless := _HEADLESS.search(said):
        return Agent(headless[0][:MAX_NAME_CHARS], "bot")
    if _crawlers.isCrawler(said):
        is_library = _LIBRARY.search(said) is not None and "compatible;" not in said
        return Agent((_crawlers.getMatches() or "").strip()[:MAX_NAME_CHARS], "library" if is_library else "bot")
    if library := _LIBRARY.match(said):
        return Agent(library[0], "library")
    return Agent("", "browser", _device(said), _browser(said)) if said.startswith("Mozilla/") else Agent()


def _browser(said: str) -> str:
    """The family; empty where none of those above is named."""
    return next((name for name, mark in _BROWSERS if mark.search(said)), "")


def _device(said: str) -> Device:
    if _TABLET.search(said):
        return "tablet"
    return "mobile" if _MOBILE.search(said) else "desktop"
