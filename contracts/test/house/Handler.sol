// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IClearingHouse} from "../../src/interfaces/IClearingHouse.sol";
import {ILiquidationAuction} from "../../src/interfaces/ILiquidationAuction.sol";
import {AccountId, FileVersion, InstrumentId, Position} from "../../src/interfaces/Types.sol";
import {InstrumentIds} from "../../src/libraries/InstrumentIds.sol";
import {MockERC20} from "../../src/mocks/MockERC20.sol";
import {BaseTest} from "../BaseTest.sol";
import {Vm} from "../utils/Vm.sol";

/// @notice Takes the logs of what went through.
interface ILogSink {
    function consume(Vm.Log[] calldata logs) external;
}

/// @notice Everything anybody may do, with arguments folded into what could work, and the laws to check after it.
/// It is a world of its own; the invariant test and the fuzz tests drive it.
contract Handler is BaseTest {
    using InstrumentIds for InstrumentId;
    using InstrumentIds for Position;

    address[] internal people;
    InstrumentId[] internal instruments;
    /// Somebody was flagged or bid on while healthy.
    bool public healthyLiquidated;
    /// Equity of both accounts of a bid together rose by more than the fund and everybody paid.
    bool public bidGained;
    uint256 public flags;
    uint256 public bids;
    uint256 public trades;
    uint256 public losses;
    uint256 public insolvencies;
    uint256 public settled;

    function setUp() public override {
        super.setUp();
        people = [alice, bob, carol, dave, liquidator];
        instruments = [
            perp(ETH),
            perp(BTC),
            call_(ETH, near, 2000),
            put_(ETH, near, 1800),
            call_(ETH, far, 2200),
            put_(ETH, far, 2000),
            call_(BTC, near, 60_000),
            put_(BTC, near, 50_000)
        ];
        house.setInterest(200_000);
        fund.setCap(2000e18);
        give(fund.account(), 10_000);
        for (uint256 i; i < people.length; ++i) {
            give(people[i], 5000 + 5000 * i);
        }
        giveUnits(acct(alice), WETH_ID, 2e18);
        giveUnits(acct(bob), WBTC_ID, 0.05e8);
    }

    // --- logs -----------------------------------------------------------------------------------------------------

    ILogSink internal sink;

    /// The sink gets the logs of every call that did not revert, in order.
    function reportTo(ILogSink sink_) external {
        sink = sink_;
        vm.recordLogs();
    }

    /// forge records the logs of reverted calls too: those are dropped here.
    function drain(bool keep) public {
        if (address(sink) == address(0)) return;
        Vm.Log[] memory logs = vm.getRecordedLogs();
        if (keep) sink.consume(logs);
    }

    function _attempt(address caller, address target, bytes memory data) private returns (bool ok) {
        drain(true);
        vm.prank(caller);
        (ok,) = target.call(data);
        drain(ok);
    }

    function _trade(AccountId buyer, AccountId seller, InstrumentId i, uint256 amount, uint256 price) private {
        drain(true);
        (bool ok,) = tryTrade(buyer, seller, i, amount, price);
        drain(ok);
        if (ok) ++trades;
    }

    // --- actions --------------------------------------------------------------------------------------------------

    function actDeposit(uint256 who, uint256 c, uint256 usd) external {
        c = c % 3;
        usd = bound(usd, 1, 3000);
        uint256 amount = c == 0 ? usd * 1e6 + 1 : c == 1 ? usd * 5e14 + 1 : usd * 1e8 / 60_000 + 1;
        giveUnits(_account(who), uint8(c), amount);
    }

    function actWithdraw(uint256 who, uint256 c, uint256 part) external {
        AccountId account = _account(who);
        c = c % 3;
        uint256 have = c == 0
            ? uint256(_positive(house.cashOf(account))) / 1e12 + 100e6
            : house.accountState(account).collateral[c];
        address owner = people[who % people.length];
        _attempt(
            owner, address(house), abi.encodeCall(house.withdraw, (account, uint8(c), bound(part, 0, have), owner))
        );
    }

    function actTrade(uint256 buyer, uint256 seller, uint256 which, uint256 amount, uint256 price) external {
        InstrumentId i = instruments[which % instruments.length];
        if (!i.isPerp() && i.expiryOf() <= block.timestamp) return;
        bool btc = i.underlyingOf() == BTC;
        uint256 spot = oracle.price(btc ? bytes32("BTC") : bytes32("ETH"));
        uint256 mark = fair(i);
        uint256 low = mark > spot / 50 ? mark - spot / 50 : 0;
        uint256 room = Math.min(_free(_account(buyer)), _free(_account(seller)));
        // What the free equity could carry as a perp: so that leverage is high and prices matter.
        amount = bound(amount, 1, room * 6 * WAD / spot + 1);
        _trade(_account(buyer), _account(seller), i, amount, bound(price, low, mark + spot / 50));
    }

    function _free(AccountId account) private view returns (uint256) {
        IClearingHouse.Margin memory m = live(account);
        return uint256(_positive(m.equity - int256(m.im)));
    }

    function actClose(uint256 who, uint256 with, uint256 which) external {
        AccountId account = _account(who);
        Position[] memory list = house.positions(account);
        if (list.length == 0) return;
        Position p = list[which % list.length];
        InstrumentId i = p.instrumentOf();
        if (!i.isPerp() && i.expiryOf() <= block.timestamp) return;
        int256 size = p.sizeOf();
        if (size > 0) _trade(_account(with), account, i, uint256(size), fair(i));
        else _trade(account, _account(with), i, uint256(-size), fair(i));
    }

    function actMovePrice(uint256 which, uint256 ppm) external {
        (bool btc, uint256 move) = (which % 3 == 0, bound(ppm, 850_000, 1_170_000));
        (, int256 answer,,,) = (btc ? btcFeed : ethFeed).latestRoundData();
        uint256 next = uint256(answer) * move / 1e6;
        next = btc ? bound(next, 20_000e8, 150_000e8) : bound(next, 800e8, 5000e8);
        (btc ? btcFeed : ethFeed).push(int256(next));
    }

    function actPass(uint256 seconds_) external {
        uint256 t = bound(seconds_, 1, 1 days);
        // Right through the expiry, but with a round on either side of it.
        pass(t);
    }

    function actSetFunding(int256 rate) external {
        bytes memory data = abi.encodeCall(house.setFundingRate, (ETH, int32(bound(rate, -3000, 3000))));
        _attempt(publisher, address(house), data);
        house.accrueFunding(BTC);
    }

    function actTouch(uint256 who) external {
        AccountId account = _account(who);
        int256 before = equity(account);
        house.touch(account);
        int256 afterwards = equity(account);
        // At most a wei per entry written, never a gain.
        if (afterwards > before || before - afterwards > 70) fail("a touch moved equity");
    }

    function actSweep() external {
        house.sweepDust();
    }

    function actSettle() external {
        _settle(ETH, near);
        _settle(BTC, near);
        _settle(ETH, far);
    }

    function _settle(uint16 u, uint32 expiry) private {
        (bool done,) = house.settlement(u, expiry);
        if (done || block.timestamp < expiry) return;
        uint80 n = (u == ETH ? ethFeed : btcFeed).latestRound();
        for (uint80 r = n; r > 1; --r) {
            bytes memory data = abi.encodeCall(house.settleExpiry, (u, expiry, r, r - 1));
            if (!_attempt(address(this), address(house), data)) continue;
            ++settled;
            return;
        }
        fail("no round settles the expiry");
    }

    function actRefresh() external {
        bytes32[] memory before = _cashes();
        file.refresh(ETH);
        file.refresh(BTC);
        bytes32[] memory afterwards = _cashes();
        for (uint256 i; i < before.length; ++i) {
            assertEq(before[i], afterwards[i], "a refresh changed an account");
        }
    }

    function _cashes() private view returns (bytes32[] memory all) {
        all = new bytes32[](people.length);
        for (uint256 i; i < people.length; ++i) {
            all[i] = keccak256(abi.encode(house.accountState(acct(people[i]))));
        }
    }

    /// Everybody is tried: a keeper would.
    function actFlag(uint256 first) external {
        file.refresh(ETH);
        file.refresh(BTC);
        for (uint256 i; i < people.length; ++i) {
            _flag(_account(first % 97 + i));
        }
    }

    function _flag(AccountId account) private {
        house.touch(account);
        IClearingHouse.Margin memory m = live(account);
        if (!_attempt(liquidator, address(auction), abi.encodeCall(auction.flag, (account, acct(liquidator))))) return;
        ++flags;
        if (m.equity >= int256(m.mm) && m.equity >= 0) healthyLiquidated = true;
        if (m.equity < 0) ++insolvencies;
    }

    function actUnflag(uint256 who) external {
        _attempt(bob, address(auction), abi.encodeCall(auction.unflag, (_account(who))));
    }

    function actRemeasure(uint256 who) external {
        _attempt(bob, address(auction), abi.encodeCall(auction.remeasure, (_account(who))));
    }

    function actBid(uint256 who, uint256 bidder, uint256 fraction) external {
        AccountId account = _account(who);
        for (uint256 i; i < people.length && !house.inAuction(account); ++i) {
            account = _account(who % 97 + i);
        }
        if (!house.inAuction(account)) return;
        address by = people[bidder % people.length];
        file.refresh(ETH);
        file.refresh(BTC);
        house.touch(account);
        house.touch(acct(by));
        uint40[] memory epochs = epochsOf(account);
        IClearingHouse.Margin memory m = live(account);
        (int256 before, int256 fundBefore) = (m.equity + equity(acct(by)), fund.balance());
        uint256 receivable = house.houseState().socialReceivable;
        bytes memory data =
            abi.encodeCall(auction.bid, (account, acct(by), bound(fraction, 1, WAD), epochs, type(int256).max));
        if (!_attempt(by, address(auction), data)) return;
        ++bids;
        if (m.equity >= 0 && uint256(m.equity) * 10 >= m.mm * 11) healthyLiquidated = true;
        _checkBid(account, acct(by), before, fundBefore, receivable);
    }

    /// What both accounts gained is at most what the fund and everybody paid, and the roundings of 24 rows.
    function _checkBid(AccountId account, AccountId by, int256 before, int256 fundBefore, uint256 receivable) private {
        uint256 now_ = house.houseState().socialReceivable;
        if (now_ > receivable) ++losses;
        int256 paid = fundBefore - fund.balance() + int256(now_) - int256(receivable);
        // Collateral above its cap counts for nobody: none is in this world.
        if (equity(account) + equity(by) > before + paid + 100) bidGained = true;
    }

    // --- laws -----------------------------------------------------------------------------------------------------

    /// CON-1, exactly.
    function checkConservation() external view {
        IClearingHouse.HouseState memory h = house.houseState();
        int256 left = int256(h.held[0] * 1e12) * 1e18;
        int256 right = -int256(h.socialReceivable) * 1e18 + int256(h.dustE36);
        uint256 n = people.length;
        for (uint256 i; i <= n; ++i) {
            right += _claimE36(i == n ? fund.account() : acct(people[i]));
        }
        assertEq(left, right, "CON-1");
        assertEq(usdc.balanceOf(address(house)), h.held[0], "TOK-1");
        for (uint8 c = 1; c < 3; ++c) {
            uint256 sum;
            for (uint256 i; i < n; ++i) {
                sum += house.accountState(acct(people[i])).collateral[c];
            }
            assertEq(sum, h.held[c], "CON-2");
            assertEq(MockERC20(house.collateral(c).token).balanceOf(address(house)), h.held[c], "TOK-1");
        }
    }

    function _claimE36(AccountId id) private view returns (int256 claim) {
        IClearingHouse.AccountState memory a = house.accountState(id);
        claim = a.cash * 1e18;
        for (uint256 i; i < a.perps.length; ++i) {
            claim += int256(a.perps[i].size) * a.perps[i].fundingEntry - int256(a.perps[i].openNotional) * 1e18;
        }
        for (uint256 i; i < a.positions.length; ++i) {
            InstrumentId x = a.positions[i].instrumentOf();
            (bool done, uint256 price) = house.settlement(x.underlyingOf(), x.expiryOf());
            if (!done) continue;
            uint256 strike = uint256(x.strikeOf()) * 1e10;
            uint256 payoff = x.kindOf() == InstrumentIds.CALL
                ? (price > strike ? price - strike : 0)
                : (strike > price ? strike - price : 0);
            claim += int256(a.positions[i].sizeOf()) * int256(payoff);
        }
    }

    /// POS-1: positions of an unsettled instrument sum to zero, and open interest is the sum of longs; POS-2: sorted.
    function checkPositions() external view {
        for (uint256 k; k < instruments.length; ++k) {
            InstrumentId x = instruments[k];
            (int256 sum, int256 longs) = (0, 0);
            for (uint256 i; i < people.length; ++i) {
                int256 q = sizeOf(acct(people[i]), x);
                sum += q;
                longs += _positive(q);
            }
            (bool done,) = house.settlement(x.underlyingOf(), x.expiryOf());
            if (!done) assertEq(sum, int256(0), "POS-1");
            assertEq(house.openInterest(x), uint256(longs), "POS-1 open interest");
        }
        for (uint256 i; i < people.length; ++i) {
            Position[] memory list = house.positions(acct(people[i]));
            for (uint256 j = 1; j < list.length; ++j) {
                assertTrue(
                    InstrumentId.unwrap(list[j - 1].instrumentOf()) < InstrumentId.unwrap(list[j].instrumentOf()),
                    "POS-2"
                );
            }
        }
    }

    /// MAR-6 and the state of auctions.
    function checkMargins() external view {
        uint256 deficits;
        for (uint256 i; i < people.length; ++i) {
            AccountId id = acct(people[i]);
            IClearingHouse.Margin memory m = live(id);
            assertTrue(m.im >= m.mm, "MAR-6");
            ILiquidationAuction.Auction memory a = auction.auction(id);
            assertTrue(a.active == house.inAuction(id), "AUC-1");
            deficits += a.deficit;
        }
        assertEq(auction.knownDeficit(), deficits, "AUC-2");
        assertFalse(healthyLiquidated, "LIQ-2");
        assertFalse(bidGained, "LIQ-3");
        assertTrue(house.houseState().keepRay <= 1e27, "LOSS-1");
    }

    function accountsOfWorld() external view returns (AccountId[] memory ids) {
        ids = new AccountId[](people.length + 1);
        for (uint256 i; i < people.length; ++i) {
            ids[i] = acct(people[i]);
        }
        ids[people.length] = fund.account();
    }

    function theHouse() external view returns (IClearingHouse) {
        return house;
    }

    function fundBalance() external view returns (int256) {
        return fund.balance();
    }

    function totalEquity() external view returns (int256 sum) {
        for (uint256 i; i < people.length; ++i) {
            sum += equity(acct(people[i]));
        }
    }

    function _account(uint256 who) private view returns (AccountId) {
        return acct(people[who % people.length]);
    }

    function _positive(int256 x) private pure returns (int256) {
        return x > 0 ? x : int256(0);
    }
}
