// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {KeeperQuorum} from "../../src/KeeperQuorum.sol";
import {IKeeperQuorum} from "../../src/interfaces/IKeeperQuorum.sol";
import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {RiskFixture} from "./RiskFixture.sol";

/// @notice KQM-1 … KQM-4: what k of n signatures do, and what nothing less does.
contract KeeperQuorumTest is RiskFixture {
    KeeperQuorum internal quorum;
    uint256 private constant N = 5;
    uint8 private constant K = 3;
    /// Keys in the order of their addresses.
    uint256[] private _keys;

    function setUp() public override {
        super.setUp();
        listDays(30, 3);
        publish();
        pass(1 hours);
        address[] memory keepers = new address[](N);
        for (uint256 i; i < N; ++i) {
            _keys.push(1000 + i);
        }
        // Insertion sort by address.
        for (uint256 i = 1; i < N; ++i) {
            for (uint256 j = i; j > 0 && vm.addr(_keys[j]) < vm.addr(_keys[j - 1]); --j) {
                (_keys[j], _keys[j - 1]) = (_keys[j - 1], _keys[j]);
            }
        }
        for (uint256 i; i < N; ++i) {
            keepers[i] = vm.addr(_keys[i]);
        }
        quorum = new KeeperQuorum(parameters, address(this), keepers, K, K);
        parameters.grantRole(parameters.PUBLISHER_ROLE(), address(quorum));
        parameters.grantRole(parameters.EMERGENCY_ROLE(), address(quorum));
    }

    /// Signatures of the keepers whose bits are set, in order.
    function _signed(bytes32 digest, uint256 who) private view returns (address[] memory signers, bytes[] memory sigs) {
        uint256 n;
        for (uint256 i; i < N; ++i) {
            if (who >> i & 1 == 1) ++n;
        }
        (signers, sigs) = (new address[](n), new bytes[](n));
        n = 0;
        for (uint256 i; i < N; ++i) {
            if (who >> i & 1 == 0) continue;
            signers[n] = vm.addr(_keys[i]);
            sigs[n++] = _sign(_keys[i], digest);
        }
    }

    function _sign(uint256 key, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _count(uint256 who) private pure returns (uint256 n) {
        for (; who != 0; who >>= 1) {
            n += who & 1;
        }
    }

    /// KQM-1, KQM-2: any set of keepers calls an emergency if and only if there are enough of them.
    function testFuzz_tighten__any_set_of_keepers__lands_with_enough_of_them(uint256 who, uint24 peak) public {
        who %= 1 << N;
        peak = uint24(bound(peak, 1, 1e6));
        uint64 until = uint64(block.timestamp + 60);
        (address[] memory signers, bytes[] memory sigs) =
            _signed(quorum.tightenDigest(ETH, peak, quorum.nonce(), until), who);
        uint256 nonce = quorum.nonce();
        if (_count(who) < K) {
            vm.expectRevert(abi.encodeWithSelector(IKeeperQuorum.TooFew.selector, signers.length, K));
        }
        quorum.tighten(ETH, peak, nonce, until, signers, sigs);
        assertEq(parameters.controls(ETH).emergencyPeakPpm, _count(who) < K ? 0 : uint256(peak), "KQM-1");
    }

    /// KQM-2: a signature of something else, of another chain, contract or nonce, by a stranger, or twice, counts for
    /// nothing.
    function testFuzz_tighten__one_signature_wrong__refused(uint256 seed) public {
        uint64 until = uint64(block.timestamp + 60);
        uint256 nonce = quorum.nonce();
        bytes32 digest = quorum.tightenDigest(ETH, 500_000, nonce, until);
        (address[] memory signers, bytes[] memory sigs) = _signed(digest, 7);
        uint256 place = seed % K;
        uint256 kind = (seed >> 8) % 5;
        uint256 key = _keys[place];
        if (kind == 0) sigs[place] = _sign(key, quorum.tightenDigest(ETH, 500_001, nonce, until));
        else if (kind == 1) sigs[place] = _sign(key, quorum.tightenDigest(ETH, 500_000, nonce + 1, until));
        else if (kind == 2) sigs[place] = _sign(_keys[3], digest);
        else if (kind == 3) (signers[place], sigs[place]) = (vm.addr(77), _sign(77, digest));
        else (signers[place], sigs[place]) = (signers[(place + 1) % K], sigs[(place + 1) % K]);
        (bool ok,) = address(quorum).call(abi.encodeCall(quorum.tighten, (ETH, 500_000, nonce, until, signers, sigs)));
        assertFalse(ok, "KQM-2");
        assertEq(parameters.controls(ETH).emergencyPeakPpm, 0, "KQM-2");
    }

    /// KQM-2: signatures are bound to this chain and this contract.
    function test_tighten__other_chain_or_contract__refused() public {
        address[] memory keepers = quorum.keepers();
        KeeperQuorum other = new KeeperQuorum(parameters, address(this), keepers, K, K);
        uint64 until = uint64(block.timestamp + 60);
        uint256 nonce = quorum.nonce();
        (address[] memory signers, bytes[] memory sigs) = _signed(other.tightenDigest(ETH, 500_000, nonce, until), 7);
        vm.expectPartialRevert(IKeeperQuorum.BadSignature.selector);
        quorum.tighten(ETH, 500_000, nonce, until, signers, sigs);
        (signers, sigs) = _signed(quorum.tightenDigest(ETH, 500_000, nonce, until), 7);
        vm.chainId(9);
        vm.expectPartialRevert(IKeeperQuorum.BadSignature.selector);
        quorum.tighten(ETH, 500_000, nonce, until, signers, sigs);
    }

    /// KQM-3: expired or replayed never lands, whenever it is tried; a new set of keepers voids what the old one signed.
    function testFuzz_tighten__expired_or_replayed__never_lands(uint256 wait, uint256 again) public {
        wait = bound(wait, 0, 2 hours);
        again = bound(again, 1 days, 30 days);
        uint64 until = uint64(block.timestamp + 1 hours);
        uint256 nonce = quorum.nonce();
        (address[] memory signers, bytes[] memory sigs) = _signed(quorum.tightenDigest(ETH, 100_000, nonce, until), 7);
        skipTime(wait);
        bytes memory data = abi.encodeCall(quorum.tighten, (ETH, 100_000, nonce, until, signers, sigs));
        (bool ok,) = address(quorum).call(data);
        assertEq(ok, wait <= 1 hours, "KQM-3 expired");
        skipTime(again);
        (ok,) = address(quorum).call(data);
        assertFalse(ok, "KQM-3 replayed");
    }

    /// KQM-3: naming keepers again voids what waits, even if they are the same.
    function test_setKeepers__waiting_signatures__void() public {
        uint64 until = uint64(block.timestamp + 1 hours);
        uint256 nonce = quorum.nonce();
        (address[] memory signers, bytes[] memory sigs) = _signed(quorum.tightenDigest(ETH, 100_000, nonce, until), 7);
        quorum.setKeepers(quorum.keepers(), K, K);
        vm.expectRevert(abi.encodeWithSelector(IKeeperQuorum.BadNonce.selector, nonce, nonce + 1));
        quorum.tighten(ETH, 100_000, nonce, until, signers, sigs);
    }

    /// KQM-4: a publication by k keepers is one like any other, and lands once.
    function test_publish__quorum__lands_once_within_the_fences() public {
        IRiskParameters.Publication memory p = aPublication();
        p.psrPpm = 155_000;
        p.validUntil = uint64(block.timestamp + 1 days);
        (address[] memory signers, bytes[] memory sigs) = _signed(quorum.publishDigest(ETH, p), 0x15);
        IRiskParameters.Publication memory altered = p;
        altered.psrPpm = 156_000;
        vm.expectPartialRevert(IKeeperQuorum.BadSignature.selector);
        quorum.publish(ETH, altered, signers, sigs);
        p.psrPpm = 155_000;
        vm.prank(address(123)); // anyone may carry it
        quorum.publish(ETH, p, signers, sigs);
        assertEq(inForce(0, "psr"), 155_000, "KQM-4");
        pass(1 hours);
        vm.expectPartialRevert(IRiskParameters.IdNotIncreasing.selector);
        quorum.publish(ETH, p, signers, sigs);
    }

    /// ROLE-2: governance alone names keepers; lists and quorums are sound.
    function test_setKeepers__owner_alone__sound() public {
        address[] memory keepers = quorum.keepers();
        vm.prank(keepers[0]);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, keepers[0]));
        quorum.setKeepers(keepers, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IKeeperQuorum.BadQuorum.selector, 0, N));
        quorum.setKeepers(keepers, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(IKeeperQuorum.BadQuorum.selector, 6, N));
        quorum.setKeepers(keepers, 1, 6);
        (keepers[0], keepers[1]) = (keepers[1], keepers[0]);
        vm.expectRevert(abi.encodeWithSelector(IKeeperQuorum.BadKeepers.selector, 1));
        quorum.setKeepers(keepers, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IKeeperQuorum.BadKeepers.selector, 0));
        quorum.setKeepers(new address[](0), 1, 1);
    }
}
