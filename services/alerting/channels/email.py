"""E-mail: plain text and HTML in one message (RFC 2046 multipart/alternative), one conversation per incident."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib
from jinja2 import Environment, PackageLoader, StrictUndefined

from schemas.alerting import EmailChannel
from schemas.incidents import Message
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


class Email:
    """One SMTP server and the people behind it."""

    kind = "email"

    def __init__(self, channel: EmailChannel, password: str, outgoing: Outgoing) -> None:
        self.name, self.per_minute = channel.name, channel.per_minute
        self._channel, self._password, self._outgoing = channel, password, outgoing

    async def send(self, message: Message) -> Outcome:
        """Hand it to the server: sent when it took it for every address, or for some of them."""
        try:
            async with asyncio.timeout(self._outgoing.timeout_s):
                return await self._handed(composed(message, self._channel))
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

    async def _handed(self, mail: EmailMessage) -> Outcome:
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
            refused, said = await client.send_message(mail, sender=channel.sender, recipients=list(channel.to))
        left_out = f"; refused: {', '.join(sorted(refused))}" if refused else ""
        return Outcome("sent", f"{said}{left_out}"[:_MAX_WORDS])
