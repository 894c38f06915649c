"""Who said it, is it still true, and may it apply here: the trust rules, without I/O or clock.

    keys       Ed25519 keys that are worth trusting
    dsse       the envelope: exact bytes, one payload type per role
    signed     signatures counted by distinct keys, judged now
    root       which keys an organisation trusts for what, and how that changes
    head       the fields of a policy that trust depends on
    audience   whom a policy is for, and who this host is
    ceiling    the most that the root lets any policy key say
    window     when a policy applies
    floor      what may never come back
    verify     all of it in order
    freshness  proof that nothing newer was held back

Import from the modules: this package imports nothing by itself, because `cryptography`
takes longer to load than most commands take to run.
"""
