// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {AccountId} from "../interfaces/Types.sol";
import {House, WAD} from "./HouseState.sol";

/// @title What an order says, and whether its owner said it.
library OrderLib {
    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant ORDER_TYPEHASH = keccak256(
        "Order(uint256 account,uint120 instrument,bool isBuy,uint128 amount,uint128 limitPrice,uint128 maxFee,uint64 nonce,uint64 expiry,address submitter)"
    );
    bytes32 internal constant NAME_HASH = keccak256("ClearingHouse");
    bytes32 internal constant VERSION_HASH = keccak256("1");

    function ownerOf(AccountId id) internal pure returns (address) {
        return address(uint160(AccountId.unwrap(id) >> 96));
    }

    /// Of the house itself: these functions run in its context.
    function domainSeparator() internal view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, block.chainid, address(this)));
    }

    function hash(IClearingHouse.Order calldata o) internal view returns (bytes32) {
        bytes32 inner = keccak256(
            abi.encode(
                ORDER_TYPEHASH,
                o.account,
                o.instrument,
                o.isBuy,
                o.amount,
                o.limitPrice,
                o.maxFee,
                o.nonce,
                o.expiry,
                o.submitter
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domainSeparator(), inner));
    }

    /// Revert unless `o` allows this fill, and book it.
    /// @param caller who submits.
    /// @param fee what this side pays, wad USD.
    function consume(
        House storage h,
        IClearingHouse.Order calldata o,
        bytes calldata signature,
        uint128 amount,
        uint128 price,
        uint256 fee,
        address caller
    ) internal returns (bytes32 orderHash) {
        address owner = ownerOf(o.account);
        if (o.isBuy ? price > o.limitPrice : price < o.limitPrice) {
            revert IClearingHouse.PriceBeyondLimit(price, o.limitPrice);
        }
        if (block.timestamp > o.expiry) revert IClearingHouse.OrderExpired(o.expiry, block.timestamp);
        if (o.nonce < h.minNonce[owner]) revert IClearingHouse.OrderCancelled(o.nonce, h.minNonce[owner]);
        if (o.submitter != address(0) && o.submitter != caller) {
            revert IClearingHouse.WrongSubmitter(caller, o.submitter);
        }
        uint256 maxFee = Math.mulDiv(o.maxFee, amount, WAD, Math.Rounding.Ceil);
        if (fee > maxFee) revert IClearingHouse.FeeAboveMaximum(fee, maxFee);
        orderHash = hash(o);
        uint256 filled = uint256(h.filled[orderHash]) + amount;
        if (filled > o.amount) revert IClearingHouse.OrderOverfilled(filled, o.amount);
        h.filled[orderHash] = uint128(filled);
        emit IClearingHouse.OrderFilled(orderHash, filled);
        if (!SignatureChecker.isValidSignatureNowCalldata(owner, orderHash, signature)) {
            revert IClearingHouse.BadSignature(owner, orderHash);
        }
    }
}
