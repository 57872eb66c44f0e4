// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../src/interfaces/IClearingHouse.sol";
import {AccountId, InstrumentId, Position} from "../../src/interfaces/Types.sol";
import {InstrumentIds} from "../../src/libraries/InstrumentIds.sol";
import {Test} from "../utils/Test.sol";
import {Vm} from "../utils/Vm.sol";
import {Handler, ILogSink} from "./Handler.sol";

/// @notice The laws that hold after anything anybody does, in any order.
contract HouseInvariants is Test {
    Handler internal handler;

    function setUp() public {
        handler = new Handler();
        handler.setUp();
        targetContract(address(handler));
        targetSelector(address(handler), _actions());
        targetSender(address(0xbeef));
    }

    function _actions() private view returns (bytes4[] memory list) {
        list = new bytes4[](18);
        list[0] = handler.actDeposit.selector;
        list[1] = handler.actWithdraw.selector;
        list[2] = handler.actTrade.selector;
        list[3] = handler.actClose.selector;
        list[4] = handler.actMovePrice.selector;
        list[5] = handler.actPass.selector;
        list[6] = handler.actSetFunding.selector;
        list[7] = handler.actTouch.selector;
        list[8] = handler.actSweep.selector;
        list[9] = handler.actSettle.selector;
        list[10] = handler.actRefresh.selector;
        list[11] = handler.actFlag.selector;
        list[12] = handler.actUnflag.selector;
        list[13] = handler.actRemeasure.selector;
        list[14] = handler.actBid.selector;
        // Twice as often: without positions and moves nothing else happens.
        list[15] = handler.actTrade.selector;
        list[16] = handler.actMovePrice.selector;
        list[17] = handler.actFlag.selector;
    }

    /// CON-1, CON-2, TOK-1, POS-1, POS-2, MAR-6, LIQ-2, LIQ-3, AUC-1, AUC-2: one run checks them all.
    function invariant_laws() public view {
        handler.checkConservation();
        handler.checkPositions();
        handler.checkMargins();
    }
}

/// @notice The same world driven by a seed: long stories with a crash in them, whose coverage is asserted.
contract HouseStories is Test, ILogSink {
    using InstrumentIds for Position;
    using InstrumentIds for InstrumentId;

    Handler internal handler;

    // What a log index knows.
    struct Known {
        int256 cash;
        uint256 interestEntry;
        uint256 keepEntry;
        bool inAuction;
    }

    mapping(AccountId => Known) internal known;
    mapping(AccountId => mapping(uint8 => uint256)) internal collateral;
    mapping(AccountId => mapping(InstrumentId => int128)) internal sizes;
    mapping(AccountId => mapping(uint16 => int128[2])) internal perps;

    function setUp() public {
        handler = new Handler();
    }

    /// Random steps; `frozen` leaves price and time alone.
    function _live(uint256 seed, uint256 steps, bool frozen) internal {
        for (uint256 i; i < steps; ++i) {
            uint256 r = uint256(keccak256(abi.encode(seed, i)));
            (uint256 a, uint256 b, uint256 c) = (r >> 32, r >> 64, r >> 96);
            uint256 d = uint256(keccak256(abi.encode(r)));
            uint256 what = r % 24;
            if (what < 6) handler.actTrade(a, b, c, d, uint256(keccak256(abi.encode(d))));
            else if (what == 6) handler.actDeposit(a, b, d % 1000);
            else if (what == 7) handler.actWithdraw(a, b, d);
            else if (what == 8) handler.actClose(a, b, c);
            else if (what == 9) handler.actTouch(a);
            else if (what == 10) handler.actSweep();
            else if (what == 11) handler.actRefresh();
            else if (what == 12) handler.actUnflag(a);
            else if (what < 15) handler.actFlag(a);
            else if (what < 17) handler.actBid(a, b, d % 1e18);
            else if (frozen) continue;
            else if (what < 21) handler.actMovePrice(a, 850_000 + d % 320_001);
            else if (what < 23) handler.actPass(d % 36 hours);
            else if (b % 2 == 0) handler.actSetFunding(int256(d % 6000) - 3000);
            else handler.actSettle();
        }
    }

    /// Law WASH-2: at a standing price and time, whatever five people trade, deposit and bid among themselves, the
    /// fund never pays, and together they end with no more than they put in.
    /// forge-config: default.fuzz.runs = 24
    /// forge-config: ci.fuzz.runs = 240
    function testFuzz_wash__neverTakesFromTheFund(uint256 seed) public {
        handler.setUp();
        int256 fundBefore = handler.fundBalance();
        for (uint256 i; i < 4; ++i) {
            _live(uint256(keccak256(abi.encode(seed, i))), 15, true);
            assertTrue(handler.fundBalance() >= fundBefore, "the fund paid");
            fundBefore = handler.fundBalance();
        }
        handler.checkConservation();
        handler.checkPositions();
    }

    /// Law EV-1: the events alone, without arithmetic, rebuild every account exactly.
    /// forge-config: default.fuzz.runs = 24
    /// forge-config: ci.fuzz.runs = 240
    function testFuzz_events__rebuildEveryAccount(uint256 seed) public {
        handler.reportTo(this);
        handler.setUp();
        _live(seed, 60, false);
        handler.drain(true);
        AccountId[] memory ids = handler.accountsOfWorld();
        for (uint256 i; i < ids.length; ++i) {
            _compare(ids[i]);
        }
        handler.checkConservation();
        handler.checkPositions();
        handler.checkMargins();
    }

    function consume(Vm.Log[] calldata logs) external {
        address house = address(handler.theHouse());
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].emitter != house || logs[i].topics.length < 2) continue;
            bytes32 topic = logs[i].topics[0];
            AccountId id = AccountId.wrap(uint256(logs[i].topics[1]));
            bytes calldata data = logs[i].data;
            if (topic == IClearingHouse.CashChanged.selector) {
                (known[id].cash, known[id].interestEntry) = abi.decode(data, (int256, uint256));
            } else if (topic == IClearingHouse.LossPulled.selector) {
                (, known[id].keepEntry) = abi.decode(data, (uint256, uint256));
            } else if (topic == IClearingHouse.AuctionSet.selector) {
                known[id].inAuction = abi.decode(data, (bool));
            } else if (topic == IClearingHouse.CollateralChanged.selector) {
                collateral[id][uint8(uint256(logs[i].topics[2]))] = abi.decode(data, (uint256));
            } else if (topic == IClearingHouse.PositionChanged.selector) {
                InstrumentId x = InstrumentId.wrap(uint120(uint256(logs[i].topics[2])));
                (sizes[id][x],,) = abi.decode(data, (int128, int128, uint256));
            } else if (topic == IClearingHouse.PerpTouched.selector) {
                (int128 open, int128 entry) = abi.decode(data, (int128, int128));
                perps[id][uint16(uint256(logs[i].topics[2]))] = [open, entry];
            }
        }
    }

    function _compare(AccountId id) private view {
        IClearingHouse.AccountState memory a = handler.theHouse().accountState(id);
        Known memory k = known[id];
        assertEq(k.cash, a.cash, "cash");
        assertEq(k.interestEntry, a.interestEntryRay, "interest entry");
        assertEq(k.keepEntry, a.keepEntryRay, "keep entry");
        assertTrue(k.inAuction == a.inAuction, "in auction");
        for (uint8 c = 1; c < 3; ++c) {
            assertEq(collateral[id][c], a.collateral[c], "collateral");
        }
        for (uint256 i; i < a.positions.length; ++i) {
            assertEq(sizes[id][a.positions[i].instrumentOf()], a.positions[i].sizeOf(), "size");
        }
        for (uint256 i; i < a.perps.length; ++i) {
            int128[2] memory p = perps[id][a.perps[i].underlying];
            assertEq(p[0], a.perps[i].openNotional, "open notional");
            assertEq(p[1], a.perps[i].fundingEntry, "funding entry");
        }
    }

    /// The stories reach what they are for: trades, flags, bids, insolvencies, socialised losses, settlements.
    function test_stories__coverage() public {
        vm.pauseGasMetering(); // eight long stories pass the gas limit of one test
        uint256[6] memory seen;
        for (uint256 s; s < 8; ++s) {
            handler = new Handler();
            handler.setUp();
            _live(uint256(keccak256(abi.encode("story", s))), 160, false);
            handler.checkConservation();
            handler.checkPositions();
            handler.checkMargins();
            seen[0] += handler.trades();
            seen[1] += handler.flags();
            seen[2] += handler.bids();
            seen[3] += handler.insolvencies();
            seen[4] += handler.losses();
            seen[5] += handler.settled();
        }
        assertTrue(seen[0] > 100, "trades");
        assertTrue(seen[1] > 10, "flags");
        assertTrue(seen[2] > 10, "bids");
        assertTrue(seen[3] > 0, "insolvencies");
        assertTrue(seen[4] > 0, "socialised losses");
        assertTrue(seen[5] > 0, "settlements");
    }
}
