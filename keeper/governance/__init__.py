"""Proposals: what the keeper may not decide alone, prepared so that those who decide can check every byte.

    changes     CHANGES.toml, or the targets of a recalibration that the fences do not admit
    kinds       which key of it is which function of which contract, one row a kind
    items       each wanted change against the chain at one block: calls, and old → new with units
    apart       the same of what is no setter: roles, freezing, any other call
    listing     the same of what is new: feeds, collateral, underlyings, expiries, strikes
    governor    ids and calldata of OpenZeppelin's Governor
    timelock    ids and calldata of OpenZeppelin's TimelockController
    safe        the Safe's hashes, and the file its transaction builder reads
    route       which of these the proposal goes through
    steps       its transactions in order, and its ids
    simulate    the whole way on a local fork (election, walking), and whether the state afterwards is the one that was
                wanted (aftermath)
    impact      who is margined how, before and after
    evidence    how old and new bounds would have done in recorded prices
    forum       the same for people, in Markdown
    check       a proposal that is under way, against today's state

Nothing here holds a key or sends anything.
"""
