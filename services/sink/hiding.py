"""How the views of analysts hide people from whoever may see none: what their files write for it, filled in. Pure."""

from __future__ import annotations

import re
from typing import Final

#: Whoever may see no people says so in a setting that a reader cannot change: `viewer:` and more, in `log_comment`.
VIEWER: Final = "viewer:"
#: In a view's WITH: whether to hide people, and the key of their pseudonyms.
_ASKER: Final = (
    f"startsWith(getSetting('log_comment'), '{VIEWER}') AS hides,"
    " (SELECT [argMin(n.k0, n.made_at), argMin(n.k1, n.made_at)] FROM {database}.pseudonyms AS n) AS random_key"
)
_HIDDEN: Final = re.compile(r"\{(id|person|subject|words):([^{}]+)\}")
_HASH: Final = "lower(hex(sipHash64Keyed((random_key[1], random_key[2]), {0})))"
#: Kinds of subjects that are no people.
_THINGS: Final = "account|company|deal|organization|ticket"
_MASKS: Final = {
    "id": f"if(hides AND {{0}} != '', {_HASH}, {{0}})",
    "person": f"if(hides AND {{0}} != '', concat('person:', {_HASH}), {{0}})",
    "subject": f"if(hides AND {{0}} != '' AND NOT match({{0}}, '^({_THINGS}):'), {_HASH}, {{0}})",
    "words": "if(hides AND {0} != '', '•••', {0})",
}
"""What stands in a view as `{person:t.person_id}`: the value, and for who may see no people something else."""


def with_masks(text: str) -> str:
    """The text of a view with its masks filled in; the names of databases are left to others."""
    return _HIDDEN.sub(lambda found: _MASKS[found[1]].format(found[2]), text.replace("{asker}", _ASKER))
