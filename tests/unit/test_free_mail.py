"""Domains that say nothing about a company, whoever claims them; and those that do."""

from __future__ import annotations

import pytest

from streams.identity.domains import claimed_hosts, claimed_public, company_host, public_domain

NOBODYS = {
    "country variants": "outlook.pt outlook.com.br yahoo.co.id yahoo.ie hotmail.gr live.nl gmx.fr aol.nl yandex.kz",
    "Dutch providers": "ziggo.nl kpnmail.nl kpnplanet.nl wxs.nl caiway.nl freedom.nl zeelandnet.nl dds.nl kabelfoon.nl",
    "Belgian": "telenet.be skynet.be proximus.be scarlet.be belgacom.net voo.be",
    "French": "wanadoo.fr sfr.fr neuf.fr bbox.fr club-internet.fr numericable.fr",
    "German": "t-online.de online.de mailbox.org arcor.de netcologne.de kabelmail.de",
    "Italian, Spanish, Portuguese": "tin.it fastwebnet.it poste.it movistar.es ono.com ya.com clix.pt netcabo.pt",
    "British, Irish": "btopenworld.com plusnet.com virgin.net eir.ie",
    "Nordic": "telia.com bredband.net online.no broadpark.no stofanet.dk mail.dk welho.com",
    "eastern": "volny.cz azet.sk zoznam.sk tlen.pl otenet.gr forthnet.gr upcmail.hu",
    "American": "centurylink.net sympatico.ca nb.sympatico.ca globo.com rr.com videotron.qc.ca",
    "Asian": "daum.net nate.com docomo.ne.jp i.softbank.jp nifty.com bezeqint.net walla.co.il xtra.co.nz",
    "for anybody": "tuta.com tutamail.com hey.com riseup.net startmail.com zohomail.eu proton.me",
    "passed on": "mozmail.com relay.firefox.com simplelogin.com duck.com privaterelay.appleid.com passmail.net",
    "thrown away": "mailinator.com yopmail.nl tempmail.com guerrillamail.org",
    "no address": "company.com domain.com none.com noemail.com yourcompany.com onbekend.nl",
    "slips": "gmial.com hotmial.com outlok.com gmail.con gmail.nl",
}
COMPANIES = (
    "acme.com philips.com asml.com shell.nl kpn.com orange.com telenet.com microsoft.com apple.com google.com "
    "postnl.nl ing.nl amazon.com linkedin.com bt.com telekom.de swisscom.ch att.com tudelft.nl amsterdam.nl "
    "cam.ac.uk harvard.edu yahooinc.com outlookbusiness.nl gmaildesign.example livegroup.nl acme.wordpress.com"
)


@pytest.mark.parametrize("kind", NOBODYS)
def test_where_anyone_has_a_mailbox_nobody_is_a_colleague(kind: str) -> None:
    domains = NOBODYS[kind].split()
    assert [one for one in domains if company_host(f"ann@{one}")] == []
    assert [one for one in domains if claimed_hosts(one) or claimed_hosts(f"https://www.{one}/mail")] == []


def test_an_organisation_that_claims_one_claims_strangers() -> None:
    assert claimed_public("kpnplanet.nl, acme.nl outlook.pt") == ["kpnplanet.nl", "outlook.pt"]
    assert public_domain("https://mail.yahoo.co.id") == "yahoo.co.id"


def test_companies_are_companies() -> None:
    assert [one for one in COMPANIES.split() if company_host(one) != one or claimed_hosts(one) != [one]] == []


@pytest.mark.parametrize(
    "page",
    [
        "https://www.linkedin.com/company/acme",
        "linkedin.com/in/ann",
        "https://nl-nl.facebook.com/acme",
        "http://instagram.com/acme/",
        "https://sites.google.com/view/acme",
        "https://www.youtube.com/@acme",
        "x.com/acme",
    ],
)
def test_a_page_on_a_platform_is_no_domain_of_its_company(page: str) -> None:
    assert claimed_hosts(page) == [] and claimed_hosts(f"{page} https://acme.nl/") == ["acme.nl"]


def test_the_platform_itself_is_a_company() -> None:
    assert claimed_hosts("https://www.linkedin.com/") == ["linkedin.com"] == claimed_hosts("linkedin.com")
