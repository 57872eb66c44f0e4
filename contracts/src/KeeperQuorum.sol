// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IKeeperQuorum} from "./interfaces/IKeeperQuorum.sol";
import {IRiskParameters} from "./interfaces/IRiskParameters.sol";

/// @title k of n keepers speak as one.  See IKeeperQuorum.
/// @dev Holds roles of RiskParameters in place of a hot key: PUBLISHER_ROLE for `publish`, EMERGENCY_ROLE for `tighten`.
contract KeeperQuorum is IKeeperQuorum, EIP712, Ownable2Step {
    bytes32 public constant TIGHTEN_TYPEHASH =
        keccak256("Tighten(uint16 underlying,uint24 peakPpm,uint256 nonce,uint64 validUntil)");
    /// The publication is signed as a whole, by the hash of its ABI encoding.
    bytes32 public constant PUBLISH_TYPEHASH =
        keccak256("Publish(uint16 underlying,uint64 id,uint64 validUntil,bytes32 inputsHash,bytes32 publication)");
    uint256 private constant MAX_KEEPERS = 32;

    IRiskParameters public immutable parameters;
    /// @inheritdoc IKeeperQuorum
    uint256 public nonce;
    /// @inheritdoc IKeeperQuorum
    uint8 public publishQuorum;
    /// @inheritdoc IKeeperQuorum
    uint8 public tightenQuorum;
    address[] private _keepers;

    constructor(
        IRiskParameters parameters_,
        address owner_,
        address[] memory keepers_,
        uint8 publishQuorum_,
        uint8 tightenQuorum_
    ) EIP712("KeeperQuorum", "1") Ownable(owner_) {
        parameters = parameters_;
        _set(keepers_, publishQuorum_, tightenQuorum_);
    }

    /// @inheritdoc IKeeperQuorum
    function setKeepers(address[] calldata keepers_, uint8 publishQuorum_, uint8 tightenQuorum_) external onlyOwner {
        _set(keepers_, publishQuorum_, tightenQuorum_);
    }

    function _set(address[] memory keepers_, uint8 publishQuorum_, uint8 tightenQuorum_) private {
        uint256 n = keepers_.length;
        if (n == 0 || n > MAX_KEEPERS) revert BadKeepers(n);
        for (uint256 i; i < n; ++i) {
            if (keepers_[i] <= (i == 0 ? address(0) : keepers_[i - 1])) revert BadKeepers(i);
        }
        if (publishQuorum_ == 0 || publishQuorum_ > n) revert BadQuorum(publishQuorum_, n);
        if (tightenQuorum_ == 0 || tightenQuorum_ > n) revert BadQuorum(tightenQuorum_, n);
        // Whoever was a keeper when a call was signed need not be one any more.
        ++nonce;
        (_keepers, publishQuorum, tightenQuorum) = (keepers_, publishQuorum_, tightenQuorum_);
        emit KeepersSet(keepers_, publishQuorum_, tightenQuorum_);
    }

    /// @inheritdoc IKeeperQuorum
    function publish(
        uint16 underlying,
        IRiskParameters.Publication calldata p,
        address[] calldata signers,
        bytes[] calldata signatures
    ) external {
        _requireQuorum(publishDigest(underlying, p), publishQuorum, signers, signatures);
        parameters.publish(underlying, p);
    }

    /// @inheritdoc IKeeperQuorum
    function tighten(
        uint16 underlying,
        uint24 peakPpm,
        uint256 nonce_,
        uint64 validUntil,
        address[] calldata signers,
        bytes[] calldata signatures
    ) external {
        if (nonce_ != nonce) revert BadNonce(nonce_, nonce);
        if (block.timestamp > validUntil) revert Expired(validUntil, block.timestamp);
        _requireQuorum(tightenDigest(underlying, peakPpm, nonce_, validUntil), tightenQuorum, signers, signatures);
        ++nonce;
        parameters.tighten(underlying, peakPpm);
    }

    /// Strictly ascending, so that nobody counts twice.
    function _requireQuorum(bytes32 digest, uint256 quorum, address[] calldata signers, bytes[] calldata signatures)
        private
        view
    {
        if (signers.length != signatures.length) revert BadKeepers(signatures.length);
        if (signers.length < quorum) revert TooFew(signers.length, quorum);
        address[] memory allowed = _keepers;
        uint256 place;
        for (uint256 i; i < signers.length; ++i) {
            // Both lists ascend, so one pass over the keepers finds them all.
            while (place < allowed.length && allowed[place] < signers[i]) ++place;
            if (place == allowed.length || allowed[place] != signers[i]) revert NotAKeeper(signers[i]);
            ++place;
            if (!SignatureChecker.isValidSignatureNow(signers[i], digest, signatures[i])) {
                revert BadSignature(signers[i]);
            }
        }
    }

    /// @inheritdoc IKeeperQuorum
    function publishDigest(uint16 underlying, IRiskParameters.Publication calldata p) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(PUBLISH_TYPEHASH, underlying, p.id, p.validUntil, p.inputsHash, keccak256(abi.encode(p)))
            )
        );
    }

    /// @inheritdoc IKeeperQuorum
    function tightenDigest(uint16 underlying, uint24 peakPpm, uint256 nonce_, uint64 validUntil)
        public
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(keccak256(abi.encode(TIGHTEN_TYPEHASH, underlying, peakPpm, nonce_, validUntil)));
    }

    /// @inheritdoc IKeeperQuorum
    function keepers() external view returns (address[] memory) {
        return _keepers;
    }
}
