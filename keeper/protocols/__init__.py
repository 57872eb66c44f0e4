"""One folder per protocol the keeper serves: log → state, state → Snapshot, Action → calldata."""
