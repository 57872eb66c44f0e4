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
    evidence    how old and new numbers would have done over what was recorded, and of which nothing was
    forum       the same for people, in Markdown
    check       a proposal that is under way: may it still be executed as it was meant
    drift       what is not as it was when it was made
    recalibration  changes from targets: what fences do not admit, or not in time (pace)

Nothing here holds a key or sends anything.
"""
