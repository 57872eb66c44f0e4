// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// An account: owner address in the high 160 bits, sub-account number in the low 96.  Isolated = a sub-account.
type AccountId is uint256;

/// An instrument: underlying (16 bits) | expiry (32) | strike (64, 1e-8 USD) | kind (8), from bit 119 down.
/// Numeric order groups an account's positions by underlying, then expiry, then strike, perp first.
type InstrumentId is uint120;

/// A position in one storage slot: instrument (120 bits) | unused (8) | size (int128, wad contracts, signed).
type Position is uint256;

/// Which publication of the file to sum: the live one, or, while a new publication is in its notice window, the one
/// that was live before it; or what is being staged, whole or not, for looking at.
enum FileVersion {
    Live,
    Previous,
    Staged
}
