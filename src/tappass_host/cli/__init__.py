"""The command `tappass`: write, sign, render, explain and prove policies.

    main      entry point
    tree      groups and verbs, imported only when they run
    verbs     the table of all verbs
    output    tables, colour, progress, JSON
    errors    what a refusal looks like, and the exit codes
    files     reading with a limit, writing whole or not at all
    home      keys and trust roots of the person at the keyboard

One module for each verb, or for a few that share all they do.
"""
