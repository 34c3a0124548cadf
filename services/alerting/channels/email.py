"""E-mail: plain text and HTML in one message (RFC 2046 multipart/alternative), one conversation per incident."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence, Set
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib
from jinja2 import Environment, PackageLoader, StrictUndefined

from schemas.alerting import EmailChannel
from schemas.incidents import Digest, Message, digest_mark
from services.alerting.channels import words
from services.alerting.channels.outcome import Outcome, masked
from services.alerting.outgoing import Away, Outgoing, Refused

_MAX_WORDS = 200
_PAGES = Environment(
    loader=PackageLoader("services.alerting"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def composed(message: Message, channel: EmailChannel) -> EmailMessage:
    """The mail. Its Message-ID is the same at every attempt; the mails of an incident refer to its first."""
    domain = channel.sender.rpartition("@")[2]
    mail = EmailMessage()
    mail["Subject"] = words.title(message)[:200]
    mail["From"] = channel.sender
    mail["To"] = ", ".join(channel.to)
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{message.notice_id}@{domain}>"
    mail["References"] = f"<incident.{message.incident_id}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: out-of-office replies stay away
    mail.set_content(words.plain(message))
    page = _PAGES.get_template("mail.html").render(
        message=message,
        title=words.title(message),
        facts=list(words.facts(message)),
        rest=list(words.rest(message)),
        acts=list(words.acts(message)),
        stamp=words.stamp,
    )
    mail.add_alternative(page, subtype="html")
    return mail


def composed_digest(digest: Digest, channel: EmailChannel, to: str, leave: str) -> EmailMessage:
    """A digest for one address. `leave`: where its owner can leave with one click (RFC 8058); empty: nowhere."""
    domain = channel.sender.rpartition("@")[2]
    mark = digest_mark(channel.name, to).rpartition(":")[2]
    mail = EmailMessage()
    mail["Subject"] = " ".join(digest.title.split())[:200]
    mail["From"] = channel.sender
    mail["To"] = to
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{digest.digest_id}.{mark}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    if leave:
        mail["List-Unsubscribe"] = f"<{leave}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(words.plain_digest(digest) + (f"\nNo more of these: {leave}\n" if leave else ""))
    mail.add_alternative(_PAGES.get_template("digest.html").render(digest=digest, leave=leave), subtype="html")
    return mail


class Email:
    """One SMTP server and the people behind it."""

    kind = "email"

    def __init__(
        self, channel: EmailChannel, password: str, outgoing: Outgoing, leave: Callable[[str], str] = lambda mark: ""
    ) -> None:
        """`leave`: the mark of an address → where its owner leaves the digest."""
        self._leave = leave
        self._had: tuple[str, set[str]] = ("", set())
        self.name, self.per_minute = channel.name, channel.per_minute
        self._channel, self._password, self._outgoing = channel, password, outgoing

    async def send(self, message: Message) -> Outcome:
        """Hand it to the server: sent when it took it for every address, or for some of them."""
        return await self._tried(composed(message, self._channel), self._channel.to)

    async def send_digest(self, digest: Digest, left: Set[str]) -> Outcome:
        """One mail an address. After a failure those who had it are left out, as long as this process lives."""
        marks = {to: digest_mark(self.name, to) for to in self._channel.to}
        wanting = [to for to, mark in marks.items() if mark not in left]
        if self._had[0] != digest.digest_id:
            self._had = (digest.digest_id, set())
        for to in wanting:
            if to in self._had[1]:
                continue
            outcome = await self._tried(composed_digest(digest, self._channel, to, self._leave(marks[to])), (to,))
            if outcome.kind != "sent":
                return outcome
            self._had[1].add(to)
        return Outcome("sent", f"to {len(wanting)} of {len(marks)} addresses; the others left the digest")

    async def _tried(self, mail: EmailMessage, to: Sequence[str]) -> Outcome:
        try:
            async with asyncio.timeout(self._outgoing.timeout_s):
                return await self._handed(mail, to)
        except TimeoutError:
            return Outcome("retry", f"no answer within {self._outgoing.timeout_s:g} s", in_doubt=True)
        except (Away, Refused) as error:
            return Outcome("retry", str(error)[:_MAX_WORDS])
        except aiosmtplib.SMTPResponseException as error:
            words_said = masked(f"{error.code} {error.message}", (self._password,))[:_MAX_WORDS]
            # RFC 5321, 4.2.1: 5yz to the content is final; a refused login or a missing STARTTLS can be mended
            is_final = isinstance(error, aiosmtplib.SMTPDataError) and error.code >= 500
            return Outcome("final" if is_final else "retry", words_said)
        except (aiosmtplib.SMTPException, OSError) as error:
            said = masked(f"{type(error).__name__}: {error}", (self._password,))
            is_in_doubt = isinstance(error, aiosmtplib.SMTPServerDisconnected | aiosmtplib.SMTPReadTimeoutError)
            return Outcome("retry", said[:_MAX_WORDS], in_doubt=is_in_doubt)

    async def _handed(self, mail: EmailMessage, to: Sequence[str]) -> Outcome:
        channel = self._channel
        in_the_open = channel.security == "none"
        address = await self._outgoing.address(channel.host, channel.port, in_the_open=in_the_open)
        # the connection goes to the address that was checked; TLS still asks for the name
        connection = await asyncio.to_thread(
            socket.create_connection, (address, channel.port), self._outgoing.timeout_s
        )
        connection.setblocking(False)
        client = aiosmtplib.SMTP(
            hostname=channel.host,
            port=None,
            sock=connection,
            use_tls=channel.security == "tls",
            start_tls=channel.security == "starttls",
            tls_context=self._outgoing.tls,
            timeout=self._outgoing.timeout_s,
            username=channel.user or None,
            password=self._password or None,
        )
        async with client:
            refused, said = await client.send_message(mail, sender=channel.sender, recipients=list(to))
        left_out = f"; refused: {', '.join(sorted(refused))}" if refused else ""
        return Outcome("sent", f"{said}{left_out}"[:_MAX_WORDS])
