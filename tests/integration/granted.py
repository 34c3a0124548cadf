"""ClickHouse with the users of the cluster profile: `python -m tests.integration.granted DIR internal|reader GRANT`.

chdb knows one user, `default`: here it is made one of ours, with that user's profile, constraints and grants. Reads
statements as JSON lines from stdin and answers each with a JSON line: {"ok": rows} or {"error": text}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

SERVER = Path(__file__).parents[2] / "infra" / "clickhouse" / "server"
CONFIG = """<clickhouse><users_config>{folder}/users.xml</users_config>
<backups><allowed_path>{folder}/backups/</allowed_path></backups></clickhouse>"""


def as_default(name: str, without: str = "") -> str:
    """users.xml with the user `name` as chdb's only user; `internal`, who owns the views, stays beside it.

    `without`: a grant that is taken away.
    """
    root = ElementTree.parse(SERVER / "users.xml").getroot()
    users, profiles = root.find("users"), root.find("profiles")
    assert users is not None
    assert profiles is not None
    ElementTree.SubElement(profiles, "default")
    for user in list(users):
        if user.tag == "default" or user.tag not in (name, "internal"):
            users.remove(user)
        else:
            ElementTree.SubElement(user, "password")
    found = users.find(name)
    assert found is not None
    user = ElementTree.fromstring(ElementTree.tostring(found))
    user.tag = "default"
    users.append(user)
    grants = user.find("grants")
    assert grants is not None
    for query in [query for query in grants if query.text == without]:
        grants.remove(query)
    if name == "internal":  # so that it may make views as a server's `internal` does: as itself
        ElementTree.SubElement(grants, "query").text = "GRANT SET DEFINER ON internal"
    # needs a server's `settings_constraints_replace_previous`, which chdb does not read
    return ElementTree.tostring(root, encoding="unicode").replace("<changeable_in_readonly />", "")


def main(folder: Path, name: str, without: str) -> None:
    """Until stdin ends."""
    (folder / "users.xml").write_text(as_default(name, without))
    (folder / "config.xml").write_text(CONFIG.format(folder=folder))
    from chdb.state.sqlitelike import connect

    with connect(f"{folder / 'engine'}?config-file={folder / 'config.xml'}") as connection:
        for line in sys.stdin:
            try:
                got = connection.query(json.loads(line), "TabSeparatedRaw")
                answer = {"ok": bytes(got.bytes() or b"").decode()}
            except Exception as error:  # ClickHouse's own words are the answer
                answer = {"error": str(error)}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
