"""IAM that decides: every request has a principal, and is let through where that principal's policies say so.

The parts, from the request inward: `guard` stands at the door; `request` reads which operation is asked for; `needs`
says which IAM actions on which resources that takes; `principals` finds who asks; `policy` and `conditions` decide;
`calls` keeps what every role did. Roles and policies themselves are moto's records.
"""
