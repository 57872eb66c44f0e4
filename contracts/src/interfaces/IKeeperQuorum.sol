// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "./IRiskParameters.sol";

/// @title k of n keepers speak as one: any k signatures make a publication, or call an emergency.
/// @notice EIP-712, domain "KeeperQuorum" version "2", this chain, this contract.  Keepers are keys, or wallets that answer
/// ERC-1271.  Anyone may carry signatures here.  A signature serves once: everything signed carries the nonce of its lane
/// and runs out.  Naming keepers or quorums again voids every signature there is.
interface IKeeperQuorum {
    error BadKeepers(uint256 index);
    error BadQuorum(uint256 quorum, uint256 keepers);
    error BadNonce(uint256 given, uint256 next);
    error Expired(uint64 validUntil, uint256 nowS);
    error TooFew(uint256 signatures, uint256 quorum);
    error NotAKeeper(address signer);
    error BadSignature(address signer);

    event KeepersSet(address[] keepers, uint8 publishQuorum, uint8 tightenQuorum);

    /// What is signed counts in one of these, per underlying, so that an emergency waits for no publication's nonce.
    enum Lane {
        Publish, // publish, stage, stageExpiries, flip
        AddOn,
        Funding,
        Tighten
    }

    /// What k keepers signed beside the call itself, and their signatures.
    struct Mandate {
        uint256 nonce; // of the lane
        uint64 validUntil; // last second at which it is carried out, unix seconds
        address[] signers; // strictly ascending
        bytes[] signatures; // of the call's digest, in the order of the signers
    }

    /// Governance: who the keepers are, strictly ascending, and how many of them it takes.
    function setKeepers(address[] calldata keepers_, uint8 publishQuorum_, uint8 tightenQuorum_) external;

    // Each the function of the same name in the name of the quorum; its fences hold as for anybody else.
    // What PUBLISHER_ROLE may do takes `publishQuorum`.

    function publish(uint16 underlying, IRiskParameters.Publication calldata p, Mandate calldata m) external;
    function stage(uint16 underlying, IRiskParameters.Publication calldata p, Mandate calldata m) external;
    function stageExpiries(uint16 underlying, IRiskParameters.ExpiryPublication[] calldata expiries, Mandate calldata m)
        external;
    function flip(uint16 underlying, Mandate calldata m) external;
    function setStateAddOn(uint16 underlying, uint24 addOnPpm, uint40 addOnUntil, Mandate calldata m) external;
    /// @param house the ClearingHouse of that name; it is signed too.
    function setFundingRate(address house, uint16 underlying, int32 ratePpmPerDay, Mandate calldata m) external;
    /// Takes `tightenQuorum`.
    function tighten(uint16 underlying, uint24 peakPpm, Mandate calldata m) external;

    // What is signed.

    function publishDigest(uint16 underlying, IRiskParameters.Publication calldata p, uint256 nonce_, uint64 validUntil)
        external
        view
        returns (bytes32);
    function stageDigest(uint16 underlying, IRiskParameters.Publication calldata p, uint256 nonce_, uint64 validUntil)
        external
        view
        returns (bytes32);
    function stageExpiriesDigest(
        uint16 underlying,
        IRiskParameters.ExpiryPublication[] calldata expiries,
        uint256 nonce_,
        uint64 validUntil
    ) external view returns (bytes32);
    function flipDigest(uint16 underlying, uint256 nonce_, uint64 validUntil) external view returns (bytes32);
    function stateAddOnDigest(uint16 underlying, uint24 addOnPpm, uint40 addOnUntil, uint256 nonce_, uint64 validUntil)
        external
        view
        returns (bytes32);
    function fundingDigest(address house, uint16 underlying, int32 ratePpmPerDay, uint256 nonce_, uint64 validUntil)
        external
        view
        returns (bytes32);
    function tightenDigest(uint16 underlying, uint24 peakPpm, uint256 nonce_, uint64 validUntil)
        external
        view
        returns (bytes32);

    /// Of the next call in a lane: how often keepers were named in the bits from 64 on, calls of the lane below.
    function nonce(Lane lane, uint16 underlying) external view returns (uint256);
    function publishQuorum() external view returns (uint8);
    function tightenQuorum() external view returns (uint8);
    function keepers() external view returns (address[] memory);
}
