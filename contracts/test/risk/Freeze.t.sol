// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {IRiskFile} from "../../src/interfaces/IRiskFile.sol";
import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {FileVersion} from "../../src/interfaces/Types.sol";
import {Test} from "../utils/Test.sol";
import {RiskFixture} from "./RiskFixture.sol";

/// @notice A world with one publisher, a guardian and a lister of their own; the contract itself is governance.
abstract contract FreezeFixture is RiskFixture {
    address internal constant GUARDIAN = address(0x6a);
    address internal constant PUBLISHER = address(0x9b);

    function setUp() public virtual override {
        super.setUp();
        parameters.grantRole(parameters.GUARDIAN_ROLE(), GUARDIAN);
        parameters.grantRole(parameters.PUBLISHER_ROLE(), PUBLISHER);
        // Beyond the end of every story: an expiry that passes is no number that moves.
        listDays(60, 4);
        listDays(90, 4);
        publish();
        pass(1 hours);
    }

    /// Everything a publication can move, as one word: numbers in force, and what the file computes from.
    function numbers() public view returns (bytes32 word) {
        (uint64 id,,, bytes32 inputs) = parameters.lastPublication(ETH);
        (IRiskFile.Ranges memory target,,,) = file.slew(ETH);
        word = keccak256(abi.encode(id, inputs, target));
        word = keccak256(abi.encode(word, inForce(0, "psr"), inForce(0, "vsrUp"), inForce(0, "vsrDown")));
        uint32[] memory expiries = parameters.listedExpiries(ETH);
        for (uint256 i; i < expiries.length; ++i) {
            IRiskFile.ExpiryParams memory e = file.expiryParams(ETH, expiries[i], FileVersion.Live);
            word = keccak256(abi.encode(word, e.phiPpb, e.dfPpb, e.sigmaAtmPpm));
            word = keccak256(abi.encode(word, inForce(expiries[i], "sigmaAtm"), inForce(expiries[i], "phi")));
            uint64[] memory strikes = parameters.listedStrikes(ETH, expiries[i]);
            for (uint256 k; k < strikes.length; ++k) {
                (uint32 sigma,,) = file.strikeArray(ETH, expiries[i], strikes[k], FileVersion.Live);
                word = keccak256(abi.encode(word, sigma));
            }
        }
    }
}

/// @notice FRZ-1 … FRZ-3: what a freeze stops, whom it binds, and what goes on.
contract FreezeTest is FreezeFixture {
    bytes private _frozen = abi.encodeWithSelector(IRiskParameters.Frozen.selector, ETH);

    function _freeze() private {
        parameters.freeze(ETH);
    }

    /// FRZ-1: every path of a publisher is shut, the preview says so, and its order of refusals begins with it.
    function test_freeze__publishing__refused_on_every_path() public {
        IRiskParameters.Publication memory p = aPublication();
        _freeze();
        assertTrue(parameters.frozen(ETH), "FRZ-1 frozen");
        (bool ok, bytes memory why) = parameters.checkPublication(ETH, p);
        assertFalse(ok, "FRZ-1 the preview says no");
        assertEq(why, _frozen, "FRZ-1 the preview names the reason");
        vm.startPrank(PUBLISHER);
        vm.expectRevert(_frozen);
        parameters.publish(ETH, p);
        vm.expectRevert(_frozen);
        parameters.stage(ETH, p);
        vm.expectRevert(_frozen);
        parameters.stageExpiries(ETH, p.expiries);
        vm.expectRevert(_frozen);
        parameters.flip(ETH);
        vm.stopPrank();
    }

    /// FRZ-1: it stays frozen whatever time passes and whoever publishes; the same publication passes after the thaw.
    function test_freeze__time_passes__stays_frozen_until_governance_thaws() public {
        _freeze();
        bytes32 before = numbers();
        for (uint256 i; i < 5; ++i) {
            pass(1 days);
            IRiskParameters.Publication memory p = aPublication();
            vm.expectRevert(_frozen);
            parameters.publish(ETH, p);
        }
        assertEq(numbers(), before, "FRZ-1 nothing moved");
        parameters.thaw(ETH);
        assertFalse(parameters.frozen(ETH));
        publish();
        assertNotEq(numbers(), before); // FRZ-1: publishing works again
    }

    /// FRZ-1: what was staged before the freeze cannot be flipped in after the thaw.
    function test_freeze__staged_before__void() public {
        IRiskParameters.Publication memory p = aPublication();
        p.psrPpm = 160_000;
        parameters.stage(ETH, p);
        _freeze();
        parameters.thaw(ETH);
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.NothingStaged.selector, ETH));
        parameters.flip(ETH);
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.NothingStaged.selector, ETH));
        parameters.stageExpiries(ETH, p.expiries);
    }

    /// FRZ-2: governance alone freezes and thaws; a stolen guardian's key does neither.
    function test_freeze__roles__governance_alone() public {
        address[2] memory others = [PUBLISHER, GUARDIAN];
        for (uint256 i; i < 2; ++i) {
            bytes memory refusal =
                abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, others[i], bytes32(0));
            vm.prank(others[i]);
            vm.expectRevert(refusal);
            parameters.freeze(ETH);
            vm.prank(others[i]);
            vm.expectRevert(refusal);
            parameters.thaw(ETH);
        }
        parameters.freeze(ETH);
        assertTrue(parameters.frozen(ETH), "FRZ-2");
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.NotListed.selector, 9));
        parameters.freeze(9);
    }

    /// FRZ-2: an event for each change, and none where nothing changes.
    function test_freeze__events__one_for_each_change() public {
        vm.expectEmit(address(parameters));
        emit IRiskParameters.FrozenSet(ETH, true, address(this));
        _freeze();
        vm.recordLogs();
        _freeze();
        assertEq(vm.getRecordedLogs().length, 0, "FRZ-2 already frozen");
        vm.expectEmit(address(parameters));
        emit IRiskParameters.FrozenSet(ETH, false, address(this));
        parameters.thaw(ETH);
    }

    /// FRZ-2: frozen is not the default: an underlying that never published is open, and one that did can be frozen.
    function test_freeze__never_published__not_frozen() public {
        parameters.listUnderlying(2, "BTC", aConfig(), theRanges(), theVolFences(), PSR, 400_000, 250_000);
        assertFalse(parameters.frozen(2), "FRZ-2 open from the start");
        parameters.freeze(2);
        (uint64 id,,,) = parameters.lastPublication(2);
        assertEq(id, 0);
        assertTrue(parameters.frozen(2), "FRZ-2 frozen before it ever published");
        assertFalse(parameters.frozen(ETH), "FRZ-2 each underlying by itself");
    }

    /// FRZ-3: anyone refreshes the frozen file at live spot and time, with the last numbers.
    function test_freeze__refresh__goes_on_with_the_last_numbers() public {
        _freeze();
        bytes32 before = numbers();
        uint40 epoch = file.header(ETH, FileVersion.Live).epoch;
        pass(2 hours);
        feed.push(1700e8);
        assertTrue(file.isStale(ETH, 1700e18), "FRZ-3 stale");
        vm.prank(address(7));
        file.refresh(ETH);
        assertFalse(file.isStale(ETH, 1700e18), "FRZ-3 fresh");
        assertGt(file.header(ETH, FileVersion.Live).epoch, epoch);
        assertEq(uint256(file.header(ETH, FileVersion.Live).refSpot), 1700e18);
        assertEq(numbers(), before, "FRZ-3 the same numbers");
    }
}

/// @notice A publisher that tries everything, a guardian that tries too, governance and anybody, in any order.
contract FreezeHandler is FreezeFixture {
    bytes32 public atFreeze;
    uint256 public published;
    uint256 public publishedAfterThaw;
    uint256 public refusedFrozen;
    bool public refreshFailed;
    bool public byOther;
    bool private _thawed;

    function _try(address who, bytes memory data) private returns (bool ok) {
        bytes memory answer;
        vm.prank(who);
        (ok, answer) = address(parameters).call(data);
        if (!ok && bytes4(answer) == IRiskParameters.Frozen.selector) ++refusedFrozen;
    }

    function _count(bool ok) private {
        if (!ok) return;
        ++published;
        if (_thawed) ++publishedAfterThaw;
    }

    /// A legal publication, nudged; at times beyond the fences.
    function _some(uint256 seed) private returns (IRiskParameters.Publication memory p) {
        p = aPublication();
        p.psrPpm = uint24(p.psrPpm * (900_000 + seed % 200_001) / 1e6);
        for (uint256 i; i < p.expiries.length; ++i) {
            p.expiries[i].dfPpb -= uint40(seed % 1e6);
        }
    }

    function actPublish(uint256 seed) external {
        _count(_try(PUBLISHER, abi.encodeCall(parameters.publish, (ETH, _some(seed)))));
    }

    function actStage(uint256 seed) external {
        _try(PUBLISHER, abi.encodeCall(parameters.stage, (ETH, _some(seed))));
    }

    function actStageExpiries(uint256 seed) external {
        _try(PUBLISHER, abi.encodeCall(parameters.stageExpiries, (ETH, _some(seed).expiries)));
    }

    function actFlip() external {
        _count(_try(PUBLISHER, abi.encodeCall(parameters.flip, (ETH))));
    }

    function actFreeze(uint256 who) external {
        bool before = parameters.frozen(ETH);
        address caller = who % 4 == 0 ? GUARDIAN : address(this);
        bool ok = _try(caller, abi.encodeCall(parameters.freeze, (ETH)));
        if (ok && caller != address(this)) byOther = true;
        if (ok && !before) atFreeze = numbers();
    }

    function actThaw(uint256 who) external {
        address caller = [GUARDIAN, address(this), PUBLISHER, address(this)][who % 4];
        bool before = parameters.frozen(ETH);
        bool ok = _try(caller, abi.encodeCall(parameters.thaw, (ETH)));
        if (ok && caller != address(this)) byOther = true;
        if (ok && before) _thawed = true;
    }

    function actRefresh() external {
        try file.refresh(ETH) {}
        catch {
            refreshFailed = true;
        }
    }

    function actPass(uint256 seconds_) external {
        pass(bound(seconds_, 600, 6 hours));
    }

    function actMove(uint256 ppm) external {
        (, int256 answer,,,) = feed.latestRoundData();
        int256 next = answer * int256(bound(ppm, 950_000, 1_050_000)) / 1e6;
        if (next > 200e8 && next < 20_000e8) feed.push(next);
    }

    function frozenAndMoved() external view returns (bool) {
        return parameters.frozen(ETH) && numbers() != atFreeze;
    }
}

/// @notice Law FRZ-1 over any story: frozen stays frozen.
contract FreezeInvariants is Test {
    FreezeHandler internal handler;

    function setUp() public {
        handler = new FreezeHandler();
        handler.setUp();
        targetContract(address(handler));
        bytes4[] memory list = new bytes4[](10);
        list[0] = handler.actPublish.selector;
        list[1] = handler.actStage.selector;
        list[2] = handler.actStageExpiries.selector;
        list[3] = handler.actFlip.selector;
        list[4] = handler.actFreeze.selector;
        list[5] = handler.actThaw.selector;
        list[6] = handler.actRefresh.selector;
        list[7] = handler.actPass.selector;
        list[8] = handler.actMove.selector;
        list[9] = handler.actPublish.selector;
        targetSelector(address(handler), list);
        targetSender(address(0xbeef));
    }

    /// FRZ-1, FRZ-2, FRZ-3: while frozen no number moves, nobody but governance thaws, and a refresh never fails.
    function invariant_frozen_stays_frozen() public view {
        assertFalse(handler.frozenAndMoved(), "FRZ-1 a frozen number moved");
        assertFalse(handler.byOther(), "FRZ-2 frozen or thawed by another than governance");
        assertFalse(handler.refreshFailed(), "FRZ-3 a refresh failed");
    }

    /// The stories reach what they are for: publications before and after a freeze, and refusals in between.
    function test_stories__coverage() public {
        vm.pauseGasMetering(); // a long story passes the gas limit of one test
        for (uint256 i; i < 500; ++i) {
            uint256 r = uint256(keccak256(abi.encode("freeze", i)));
            uint256 what = r % 16;
            if (what < 6) handler.actPublish(r >> 8);
            else if (what < 7) handler.actStage(r >> 8);
            else if (what < 8) handler.actStageExpiries(r >> 8);
            else if (what < 9) handler.actFlip();
            else if (what < 10) handler.actFreeze(r >> 8);
            else if (what < 11) handler.actThaw(r >> 8);
            else if (what < 12) handler.actRefresh();
            else if (what < 15) handler.actPass(r >> 8);
            else handler.actMove(r >> 8);
            invariant_frozen_stays_frozen();
        }
        assertGt(handler.published(), 10, "publications");
        assertGt(handler.publishedAfterThaw(), 5, "publications after a thaw");
        assertGt(handler.refusedFrozen(), 10, "refusals of the frozen");
    }
}
