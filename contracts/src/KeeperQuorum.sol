// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IClearingHouse} from "./interfaces/IClearingHouse.sol";
import {IKeeperQuorum} from "./interfaces/IKeeperQuorum.sol";
import {IRiskParameters} from "./interfaces/IRiskParameters.sol";

/// @title k of n keepers speak as one.  See IKeeperQuorum.
/// @dev Holds roles of RiskParameters in place of a hot key: PUBLISHER_ROLE, EMERGENCY_ROLE for `tighten`.
contract KeeperQuorum is IKeeperQuorum, EIP712, Ownable2Step {
    // A publication is signed as a whole, by the hash of its ABI encoding; what a person compares stands beside it.
    bytes32 public constant PUBLISH_TYPEHASH = keccak256(
        "Publish(uint16 underlying,uint64 id,bytes32 inputsHash,bytes32 publication,uint256 nonce,uint64 validUntil)"
    );
    bytes32 public constant STAGE_TYPEHASH = keccak256(
        "Stage(uint16 underlying,uint64 id,bytes32 inputsHash,bytes32 publication,uint256 nonce,uint64 validUntil)"
    );
    bytes32 public constant STAGE_EXPIRIES_TYPEHASH =
        keccak256("StageExpiries(uint16 underlying,bytes32 expiries,uint256 nonce,uint64 validUntil)");
    bytes32 public constant FLIP_TYPEHASH = keccak256("Flip(uint16 underlying,uint256 nonce,uint64 validUntil)");
    bytes32 public constant STATE_ADD_ON_TYPEHASH =
        keccak256("StateAddOn(uint16 underlying,uint24 addOnPpm,uint40 addOnUntil,uint256 nonce,uint64 validUntil)");
    bytes32 public constant FUNDING_TYPEHASH =
        keccak256("Funding(address house,uint16 underlying,int32 ratePpmPerDay,uint256 nonce,uint64 validUntil)");
    bytes32 public constant TIGHTEN_TYPEHASH =
        keccak256("Tighten(uint16 underlying,uint24 peakPpm,uint256 nonce,uint64 validUntil)");
    uint256 private constant MAX_KEEPERS = 32;

    IRiskParameters public immutable parameters;
    /// @inheritdoc IKeeperQuorum
    uint8 public publishQuorum;
    /// @inheritdoc IKeeperQuorum
    uint8 public tightenQuorum;
    /// How often keepers were named.
    uint64 private _named;
    address[] private _keepers;
    mapping(Lane => mapping(uint16 underlying => uint64)) private _calls;

    constructor(
        IRiskParameters parameters_,
        address owner_,
        address[] memory keepers_,
        uint8 publishQuorum_,
        uint8 tightenQuorum_
    ) EIP712("KeeperQuorum", "2") Ownable(owner_) {
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
        // Whoever was a keeper when a call was signed need not be one any more, and two signatures that were too few
        // yesterday must not become enough: every nonce of every lane moves.
        ++_named;
        (_keepers, publishQuorum, tightenQuorum) = (keepers_, publishQuorum_, tightenQuorum_);
        emit KeepersSet(keepers_, publishQuorum_, tightenQuorum_);
    }

    // --- in the name of the quorum ------------------------------------------------------------------------------------

    /// @inheritdoc IKeeperQuorum
    function publish(uint16 underlying, IRiskParameters.Publication calldata p, Mandate calldata m) external {
        _use(Lane.Publish, underlying, publishDigest(underlying, p, m.nonce, m.validUntil), publishQuorum, m);
        parameters.publish(underlying, p);
    }

    /// @inheritdoc IKeeperQuorum
    function stage(uint16 underlying, IRiskParameters.Publication calldata p, Mandate calldata m) external {
        _use(Lane.Publish, underlying, stageDigest(underlying, p, m.nonce, m.validUntil), publishQuorum, m);
        parameters.stage(underlying, p);
    }

    /// @inheritdoc IKeeperQuorum
    function stageExpiries(uint16 underlying, IRiskParameters.ExpiryPublication[] calldata expiries, Mandate calldata m)
        external
    {
        bytes32 digest = stageExpiriesDigest(underlying, expiries, m.nonce, m.validUntil);
        _use(Lane.Publish, underlying, digest, publishQuorum, m);
        parameters.stageExpiries(underlying, expiries);
    }

    /// @inheritdoc IKeeperQuorum
    function flip(uint16 underlying, Mandate calldata m) external {
        _use(Lane.Publish, underlying, flipDigest(underlying, m.nonce, m.validUntil), publishQuorum, m);
        parameters.flip(underlying);
    }

    /// @inheritdoc IKeeperQuorum
    function setStateAddOn(uint16 underlying, uint24 addOnPpm, uint40 addOnUntil, Mandate calldata m) external {
        bytes32 digest = stateAddOnDigest(underlying, addOnPpm, addOnUntil, m.nonce, m.validUntil);
        _use(Lane.AddOn, underlying, digest, publishQuorum, m);
        parameters.setStateAddOn(underlying, addOnPpm, addOnUntil);
    }

    /// @inheritdoc IKeeperQuorum
    function setFundingRate(address house, uint16 underlying, int32 ratePpmPerDay, Mandate calldata m) external {
        bytes32 digest = fundingDigest(house, underlying, ratePpmPerDay, m.nonce, m.validUntil);
        _use(Lane.Funding, underlying, digest, publishQuorum, m);
        IClearingHouse(house).setFundingRate(underlying, ratePpmPerDay);
    }

    /// @inheritdoc IKeeperQuorum
    function tighten(uint16 underlying, uint24 peakPpm, Mandate calldata m) external {
        bytes32 digest = tightenDigest(underlying, peakPpm, m.nonce, m.validUntil);
        _use(Lane.Tighten, underlying, digest, tightenQuorum, m);
        parameters.tighten(underlying, peakPpm);
    }

    /// Take a mandate: whatever it is for happens after this, once.
    function _use(Lane lane, uint16 underlying, bytes32 digest, uint256 quorum, Mandate calldata m) private {
        uint256 next = nonce(lane, underlying);
        if (m.nonce != next) revert BadNonce(m.nonce, next);
        if (block.timestamp > m.validUntil) revert Expired(m.validUntil, block.timestamp);
        _requireQuorum(digest, quorum, m.signers, m.signatures);
        ++_calls[lane][underlying];
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

    // --- what is signed -----------------------------------------------------------------------------------------------

    /// @inheritdoc IKeeperQuorum
    function publishDigest(uint16 underlying, IRiskParameters.Publication calldata p, uint256 nonce_, uint64 validUntil)
        public
        view
        returns (bytes32)
    {
        return _publication(PUBLISH_TYPEHASH, underlying, p, nonce_, validUntil);
    }

    /// @inheritdoc IKeeperQuorum
    function stageDigest(uint16 underlying, IRiskParameters.Publication calldata p, uint256 nonce_, uint64 validUntil)
        public
        view
        returns (bytes32)
    {
        return _publication(STAGE_TYPEHASH, underlying, p, nonce_, validUntil);
    }

    function _publication(
        bytes32 kind,
        uint16 underlying,
        IRiskParameters.Publication calldata p,
        uint256 nonce_,
        uint64 validUntil
    ) private view returns (bytes32) {
        bytes32 whole = keccak256(abi.encode(p));
        return _typed(abi.encode(kind, underlying, p.id, p.inputsHash, whole, nonce_, validUntil));
    }

    /// @inheritdoc IKeeperQuorum
    function stageExpiriesDigest(
        uint16 underlying,
        IRiskParameters.ExpiryPublication[] calldata expiries,
        uint256 nonce_,
        uint64 validUntil
    ) public view returns (bytes32) {
        bytes32 whole = keccak256(abi.encode(expiries));
        return _typed(abi.encode(STAGE_EXPIRIES_TYPEHASH, underlying, whole, nonce_, validUntil));
    }

    /// @inheritdoc IKeeperQuorum
    function flipDigest(uint16 underlying, uint256 nonce_, uint64 validUntil) public view returns (bytes32) {
        return _typed(abi.encode(FLIP_TYPEHASH, underlying, nonce_, validUntil));
    }

    /// @inheritdoc IKeeperQuorum
    function stateAddOnDigest(uint16 underlying, uint24 addOnPpm, uint40 addOnUntil, uint256 nonce_, uint64 validUntil)
        public
        view
        returns (bytes32)
    {
        return _typed(abi.encode(STATE_ADD_ON_TYPEHASH, underlying, addOnPpm, addOnUntil, nonce_, validUntil));
    }

    /// @inheritdoc IKeeperQuorum
    function fundingDigest(address house, uint16 underlying, int32 ratePpmPerDay, uint256 nonce_, uint64 validUntil)
        public
        view
        returns (bytes32)
    {
        return _typed(abi.encode(FUNDING_TYPEHASH, house, underlying, ratePpmPerDay, nonce_, validUntil));
    }

    /// @inheritdoc IKeeperQuorum
    function tightenDigest(uint16 underlying, uint24 peakPpm, uint256 nonce_, uint64 validUntil)
        public
        view
        returns (bytes32)
    {
        return _typed(abi.encode(TIGHTEN_TYPEHASH, underlying, peakPpm, nonce_, validUntil));
    }

    function _typed(bytes memory struct_) private view returns (bytes32) {
        return _hashTypedDataV4(keccak256(struct_));
    }

    // --- views --------------------------------------------------------------------------------------------------------

    /// @inheritdoc IKeeperQuorum
    function nonce(Lane lane, uint16 underlying) public view returns (uint256) {
        return uint256(_named) << 64 | _calls[lane][underlying];
    }

    /// @inheritdoc IKeeperQuorum
    function keepers() external view returns (address[] memory) {
        return _keepers;
    }
}
