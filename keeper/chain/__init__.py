"""The chain edge: web3 lives here.  Reads are pinned to a block, sends go through the outbox, errors are translated."""
