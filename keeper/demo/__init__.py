"""The embedded market: a real chain in this process, a hundred accounts, a crash, and the keeper at work.

Read in this order: `paths` (what prices do), `population` (who trades what), `world` (the market on the chain), `run`
(block by block), `frames` (what a block looked like), `view` (on the terminal), `report` (as a page).
"""
