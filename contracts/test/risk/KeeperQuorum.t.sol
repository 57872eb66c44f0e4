// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {KeeperQuorum} from "../../src/KeeperQuorum.sol";
import {IKeeperQuorum} from "../../src/interfaces/IKeeperQuorum.sol";
import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {RiskFixture} from "./RiskFixture.sol";

/// @notice A market that only remembers the funding rate it was told, and by whom.
contract FundingMarket {
    address public by;
    int32 public ratePpmPerDay;

    function setFundingRate(uint16, int32 rate) external {
        (by, ratePpmPerDay) = (msg.sender, rate);
    }
}

/// @notice KQM-1 … KQM-6: what k of n signatures do, and what nothing less does.
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

    function _mandate(bytes32 digest, uint256 nonce, uint64 until, uint256 who)
        private
        view
        returns (IKeeperQuorum.Mandate memory m)
    {
        (m.nonce, m.validUntil) = (nonce, until);
        (m.signers, m.signatures) = _signed(digest, who);
    }

    function _soon() private view returns (uint64) {
        return uint64(block.timestamp + 1 hours);
    }

    function _next(IKeeperQuorum.Lane lane) private view returns (uint256) {
        return quorum.nonce(lane, ETH);
    }

    /// Signed by the first three keepers unless others are named.
    function _tightening(uint24 peak, uint256 who) private view returns (IKeeperQuorum.Mandate memory) {
        uint256 nonce = _next(IKeeperQuorum.Lane.Tighten);
        return _mandate(quorum.tightenDigest(ETH, peak, nonce, _soon()), nonce, _soon(), who);
    }

    function _publishing(IRiskParameters.Publication memory p, uint256 who)
        private
        view
        returns (IKeeperQuorum.Mandate memory)
    {
        uint256 nonce = _next(IKeeperQuorum.Lane.Publish);
        return _mandate(quorum.publishDigest(ETH, p, nonce, p.validUntil), nonce, p.validUntil, who);
    }

    function _staging(IRiskParameters.Publication memory p) private view returns (IKeeperQuorum.Mandate memory) {
        uint256 nonce = _next(IKeeperQuorum.Lane.Publish);
        return _mandate(quorum.stageDigest(ETH, p, nonce, p.validUntil), nonce, p.validUntil, 7);
    }

    function _addingOn(uint24 ppm, uint40 until) private view returns (IKeeperQuorum.Mandate memory) {
        uint256 nonce = _next(IKeeperQuorum.Lane.AddOn);
        return _mandate(quorum.stateAddOnDigest(ETH, ppm, until, nonce, _soon()), nonce, _soon(), 7);
    }

    /// A publication that waits for a day.
    function _patient(uint24 psr) private returns (IRiskParameters.Publication memory p) {
        p = aPublication();
        (p.psrPpm, p.validUntil) = (psr, uint64(block.timestamp + 1 days));
    }

    /// KQM-1, KQM-2: any set of keepers calls an emergency if and only if there are enough of them.
    function testFuzz_tighten__any_set_of_keepers__lands_with_enough_of_them(uint256 who, uint24 peak) public {
        who %= 1 << N;
        peak = uint24(bound(peak, 1, 1e6));
        IKeeperQuorum.Mandate memory m = _tightening(peak, who);
        if (_count(who) < K) {
            vm.expectRevert(abi.encodeWithSelector(IKeeperQuorum.TooFew.selector, m.signers.length, K));
        }
        quorum.tighten(ETH, peak, m);
        assertEq(parameters.controls(ETH).emergencyPeakPpm, _count(who) < K ? 0 : uint256(peak), "KQM-1");
    }

    /// KQM-2: a signature of something else, of another chain, contract or nonce, by a stranger, or twice, counts for
    /// nothing.
    function testFuzz_tighten__one_signature_wrong__refused(uint256 seed) public {
        uint256 nonce = _next(IKeeperQuorum.Lane.Tighten);
        bytes32 digest = quorum.tightenDigest(ETH, 500_000, nonce, _soon());
        IKeeperQuorum.Mandate memory m = _mandate(digest, nonce, _soon(), 7);
        uint256 place = seed % K;
        uint256 kind = (seed >> 8) % 6;
        uint256 key = _keys[place];
        if (kind == 0) m.signatures[place] = _sign(key, quorum.tightenDigest(ETH, 500_001, nonce, _soon()));
        else if (kind == 1) m.signatures[place] = _sign(key, quorum.tightenDigest(ETH, 500_000, nonce + 1, _soon()));
        else if (kind == 2) m.signatures[place] = _sign(_keys[3], digest);
        else if (kind == 3) (m.signers[place], m.signatures[place]) = (vm.addr(77), _sign(77, digest));
        else if (kind == 4) m.signatures[place] = _sign(key, quorum.flipDigest(ETH, nonce, _soon()));
        else (m.signers[place], m.signatures[place]) = (m.signers[(place + 1) % K], m.signatures[(place + 1) % K]);
        (bool ok,) = address(quorum).call(abi.encodeCall(quorum.tighten, (ETH, 500_000, m)));
        assertFalse(ok, "KQM-2");
        assertEq(parameters.controls(ETH).emergencyPeakPpm, 0, "KQM-2");
    }

    /// KQM-2: signatures are bound to this chain and this contract.
    function test_tighten__other_chain_or_contract__refused() public {
        KeeperQuorum other = new KeeperQuorum(parameters, address(this), quorum.keepers(), K, K);
        IKeeperQuorum.Mandate memory m = _tightening(500_000, 7);
        vm.expectPartialRevert(IKeeperQuorum.BadSignature.selector);
        other.tighten(ETH, 500_000, m);
        vm.chainId(9);
        vm.expectPartialRevert(IKeeperQuorum.BadSignature.selector);
        quorum.tighten(ETH, 500_000, m);
    }

    /// KQM-3: expired or replayed never lands, whenever it is tried.
    function testFuzz_tighten__expired_or_replayed__never_lands(uint256 wait, uint256 again) public {
        wait = bound(wait, 0, 2 hours);
        again = bound(again, 1 days, 30 days);
        bytes memory data = abi.encodeCall(quorum.tighten, (ETH, 100_000, _tightening(100_000, 7)));
        skipTime(wait);
        (bool ok,) = address(quorum).call(data);
        assertEq(ok, wait <= 1 hours, "KQM-3 expired");
        skipTime(again);
        (ok,) = address(quorum).call(data);
        assertFalse(ok, "KQM-3 replayed");
    }

    /// KQM-3: naming keepers again voids what waits in every lane, even if they are the same.
    function test_setKeepers__waiting_signatures__void() public {
        IKeeperQuorum.Mandate memory m = _tightening(100_000, 7);
        IKeeperQuorum.Mandate memory a = _addingOn(100_000, uint40(block.timestamp + 1 hours));
        quorum.setKeepers(quorum.keepers(), K, K);
        vm.expectRevert(abi.encodeWithSelector(IKeeperQuorum.BadNonce.selector, m.nonce, m.nonce + (1 << 64)));
        quorum.tighten(ETH, 100_000, m);
        vm.expectRevert(abi.encodeWithSelector(IKeeperQuorum.BadNonce.selector, a.nonce, a.nonce + (1 << 64)));
        quorum.setStateAddOn(ETH, 100_000, uint40(block.timestamp + 1 hours), a);
    }

    /// KQM-3: two signatures on a publication that were too few stay too few when two become enough; and three that
    /// were enough are void.
    function test_setKeepers__waiting_publication__void() public {
        IRiskParameters.Publication memory p = _patient(155_000);
        IKeeperQuorum.Mandate memory two = _publishing(p, 0x3);
        IKeeperQuorum.Mandate memory three = _publishing(p, 0x7);
        vm.expectRevert(abi.encodeWithSelector(IKeeperQuorum.TooFew.selector, 2, K));
        quorum.publish(ETH, p, two);
        quorum.setKeepers(quorum.keepers(), 2, K);
        vm.expectRevert(abi.encodeWithSelector(IKeeperQuorum.BadNonce.selector, two.nonce, two.nonce + (1 << 64)));
        quorum.publish(ETH, p, two);
        vm.expectPartialRevert(IKeeperQuorum.BadNonce.selector);
        quorum.publish(ETH, p, three);
        // Whoever writes today's nonce beside the old signatures gains nothing.
        two.nonce += 1 << 64;
        vm.expectPartialRevert(IKeeperQuorum.BadSignature.selector);
        quorum.publish(ETH, p, two);
        quorum.publish(ETH, p, _publishing(p, 0x3));
        assertEq(inForce(0, "psr"), 155_000, "KQM-3 signed anew");
    }

    /// KQM-4: a publication by k keepers is one like any other, and lands once.
    function test_publish__quorum__lands_once_within_the_fences() public {
        IRiskParameters.Publication memory p = _patient(155_000);
        IKeeperQuorum.Mandate memory m = _publishing(p, 0x15);
        p.psrPpm = 156_000;
        vm.expectPartialRevert(IKeeperQuorum.BadSignature.selector);
        quorum.publish(ETH, p, m);
        p.psrPpm = 155_000;
        vm.prank(address(123)); // anyone may carry it
        quorum.publish(ETH, p, m);
        assertEq(inForce(0, "psr"), 155_000, "KQM-4");
        pass(1 hours);
        vm.expectRevert(abi.encodeWithSelector(IKeeperQuorum.BadNonce.selector, m.nonce, m.nonce + 1));
        quorum.publish(ETH, p, m);
    }

    /// KQM-4: what the fences refuse they refuse the quorum too, and its signatures stay good until they run out.
    function test_publish__too_early__the_nonce_stays() public {
        IRiskParameters.Publication memory p = _patient(155_000);
        quorum.publish(ETH, p, _publishing(p, 0x7));
        IRiskParameters.Publication memory next = _patient(156_000);
        IKeeperQuorum.Mandate memory m = _publishing(next, 0x7);
        vm.expectPartialRevert(IRiskParameters.TooEarly.selector);
        quorum.publish(ETH, next, m);
        pass(1 hours);
        quorum.publish(ETH, next, m);
        assertEq(inForce(0, "psr"), 156_000, "KQM-4");
    }

    /// KQM-5: stage, stageExpiries and flip, each signed, bring a publication into force; none of them twice.
    function test_stage__quorum__in_steps() public {
        IRiskParameters.Publication memory p = _patient(155_000);
        IRiskParameters.ExpiryPublication[] memory expiries = p.expiries;
        p.expiries = new IRiskParameters.ExpiryPublication[](0);
        IKeeperQuorum.Mandate memory opened = _staging(p);
        vm.expectPartialRevert(IKeeperQuorum.BadSignature.selector); // staging is not publishing
        quorum.publish(ETH, p, opened);
        quorum.stage(ETH, p, opened);
        uint256 nonce = _next(IKeeperQuorum.Lane.Publish);
        IKeeperQuorum.Mandate memory rows =
            _mandate(quorum.stageExpiriesDigest(ETH, expiries, nonce, _soon()), nonce, _soon(), 0x1c);
        quorum.stageExpiries(ETH, expiries, rows);
        IKeeperQuorum.Mandate memory live = _mandate(quorum.flipDigest(ETH, nonce + 1, _soon()), nonce + 1, _soon(), 7);
        vm.expectPartialRevert(IKeeperQuorum.BadNonce.selector); // replayed, it would void what is staged
        quorum.stage(ETH, p, opened);
        quorum.flip(ETH, live);
        assertEq(inForce(0, "psr"), 155_000, "KQM-5");
        vm.expectPartialRevert(IKeeperQuorum.BadNonce.selector);
        quorum.flip(ETH, live);
    }

    /// KQM-5: the state add-on by the quorum; one that was lowered since does not come back.
    function test_setStateAddOn__quorum__never_twice() public {
        uint40 until = uint40(block.timestamp + 1 hours);
        IKeeperQuorum.Mandate memory high = _addingOn(300_000, until);
        vm.expectPartialRevert(IKeeperQuorum.BadSignature.selector);
        quorum.setStateAddOn(ETH, 300_001, until, high);
        quorum.setStateAddOn(ETH, 300_000, until, high);
        assertEq(parameters.controls(ETH).stateAddOnPpm, 300_000, "KQM-5");
        vm.expectPartialRevert(IKeeperQuorum.BadNonce.selector);
        quorum.setStateAddOn(ETH, 300_000, until, high);
    }

    /// KQM-5: the funding rate, at the market that was signed and no other.
    function test_setFundingRate__quorum__at_the_house_that_was_signed() public {
        FundingMarket market = new FundingMarket();
        FundingMarket other = new FundingMarket();
        uint256 nonce = _next(IKeeperQuorum.Lane.Funding);
        IKeeperQuorum.Mandate memory m =
            _mandate(quorum.fundingDigest(address(market), ETH, -7, nonce, _soon()), nonce, _soon(), 7);
        vm.expectPartialRevert(IKeeperQuorum.BadSignature.selector);
        quorum.setFundingRate(address(other), ETH, -7, m);
        quorum.setFundingRate(address(market), ETH, -7, m);
        assertEq(market.by(), address(quorum), "KQM-5");
        assertEq(market.ratePpmPerDay(), -7, "KQM-5");
        vm.expectPartialRevert(IKeeperQuorum.BadNonce.selector);
        quorum.setFundingRate(address(market), ETH, -7, m);
    }

    /// KQM-6: lanes do not wait for one another: a publication uses up no emergency's signatures, nor another
    /// underlying's.
    function test_nonce__lanes__apart() public {
        IRiskParameters.Publication memory p = _patient(155_000);
        IKeeperQuorum.Mandate memory emergency = _tightening(100_000, 7);
        IKeeperQuorum.Mandate memory wide = _addingOn(200_000, uint40(block.timestamp + 1 hours));
        IKeeperQuorum.Mandate memory numbers = _publishing(p, 7);
        uint256 elsewhere = quorum.nonce(IKeeperQuorum.Lane.Publish, ETH + 1);
        quorum.publish(ETH, p, numbers);
        quorum.setStateAddOn(ETH, 200_000, uint40(block.timestamp + 1 hours), wide);
        quorum.tighten(ETH, 100_000, emergency);
        assertEq(quorum.nonce(IKeeperQuorum.Lane.Publish, ETH + 1), elsewhere, "KQM-6");
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
