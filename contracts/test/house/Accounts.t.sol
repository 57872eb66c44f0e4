// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../src/interfaces/IClearingHouse.sol";
import {AccountId, FileVersion} from "../../src/interfaces/Types.sol";
import {MockFeeERC20} from "../../src/mocks/MockFeeERC20.sol";
import {BaseTest} from "../BaseTest.sol";

contract AccountsTest is BaseTest {
    /// Deposit and withdrawal of 6, 8 and 18 decimals give back what went in.
    function test_deposit_withdraw__roundTrip(uint64 amount) public {
        amount = uint64(bound(amount, 1, 50e8));
        for (uint8 c; c < 3; ++c) {
            giveUnits(acct(alice), c, amount);
            address token = house.collateral(c).token;
            vm.prank(alice);
            house.withdraw(acct(alice), c, amount, bob);
            (, bytes memory held) = token.call(abi.encodeWithSignature("balanceOf(address)", bob));
            assertEq(abi.decode(held, (uint256)), amount);
            assertEq(house.houseState().held[c], 0);
        }
        assertEq(house.cashOf(acct(alice)), int256(0));
    }

    function test_deposit__anyoneForAnyone() public {
        give(alice, 100);
        assertEq(house.cashOf(acct(alice)), int256(100e18));
    }

    function test_deposit__feeOnTransfer_refused() public {
        MockFeeERC20 token = new MockFeeERC20("Fee", "FEE", 18, 100);
        uint8 c = house.addCollateral(IClearingHouse.CollateralConfig(address(token), 18, "ETH", 0, 1e30, 1e30));
        token.mint(address(this), 1e18);
        token.approve(address(house), 1e18);
        vm.expectPartialRevert(IClearingHouse.WrongReceipt.selector);
        house.deposit(acct(alice), c, 1e18);
    }

    function test_deposit__caps() public {
        house.setCollateral(WETH_ID, 150_000, 10e18, 15e18);
        giveUnits(acct(alice), WETH_ID, 10e18);
        weth.mint(address(this), 10e18);
        weth.approve(address(house), 10e18);
        vm.expectRevert(
            abi.encodeWithSelector(IClearingHouse.CapExceeded.selector, bytes32("account"), 10e18 + 1, 10e18)
        );
        house.deposit(acct(alice), WETH_ID, 1);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CapExceeded.selector, bytes32("total"), 16e18, 15e18));
        house.deposit(acct(bob), WETH_ID, 6e18);
    }

    function test_withdraw__notOwner() public {
        give(alice, 100);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.NotOwner.selector, acct(alice), bob));
        vm.prank(bob);
        house.withdraw(acct(alice), USDC_ID, 1, bob);
    }

    function test_withdraw__belowInitial() public {
        give(alice, 100);
        give(bob, 1_000_000);
        vm.expectPartialRevert(IClearingHouse.BelowInitial.selector);
        vm.prank(alice);
        house.withdraw(acct(alice), USDC_ID, 100e6 + 1, alice);
    }

    /// Cash may go negative against other collateral, and pays interest to the fund.
    function test_withdraw__borrowAgainstCollateral_paysInterest() public {
        house.setInterest(100_000); // 10 % a year
        giveUnits(acct(alice), WETH_ID, 1e18);
        give(bob, 10_000);
        vm.prank(alice);
        house.withdraw(acct(alice), USDC_ID, 1000e6, alice);
        assertEq(house.cashOf(acct(alice)), -1000e18);
        pass(365 days);
        assertEq(equity(acct(alice)), 2000e18 * 85 / 100 - 1100e18);
        house.touch(acct(alice));
        assertEq(house.cashOf(acct(alice)), -1100e18);
        assertEq(fund.balance(), 100e18);
        assertEq(equity(acct(alice)), 600e18);
    }

    /// Collateral counts with its haircut and only up to its cap.
    function test_margin__collateral_haircutAndCap() public {
        giveUnits(acct(alice), WETH_ID, 10e18);
        IClearingHouse.MarginDetail memory d = house.marginDetail(acct(alice), FileVersion.Live);
        assertEq(d.margin.equity, 17_000e18);
        assertEq(d.haircut, 3000e18);
        house.setCollateral(WETH_ID, 500_000, 4e18, 100_000e18);
        d = house.marginDetail(acct(alice), FileVersion.Live);
        assertEq(d.margin.equity, 4000e18);
        assertEq(d.haircut, 16_000e18);
        assertEq(house.healthPpm(acct(alice)), type(uint256).max);
    }

    function test_margin__unusableCollateralPrice_reverts() public {
        giveUnits(acct(alice), WETH_ID, 1e18);
        vm.warp(block.timestamp + 3601);
        vm.expectRevert();
        house.margin(acct(alice), FileVersion.Live);
    }

    function test_margin__cashOnly_needsNoPrice() public {
        give(alice, 5);
        vm.warp(block.timestamp + 30 days);
        assertEq(equity(acct(alice)), 5e18);
        vm.prank(alice);
        house.withdraw(acct(alice), USDC_ID, 5e6, alice);
        assertEq(usdc.balanceOf(alice), 5e6);
    }

    function test_wire__twice_refused() public {
        vm.expectRevert(IClearingHouse.AlreadyWired.selector);
        house.wire(address(1), address(2));
    }

    function test_guarded__onlyAuctionAndFund() public {
        AccountId a = acct(alice);
        bytes memory notAuction = abi.encodeWithSelector(IClearingHouse.NotAuction.selector, address(this));
        vm.expectRevert(notAuction);
        house.seize(a, acct(bob), 1, 0, 0);
        vm.expectRevert(notAuction);
        house.socialise(a, 1);
        vm.expectRevert(notAuction);
        house.moveCash(a, acct(bob), 1);
        vm.expectRevert(notAuction);
        house.setInAuction(a, true);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.NotFund.selector, address(this)));
        house.payFromFund(a, 1);
    }

    function test_owner__onlyGovernanceConfigures() public {
        vm.startPrank(bob);
        vm.expectRevert();
        house.setFee(1);
        vm.expectRevert();
        house.setInterest(1);
        vm.expectRevert();
        house.setMinEquity(1);
        vm.expectRevert();
        house.setGuardian(bob);
        vm.expectRevert();
        house.setMarket(ETH, market("ETH"));
        vm.expectRevert();
        house.setCollateral(1, 0, 0, 0);
        vm.expectRevert();
        house.settleExpiryByHand(ETH, near, 1);
        vm.expectRevert();
        fund.withdraw(1, bob);
        vm.expectRevert();
        fund.setCap(1);
        vm.expectRevert();
        auction.setParams(auctionParams());
        vm.stopPrank();
    }

    function test_fund__ownerWithdraws_onlyItsOwn() public {
        give(fund.account(), 500);
        assertEq(fund.balance(), 500e18);
        fund.withdraw(200e6, bob);
        assertEq(usdc.balanceOf(bob), 200e6);
        give(alice, 500); // the house could pay, the fund's account cannot
        vm.expectPartialRevert(IClearingHouse.BelowInitial.selector);
        fund.withdraw(301e6, bob);
    }
}
