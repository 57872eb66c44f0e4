// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../src/interfaces/IClearingHouse.sol";
import {ILiquidationAuction} from "../../src/interfaces/ILiquidationAuction.sol";
import {AccountId} from "../../src/interfaces/Types.sol";
import {BaseTest} from "../BaseTest.sol";

/// @notice An owner that is a contract: it approves by calling, and signs nothing.
contract OwningContract {
    function approve(ILiquidationAuction auction, AccountId account, address key, bool approved) external {
        auction.approveBidder(account, key, approved);
    }
}

/// @notice What an approved key may do, and what it may not: laws DEL-1 to DEL-6.
contract DelegatesTest is BaseTest {
    address internal delegate;
    address internal other;

    function setUp() public override {
        super.setUp();
        house.setFee(0);
        delegate = _key("delegate");
        other = _key("other");
        give(bob, 10_000_000);
        give(liquidator, 1_000_000);
        give(fund.account(), 100_000);
        give(alice, 4000);
        trade(alice, bob, perp(ETH), 10e18); // MM 2,430 at 2,000
    }

    function _key(string memory name) private returns (address who) {
        uint256 key;
        (who, key) = makeAddrAndKey(name);
        keys[who] = key;
    }

    function _inAuction() private {
        setSpot(ETH, 1750); // equity 1,500, MM 2,126.25
        flag(acct(alice));
    }

    function _approve(address owner, address key, bool approved) private {
        vm.prank(owner);
        auction.approveBidder(acct(owner), key, approved);
    }

    /// A bid for the liquidator's account by somebody's key, telling whether it went through.
    function _try(address key, AccountId account, AccountId bidder, uint256 fraction)
        private
        returns (bool ok, bytes memory why)
    {
        house.touch(account);
        bytes memory data = abi.encodeCall(auction.bid, (account, bidder, fraction, epochsOf(account), 1e30));
        vm.prank(key);
        return address(auction).call(data);
    }

    function _refused(address key, AccountId bidder, bytes4 selector) private {
        uint256 before = vm.snapshotState();
        (bool ok, bytes memory why) = _try(key, acct(alice), bidder, 0.1e18);
        assertReverted(ok, why, selector);
        vm.revertToState(before);
    }

    /// Law DEL-1: an approved key bids; what it buys and pays is the account's, the key's own account has no part.
    function test_bid__approvedKey_buysForTheAccount() public {
        _approve(liquidator, delegate, true);
        give(delegate, 1000);
        _inAuction();
        (, int256 cost) = auction.quote(acct(alice), 0.1e18);
        int256 cash = house.cashOf(acct(liquidator));
        int256 bought = house.cashOf(acct(alice)) / 10; // cash is a part of the slice
        (bool ok,) = _try(delegate, acct(alice), acct(liquidator), 0.1e18);
        assertTrue(ok);
        assertEq(sizeOf(acct(liquidator), perp(ETH)), 1e18);
        assertApproxEqAbs(cash - house.cashOf(acct(liquidator)), cost - bought, 1);
        assertEq(house.cashOf(acct(delegate)), 1000e18);
        assertEq(sizeOf(acct(delegate), perp(ETH)), int256(0));
    }

    /// Law DEL-2: a revoked key's very next bid reverts, in the same block too; nobody else's approval moves.
    function test_bid__revoked_bitesAtOnce() public {
        _approve(liquidator, delegate, true);
        _approve(liquidator, other, true);
        _inAuction();
        (bool ok,) = _try(delegate, acct(alice), acct(liquidator), 0.05e18);
        assertTrue(ok);
        _approve(liquidator, delegate, false);
        _refused(delegate, acct(liquidator), ILiquidationAuction.NotBidder.selector);
        (ok,) = _try(other, acct(alice), acct(liquidator), 0.05e18);
        assertTrue(ok);
    }

    function test_bid__approvedForOneAccount_notForAnother() public {
        give(sub(liquidator, 1), 100_000);
        _approve(liquidator, delegate, true);
        _inAuction();
        assertFalse(auction.mayBid(sub(liquidator, 1), delegate));
        _refused(delegate, sub(liquidator, 1), ILiquidationAuction.NotBidder.selector);
        _refused(delegate, acct(bob), ILiquidationAuction.NotBidder.selector);
    }

    /// Law LIQ-7 holds whoever calls.
    function test_bid__approvedKey_accountBelowInitial_refused() public {
        give(carol, 900);
        _approve(carol, delegate, true);
        _inAuction();
        (bool ok, bytes memory why) = _try(delegate, acct(alice), acct(carol), 0.5e18);
        assertReverted(ok, why, ILiquidationAuction.BidderBelowInitial.selector);
    }

    /// Law DEL-3: nobody buys what is his own, neither by another account nor as somebody else's key.
    function test_bid__ownAccount_refusedByAnyRoute() public {
        give(sub(alice, 1), 100_000);
        _approve(liquidator, alice, true);
        vm.prank(alice);
        auction.approveBidder(sub(alice, 1), delegate, true);
        _inAuction();
        _refused(alice, acct(liquidator), ILiquidationAuction.SameOwner.selector);
        _refused(alice, sub(alice, 1), ILiquidationAuction.SameOwner.selector);
        _refused(delegate, sub(alice, 1), ILiquidationAuction.SameOwner.selector);
    }

    /// Law LIQ-10: an approval does not make a publisher a bidder.
    function test_bid__approvedPublisher_refused() public {
        _approve(liquidator, publisher, true);
        _inAuction();
        assertFalse(auction.mayBid(acct(liquidator), publisher));
        _refused(publisher, acct(liquidator), ILiquidationAuction.PublisherMayNotLiquidate.selector);
    }

    /// Law DEL-4: only the owner gives.  A key gives up what it has, and cannot take it again, nor pass it on.
    function test_approve__onlyTheOwner() public {
        bytes memory notOwner = abi.encodeWithSelector(IClearingHouse.NotOwner.selector, acct(liquidator), delegate);
        vm.expectRevert(notOwner);
        vm.prank(delegate);
        auction.approveBidder(acct(liquidator), delegate, true);
        _approve(liquidator, delegate, true);
        assertTrue(auction.mayBid(acct(liquidator), delegate));
        vm.expectRevert(notOwner);
        vm.prank(delegate);
        auction.approveBidder(acct(liquidator), other, true);
        vm.expectRevert(notOwner);
        vm.prank(delegate);
        auction.approveBidder(acct(liquidator), liquidator, false);
        vm.prank(delegate);
        auction.approveBidder(acct(liquidator), delegate, false);
        assertFalse(auction.mayBid(acct(liquidator), delegate));
        vm.expectRevert(notOwner);
        vm.prank(delegate);
        auction.approveBidder(acct(liquidator), delegate, true);
        // Not even who owns the contract.
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.NotOwner.selector, acct(liquidator), address(this)));
        auction.approveBidder(acct(liquidator), other, true);
    }

    /// The owner needs no approval, and cannot lose its right by one.
    function test_mayBid__owner_always() public {
        assertTrue(auction.mayBid(acct(liquidator), liquidator));
        _approve(liquidator, liquidator, false);
        assertTrue(auction.mayBid(acct(liquidator), liquidator));
        _inAuction();
        (bool ok,) = _try(liquidator, acct(alice), acct(liquidator), 0.1e18);
        assertTrue(ok);
    }

    function test_approve__saysSo() public {
        vm.expectEmit(true, true, true, true, address(auction));
        emit ILiquidationAuction.BidderApproved(acct(liquidator), delegate, true);
        _approve(liquidator, delegate, true);
        vm.expectEmit(true, true, true, true, address(auction));
        emit ILiquidationAuction.BidderApproved(acct(liquidator), delegate, false);
        _approve(liquidator, delegate, false);
    }

    /// A contract that owns an account approves by calling: its keys then bid for it, which it could not do by signing.
    function test_approve__contractOwner() public {
        OwningContract owner = new OwningContract();
        give(address(owner), 100_000);
        owner.approve(auction, acct(address(owner)), delegate, true);
        _inAuction();
        (bool ok,) = _try(delegate, acct(alice), acct(address(owner)), 0.1e18);
        assertTrue(ok);
        assertEq(sizeOf(acct(address(owner)), perp(ETH)), 1e18);
        owner.approve(auction, acct(address(owner)), delegate, false);
        _refused(delegate, acct(address(owner)), ILiquidationAuction.NotBidder.selector);
    }

    /// Law DEL-5: nothing but bids.  Everything else that an owner may do with an account is refused to its keys, and
    /// whatever calls a key makes, the account is as it was.
    function testFuzz_delegate__canDoNothingElse(uint256 what, uint256 amount, address to) public {
        _approve(liquidator, delegate, true);
        trade(liquidator, bob, perp(ETH), 5e18);
        _inAuction();
        house.touch(acct(liquidator));
        bytes32 before = keccak256(abi.encode(house.accountState(acct(liquidator))));
        uint64 nonce = house.minNonce(liquidator);
        amount = bound(amount, 1, 1_000_000e6);
        IClearingHouse.Order memory o = order(acct(liquidator), perp(ETH), true, 1e18, 1750e18);
        bytes memory data;
        address where = address(house);
        what = what % 9;
        if (what == 0) data = abi.encodeCall(house.withdraw, (acct(liquidator), USDC_ID, amount, to));
        if (what == 1) data = abi.encodeCall(house.cancel, (o));
        if (what == 2) data = abi.encodeCall(house.moveCash, (acct(liquidator), acct(delegate), amount));
        if (what == 3) data = abi.encodeCall(house.seize, (acct(liquidator), acct(delegate), WAD, 0, int256(0)));
        if (what == 4) data = abi.encodeCall(house.setInAuction, (acct(liquidator), true));
        if (what == 5) {
            // An order of the account's, signed by the key.
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[delegate], house.hashOrder(o));
            IClearingHouse.Order memory sale = order(acct(bob), perp(ETH), false, 1e18, 1750e18);
            data = abi.encodeCall(
                house.trade, (o, abi.encodePacked(r, s, v), sale, sign(sale), uint128(1e18), uint128(1750e18))
            );
        }
        if (what > 5) where = address(auction);
        if (what == 6) data = abi.encodeCall(auction.approveBidder, (acct(liquidator), to, true));
        if (what == 7) data = abi.encodeCall(auction.approveBidder, (sub(liquidator, uint96(amount)), delegate, true));
        if (what == 8) data = abi.encodeCall(auction.flag, (acct(liquidator), acct(delegate)));
        vm.prank(delegate);
        (bool ok,) = where.call(data);
        assertFalse(ok);
        vm.prank(delegate);
        house.raiseNonce(type(uint64).max); // its own, never the account's owner's
        assertEq(uint256(house.minNonce(liquidator)), nonce);
        house.touch(acct(liquidator));
        assertEq(keccak256(abi.encode(house.accountState(acct(liquidator)))), before);
    }

    /// Law DEL-6: in any order of approvals, revocations and bids by anybody, a bid passes the check exactly if its key
    /// is the owner's or stands approved, and `mayBid` says so before.
    function testFuzz_approvals__anyStory_bidsAsApproved(uint256 seed) public {
        address[4] memory owners = [liquidator, bob, carol, dave];
        address[6] memory hands = [liquidator, bob, carol, dave, delegate, other];
        bool[6][4] memory told;
        give(carol, 100_000);
        give(dave, 100_000);
        _inAuction();
        for (uint256 step; step < 24; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 i = seed % 4;
            uint256 k = (seed >> 8) % 6;
            if ((seed >> 16) % 2 == 0) {
                bool approved = (seed >> 24) % 3 != 0;
                _approve(owners[i], hands[k], approved);
                told[i][k] = approved;
            } else if (house.inAuction(acct(alice))) {
                bool may = owners[i] == hands[k] || told[i][k];
                assertEq(auction.mayBid(acct(owners[i]), hands[k]), may);
                (bool ok, bytes memory why) = _try(hands[k], acct(alice), acct(owners[i]), 0.01e18);
                assertEq(ok, may);
                if (!may) assertReverted(ok, why, ILiquidationAuction.NotBidder.selector);
            }
        }
    }
}
