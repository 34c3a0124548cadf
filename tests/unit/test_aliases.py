"""Aliases: what names a person, and what must never link two."""

from __future__ import annotations

import pytest

from streams.resolve.aliases import (
    OBJECT_KINDS,
    PERSON_KINDS,
    Kind,
    alias,
    is_person,
    kind_of,
    ordered,
    strength,
    strongest,
)

PLACEHOLDERS = ["", "  ", "null", "UNDEFINED", "None", "anonymous", "guest", "test", "0", "00", "1111", "9999999"]
PLACEHOLDERS += ["00000000-0000-0000-0000-000000000000", "[object Object]", "11-11"]


@pytest.mark.parametrize("value", PLACEHOLDERS)
@pytest.mark.parametrize("kind", ["user", "anonymous", "crm_contact", "support_user", "email", "phone"])
def test_a_placeholder_names_nobody(kind: Kind, value: str) -> None:
    assert alias(kind, value) is None


@pytest.mark.parametrize("value", ["7", "12", "1112", "u1", "tester", "nullable@acme.com"])
def test_a_real_id_is_not_taken_for_a_placeholder(value: str) -> None:
    assert alias("user", value) == f"user:{value}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" Ann@Acme.COM ", "email:ann@acme.com"),
        ("ann+crm@mail.acme.co.uk", "email:ann+crm@mail.acme.co.uk"),
        ("info@acme.com", "mailbox:info@acme.com"),
        ("Sales+emea@acme.com", "mailbox:sales+emea@acme.com"),
        ("noreply@acme.com", "mailbox:noreply@acme.com"),
        ("Receptie@acme.nl", "mailbox:receptie@acme.nl"),
        ("rechnung@acme.de", "mailbox:rechnung@acme.de"),
        ("comptabilité@acme.fr", "mailbox:comptabilité@acme.fr"),
        ("infos@acme.com", "email:infos@acme.com"),
        ("test@acme.com", None),
        ("Ann <ann@acme.com>", "email:ann@acme.com"),
        ("mailto:Ann@acme.com?subject=Hello", "email:ann@acme.com"),
        ("ann@acme.com.", "email:ann@acme.com"),
        ("\u200bann@acme.com", "email:ann@acme.com"),
        ("Info <info@acme.com>", "mailbox:info@acme.com"),
        ("ann@acme.com, bob@acme.com", None),
        ("Ann <ann@acme.com> Bob <bob@acme.com>", None),
        ("ann@acme", None),
        ("a b@acme.com", None),
        ("ann@@acme.com", None),
    ],
)
def test_emails(value: str, expected: str | None) -> None:
    assert alias("email", value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("+44 (20) 7946-0018", "phone:+442079460018"),
        ("0044 20 7946 0018", "phone:+442079460018"),
        ("020 7946 0018", None),
        ("+0123456789", None),
        ("+12", None),
        ("call me", None),
    ],
)
def test_phones_are_e164_or_nothing(value: str, expected: str | None) -> None:
    assert alias("phone", value) == expected


def test_ids_are_verbatim_but_for_the_blanks_around_them() -> None:
    assert alias("user", " AbC:d ") == "user:AbC:d"
    assert alias("user", "x" * 513) is None


def test_strong_comes_first_and_order_of_arrival_never_shows() -> None:
    names = ["anonymous:a", "user:b", "email:x@y.zz", "crm_contact:5", None, "user:b", "crm_deal:1"]
    expected = ("crm_contact:5", "email:x@y.zz", "user:b", "anonymous:a", "crm_deal:1")
    assert ordered(names) == ordered(reversed(names)) == expected
    assert strongest(["anonymous:a", "user:b"]) == "user:b"
    assert strongest([]) is None


def test_every_kind_has_its_own_strength_and_things_are_not_people() -> None:
    kinds = (*PERSON_KINDS, *OBJECT_KINDS)
    strengths = [strength(f"{kind}:x") for kind in kinds]
    assert strengths == sorted(strengths, reverse=True) and len(set(strengths)) == len(kinds)
    assert strength("nonsense:x") == 0
    assert is_person("email:a@b.cc") and not is_person("crm_deal:1")
    assert kind_of("user:a:b") == "user"
