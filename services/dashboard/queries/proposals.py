"""Statements about questions of who is who."""

from __future__ import annotations

# A yes moves all that an organisation or group has of its own; what has moved since is counted no more.
PROPOSALS = """
SELECT p.*, if(p.kind = 'same_account' AND p.status = 'open', moving.touchpoints, 0) AS would_move
FROM (SELECT * FROM proposals FINAL) AS p
LEFT JOIN
(
    SELECT account_id, touchpoints FROM account_journeys FINAL
    WHERE account_id IN (SELECT a FROM proposals WHERE kind = 'same_account')
) AS moving ON moving.account_id = p.a
WHERE ({status:String} = '' OR status = {status:String})
  AND (since, proposal_id) < ({before:DateTime64(3, 'UTC')}, {before_id:String})
ORDER BY since DESC, proposal_id DESC LIMIT {limit:UInt32}
"""

PROPOSAL = "SELECT * FROM proposals FINAL WHERE proposal_id = {proposal_id:String}"

OPEN_PROPOSALS = "SELECT count() AS open FROM proposals FINAL WHERE status = 'open'"
