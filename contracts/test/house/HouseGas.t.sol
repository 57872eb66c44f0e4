// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FileVersion} from "../../src/interfaces/Types.sol";
import {IClearingHouse} from "../../src/interfaces/IClearingHouse.sol";
import {BaseTest} from "../BaseTest.sol";

/// @notice What the house costs with cold storage; snapshots/ClearingHouse.json is reviewed like code.
/// @dev `cool` leaves the accounts warm: a first call in a transaction pays up to 7 · 2,500 more than measured here.
contract HouseGasTest is BaseTest {
    uint256 private constant ACCOUNTS_WARM = 7 * 2500;

    uint32 private expiry;

    function setUp() public override {
        super.setUp();
        expiry = uint32(block.timestamp + 60 days);
        parameters.listExpiry(ETH, expiry, strikes(1000, 50, 40), 600_000, 1e9, 1e9);
        pass(601);
        publish(ETH);
        house.setFee(0);
        give(alice, 10_000_000);
        give(bob, 10_000_000);
    }

    function _cool() private {
        vm.cool(address(house));
        vm.cool(address(file));
        vm.cool(address(parameters));
        vm.cool(address(oracle));
        vm.cool(address(ethFeed));
        vm.cool(address(btcFeed));
        vm.cool(address(auction));
        vm.cool(address(fund));
        vm.cool(address(usdc));
    }

    function _options(uint256 from, uint256 to) private {
        for (uint256 k = from; k < to; ++k) {
            trade(bob, alice, call_(ETH, expiry, 1000 + 50 * k), 1e18);
        }
    }

    function _margin(string memory name) private returns (uint256) {
        _cool();
        house.margin(acct(alice), FileVersion.Live);
        return vm.snapshotGasLastCall("ClearingHouse", name);
    }

    /// GAS-1: 10 options at 10 strikes in at most 250k, 16k for each further one.
    function test_gas_margin() public {
        _margin("margin, empty");
        _options(0, 10);
        uint256 ten = _margin("margin, 10 options");
        _options(10, 20);
        uint256 twenty = _margin("margin, 20 options");
        assertLe(ten + ACCOUNTS_WARM, 250_000, "10 options");
        assertLe((twenty - ten) / 10, 16_000, "each further option");
        trade(bob, alice, perp(ETH), 1e18);
        _margin("margin, 20 options and a perp");
    }

    function test_gas_accounts() public {
        usdc.mint(address(this), 2e6);
        usdc.approve(address(house), 2e6);
        _cool();
        house.deposit(acct(alice), USDC_ID, 1e6);
        vm.snapshotGasLastCall("ClearingHouse", "deposit");
        vm.prank(alice);
        _cool();
        house.withdraw(acct(alice), USDC_ID, 1e6, alice);
        vm.snapshotGasLastCall("ClearingHouse", "withdraw");
    }

    function test_gas_trade() public {
        _trade("trade, first perp", 1);
        _trade("trade, perp, warm slots", 2);
    }

    function _trade(string memory name, uint256 n) private {
        IClearingHouse.Order memory b = order(acct(alice), perp(ETH), true, n * 1e18, 2000e18);
        IClearingHouse.Order memory s = order(acct(bob), perp(ETH), false, n * 1e18, 2000e18);
        (bytes memory bs, bytes memory ss) = (sign(b), sign(s));
        _cool();
        house.trade(b, bs, s, ss, 1e18, 2000e18);
        vm.snapshotGasLastCall("ClearingHouse", name);
    }

    function test_gas_liquidation() public {
        give(carol, 4000);
        trade(carol, bob, perp(ETH), 10e18);
        for (uint256 k; k < 5; ++k) {
            trade(bob, carol, call_(ETH, expiry, 2000 + 100 * k), 0.1e18);
        }
        setSpot(ETH, 1750);
        _cool();
        flag(acct(carol));
        vm.snapshotGasLastCall("LiquidationAuction", "flag with refresh of 62 strikes");
        give(liquidator, 100_000);
        uint40[] memory epochs = epochsOf(acct(carol));
        _cool();
        vm.prank(liquidator);
        auction.bid(acct(carol), acct(liquidator), WAD, epochs, type(int256).max);
        vm.snapshotGasLastCall("LiquidationAuction", "bid for a perp and 5 options");
    }
}
