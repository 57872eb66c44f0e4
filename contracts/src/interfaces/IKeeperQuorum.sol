// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "./IRiskParameters.sol";

/// @title k of n keepers speak as one: any k signatures make a publication, or call an emergency.
/// @notice EIP-712, domain "KeeperQuorum" version "1", this chain, this contract.  Keepers are keys, or wallets that answer
/// ERC-1271.  Anyone may carry signatures here.  A signature serves once: a publication's id only rises, a tightening
/// uses up a nonce, and both run out at their `validUntil`.  Naming other keepers voids every tightening not yet made.
interface IKeeperQuorum {
    error BadKeepers(uint256 index);
    error BadQuorum(uint256 quorum, uint256 keepers);
    error BadNonce(uint256 given, uint256 next);
    error Expired(uint64 validUntil, uint256 nowS);
    error TooFew(uint256 signatures, uint256 quorum);
    error NotAKeeper(address signer);
    error BadSignature(address signer);

    event KeepersSet(address[] keepers, uint8 publishQuorum, uint8 tightenQuorum);

    /// Governance: who the keepers are, strictly ascending, and how many of them it takes.
    function setKeepers(address[] calldata keepers_, uint8 publishQuorum_, uint8 tightenQuorum_) external;

    /// `RiskParameters.publish` in the name of the quorum; its fences hold as for any publisher.
    /// @param signers strictly ascending.
    /// @param signatures of `publishDigest`, in the order of the signers.
    function publish(
        uint16 underlying,
        IRiskParameters.Publication calldata p,
        address[] calldata signers,
        bytes[] calldata signatures
    ) external;

    /// `RiskParameters.tighten` in the name of the quorum.
    function tighten(
        uint16 underlying,
        uint24 peakPpm,
        uint256 nonce_,
        uint64 validUntil,
        address[] calldata signers,
        bytes[] calldata signatures
    ) external;

    /// What is signed.
    function publishDigest(uint16 underlying, IRiskParameters.Publication calldata p) external view returns (bytes32);
    function tightenDigest(uint16 underlying, uint24 peakPpm, uint256 nonce_, uint64 validUntil)
        external
        view
        returns (bytes32);

    /// Of the next tightening.
    function nonce() external view returns (uint256);
    function publishQuorum() external view returns (uint8);
    function tightenQuorum() external view returns (uint8);
    function keepers() external view returns (address[] memory);
}
