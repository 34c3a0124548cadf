"""What stands in a request: its text as messages, each as plain values. Pure; bounded in depth and number.

| content | the text is | a message is |
|---|---|---|
| `json` | an object, an array of them, or an object that holds an array at `batch_key` | each object |
| `form` | `name=value&…` in the body | one object; a name given twice holds a list |
| `query` | the same in the query string | one object; `page.path=/x` nests, of a name given twice the last counts |
| `xml` | a document; no document type and no entities | one object of its root; see `_Tree` |
| `xml_or_json` | a document where it begins with `<`, else JSON; both with the same `batch_key` | as in each |
| `text` | anything | `{"text": …}` |

`batch_key` is a dotted path to the messages: `batch`, `Envelope.Body.notifications.Notification`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import parse_qsl
from xml.etree.ElementTree import ParseError

import orjson
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import XMLParser

from schemas.errors import MalformedPayload, shown
from streams.connectors.lenient import decoded, shallow, without_bom
from streams.connectors.results import Message
from streams.connectors.slices import slices

Content = Literal["json", "form", "query", "xml", "xml_or_json", "text"]
Opened = tuple[Message, list[Any]]
"""The envelope around the messages, empty where there is none, and the messages."""
MAX_DEPTH = 64
MAX_FIELDS = 1_000
MAX_ELEMENTS = 100_000


def opened(content: Content, text: str, batch_key: str = "") -> Opened:
    """The messages of a request. One with a number that no double can hold (`1e400`) becomes an error in its place;
    see `lenient` for what else senders write. Raises MalformedPayload where the text is not what `content` says."""
    return _OPEN[content](without_bom(text), batch_key)


def original(content: Content, text: str, batch_key: str, index: int) -> str:
    """The exact text of one message; where it has none of its own, of all."""
    if content != "json" and not (content == "xml_or_json" and not is_markup(text)):
        return text
    try:
        return slices(without_bom(text), batch_key)[1][index]
    except (ValueError, RecursionError, IndexError):
        return text


def is_empty(value: object, batch_key: str) -> bool:
    """Whether decoded JSON holds no message at all."""
    return value == [] or (bool(batch_key) and at(value, batch_key) == [])


# -- JSON


def _json(body: str, batch_key: str) -> Opened:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return _piecewise(body, batch_key, error)
    if isinstance(value, list):
        return {}, value
    if not isinstance(value, dict):
        raise MalformedPayload(f"the body must be a JSON object or array, not {shown(value)}", "wrong_type")
    batch = at(value, batch_key) if batch_key else None
    return (value, batch) if isinstance(batch, list) else ({}, [value])


def _piecewise(body: str, batch_key: str, error: orjson.JSONDecodeError) -> Opened:
    """Each message by itself, so that what one holds does not touch its neighbours."""
    try:
        try:
            rest, texts = slices(body, batch_key)
        except RecursionError:
            rest, texts = slices(shallow(body), batch_key)
        return decoded(rest), [_parsed(text) for text in texts]
    except ValueError:
        raise MalformedPayload(f"not JSON: {error}", "malformed") from None


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return decoded(text)
    except ValueError as error:
        return MalformedPayload(f"{error}: {shown(text)}", "not_representable")


# -- what is no JSON


def _form(body: str, batch_key: str) -> Opened:
    found: Message = {}
    for name, value in _pairs(body):
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return _below(found, batch_key)


def _query(query: str, batch_key: str) -> Opened:
    message: Message = {}
    for name, value in _pairs(query):
        place = message
        *parents, last = name.split(".")[:8]
        for parent in parents:
            inner = place.setdefault(parent, {})
            if not isinstance(inner, dict):
                break
            place = inner
        else:
            place[last] = value
    return {}, [message]


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise MalformedPayload(f"more than {MAX_FIELDS} fields", "too_long") from None


def _text(body: str, batch_key: str) -> Opened:
    return {}, [{"text": body}]


def _xml_or_json(body: str, batch_key: str) -> Opened:
    return (_xml if is_markup(body) else _json)(body, batch_key)


def is_markup(text: str) -> bool:
    """Whether a text begins as a document does."""
    return text.lstrip()[:1] == "<"


def _xml(body: str, batch_key: str) -> Opened:
    tree = _Tree()
    parser = XMLParser(target=tree, forbid_dtd=True)
    try:
        parser.feed(body)
        parser.close()
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise MalformedPayload(f"not XML that is taken here: {error}"[:200], "malformed") from None
    return _below(tree.root, batch_key)


class _Tree:
    """Plain values while the parser reads: an element's children by name, without their namespaces; one that comes
    twice is a list, an attribute is `@name`, and text beside children is `#text`. An element of text alone is text."""

    def __init__(self) -> None:
        self.root: Message = {}
        self._open: list[tuple[Message, list[str]]] = [(self.root, [])]
        self._elements = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise ValueError(f"more than {MAX_ELEMENTS} elements")
        self._open.append(({f"@{_local(name)}": value for name, value in attributes.items()}, []))

    def data(self, text: str) -> None:
        self._open[-1][1].append(text)

    def end(self, tag: str) -> None:
        found, texts = self._open.pop()
        text, parent, name = "".join(texts).strip(), self._open[-1][0], _local(tag)
        if found and text:
            found["#text"] = text
        value: object = found or text
        if name not in parent:
            parent[name] = value
        elif isinstance(parent[name], list):
            parent[name].append(value)
        else:
            parent[name] = [parent[name], value]

    def close(self) -> None:
        """The parser asks for it."""


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _below(message: Message, path: str) -> Opened:
    """The messages at a dotted path, with everything around them as the envelope."""
    if not path:
        return {}, [message]
    place = at(message, path)
    if place in (None, ""):
        return message, []
    return message, place if isinstance(place, list) else [place]


def at(place: object, path: str) -> object:
    """What stands at a dotted path; None for nothing."""
    for name in path.split("."):
        place = place.get(name) if isinstance(place, dict) else None
    return place


_OPEN: dict[Content, Callable[[str, str], Opened]] = {
    "json": _json,
    "form": _form,
    "query": _query,
    "xml": _xml,
    "xml_or_json": _xml_or_json,
    "text": _text,
}
