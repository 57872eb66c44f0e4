// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ClearingHouse} from "../src/ClearingHouse.sol";
import {InsuranceFund} from "../src/InsuranceFund.sol";
import {LiquidationAuction} from "../src/LiquidationAuction.sol";
import {PriceOracle} from "../src/PriceOracle.sol";
import {RiskFile} from "../src/RiskFile.sol";
import {RiskParameters} from "../src/RiskParameters.sol";
import {IClearingHouse} from "../src/interfaces/IClearingHouse.sol";
import {ILiquidationAuction} from "../src/interfaces/ILiquidationAuction.sol";
import {IPriceOracle} from "../src/interfaces/IPriceOracle.sol";
import {IRiskParameters} from "../src/interfaces/IRiskParameters.sol";
import {AccountId, FileVersion, InstrumentId, Position} from "../src/interfaces/Types.sol";
import {InstrumentIds} from "../src/libraries/InstrumentIds.sol";
import {MockAggregator} from "../src/mocks/MockAggregator.sol";
import {MockERC20} from "../src/mocks/MockERC20.sol";
import {Listing} from "./utils/Listing.sol";
import {Test} from "./utils/Test.sol";

/// @notice The whole protocol, deployed and wired as in production, with two underlyings and a few people.
/// The test contract is governance; `publisher`, `guardian` and `liquidator` have keys of their own.
abstract contract BaseTest is Test, Listing {
    using InstrumentIds for InstrumentId;
    using InstrumentIds for Position;

    uint16 internal constant ETH = 1;
    uint16 internal constant BTC = 2;
    uint8 internal constant USDC_ID = 0;
    uint8 internal constant WETH_ID = 1;
    uint8 internal constant WBTC_ID = 2;
    uint256 internal constant START = 1_780_000_000;
    uint256 internal constant WAD = 1e18;
    uint24 internal constant FEE_PPM = 300;

    MockERC20 internal usdc;
    MockERC20 internal weth;
    MockERC20 internal wbtc;
    MockAggregator internal ethFeed;
    MockAggregator internal btcFeed;
    PriceOracle internal oracle;
    RiskFile internal file;
    RiskParameters internal parameters;
    ClearingHouse internal house;
    InsuranceFund internal fund;
    LiquidationAuction internal auction;

    address internal publisher;
    address internal guardian;
    address internal liquidator;
    address internal alice;
    address internal bob;
    address internal carol;
    address internal dave;
    mapping(address => uint256) internal keys;

    uint32 internal near; // 7 days
    uint32 internal far; // 30 days
    uint64 internal nextNonce = 1;

    function setUp() public virtual {
        vm.warp(START);
        vm.roll(1000);
        publisher = _person("publisher");
        guardian = _person("guardian");
        liquidator = _person("liquidator");
        alice = _person("alice");
        bob = _person("bob");
        carol = _person("carol");
        dave = _person("dave");
        _deploy();
        _openMarkets();
    }

    function _person(string memory name) private returns (address who) {
        uint256 key;
        (who, key) = makeAddrAndKey(name);
        keys[who] = key;
    }

    function _deploy() private {
        usdc = new MockERC20("USD Coin", "USDC", 6);
        weth = new MockERC20("Wrapped Ether", "WETH", 18);
        wbtc = new MockERC20("Wrapped Bitcoin", "WBTC", 8);
        ethFeed = new MockAggregator(8, 2000e8);
        btcFeed = new MockAggregator(8, 60_000e8);
        oracle = new PriceOracle(address(this));
        oracle.setFeed("ETH", IPriceOracle.Feed(address(ethFeed), address(0), 3600, 0, 1e18, 1e24));
        oracle.setFeed("BTC", IPriceOracle.Feed(address(btcFeed), address(0), 3600, 0, 1e18, 1e25));
        file = new RiskFile(oracle);
        parameters = new RiskParameters(file, address(this));
        file.connect(address(parameters));
        parameters.grantRole(parameters.PUBLISHER_ROLE(), publisher);
        parameters.grantRole(parameters.LISTER_ROLE(), address(this));
        house = new ClearingHouse(
            oracle,
            file,
            parameters,
            IClearingHouse.CollateralConfig(address(usdc), 6, 0, 0, 100_000_000e6, 1_000_000_000e6),
            address(this)
        );
        fund = new InsuranceFund(house, address(this), 1_000_000e18);
        auction = new LiquidationAuction(house, address(this), auctionParams());
        house.wire(address(auction), address(fund));
        house.addCollateral(IClearingHouse.CollateralConfig(address(weth), 18, "ETH", 150_000, 10_000e18, 100_000e18));
        house.addCollateral(IClearingHouse.CollateralConfig(address(wbtc), 8, "BTC", 100_000, 100e8, 1000e8));
        house.setGuardian(guardian);
        house.setFee(FEE_PPM);
    }

    function _openMarkets() private {
        _listUnderlying(ETH, "ETH");
        _listUnderlying(BTC, "BTC");
        house.setMarket(ETH, market("ETH"));
        house.setMarket(BTC, market("BTC"));
        near = uint32(block.timestamp + 7 days);
        far = uint32(block.timestamp + 30 days);
        parameters.listExpiry(ETH, near, strikes(1000, 200, 11), 600_000, 1e9, 1e9);
        parameters.listExpiry(ETH, far, strikes(1000, 200, 11), 600_000, 1e9, 1e9);
        parameters.listExpiry(BTC, near, strikes(40_000, 10_000, 5), 600_000, 1e9, 1e9);
        publish(ETH);
        publish(BTC);
        vm.roll(block.number + 100); // past the first notice
    }

    function _listUnderlying(uint16 u, bytes32 asset) private {
        parameters.listUnderlying(u, asset, aConfig(), theRanges(), theVolFences(), 150_000, 400_000, 250_000);
    }

    // --- settings -------------------------------------------------------------------------------------------------

    function auctionParams() internal pure returns (ILiquidationAuction.Params memory) {
        return ILiquidationAuction.Params({
            fastS: 600,
            slowS: 3600,
            startPpm: 980_000,
            cutoffPpm: 800_000,
            insolventS: 1200,
            bufferPpm: 100_000,
            coolOffS: 1800,
            dustUsd: 10e18,
            minGateUsd: 100e18
        });
    }

    function market(bytes32 asset) internal pure returns (IClearingHouse.UnderlyingMarket memory) {
        return IClearingHouse.UnderlyingMarket({
            asset: asset,
            priceBandPpm: 50_000,
            maxOpenInterestPerp: 1_000_000e18,
            maxOpenInterestInstrument: 100_000e18,
            maxOpenInterestExpiry: 500_000e18,
            maxPositionPerAccount: 50_000e18,
            maxFundingPpmPerDay: 3000,
            maxFundingStepPpm: 3000,
            minFundingDelayS: 3600,
            listed: true
        });
    }

    function strikes(uint256 firstUsd, uint256 stepUsd, uint256 n) internal pure returns (uint64[] memory s) {
        s = new uint64[](n);
        for (uint256 i; i < n; ++i) {
            s[i] = uint64((firstUsd + i * stepUsd) * 1e8);
        }
    }

    // --- instruments ----------------------------------------------------------------------------------------------

    function perp(uint16 u) internal pure returns (InstrumentId) {
        return InstrumentIds.perp(u);
    }

    function call_(uint16 u, uint32 expiry, uint256 strikeUsd) internal pure returns (InstrumentId) {
        return InstrumentIds.option(u, expiry, uint64(strikeUsd * 1e8), true);
    }

    function put_(uint16 u, uint32 expiry, uint256 strikeUsd) internal pure returns (InstrumentId) {
        return InstrumentIds.option(u, expiry, uint64(strikeUsd * 1e8), false);
    }

    /// Mid mark, at least 0: what most trades happen at.
    function fair(InstrumentId instrument) internal view returns (uint128) {
        uint16 u = instrument.underlyingOf();
        uint256 spot = oracle.price(u == ETH ? bytes32("ETH") : bytes32("BTC"));
        if (instrument.isPerp()) return uint128(spot);
        (int256 mid,,) =
            file.marks(u, instrument.expiryOf(), instrument.strikeOf(), instrument.kindOf() == InstrumentIds.CALL, spot);
        return mid > 0 ? uint128(uint256(mid)) : 0;
    }

    // --- accounts -------------------------------------------------------------------------------------------------

    function acct(address owner) internal pure returns (AccountId) {
        return sub(owner, 0);
    }

    function sub(address owner, uint96 number) internal pure returns (AccountId) {
        return AccountId.wrap((uint256(uint160(owner)) << 96) | number);
    }

    function give(AccountId account, uint256 usd) internal {
        giveUnits(account, USDC_ID, usd * 1e6);
    }

    function giveUnits(AccountId account, uint8 c, uint256 amount) internal {
        MockERC20 token = MockERC20(house.collateral(c).token);
        token.mint(address(this), amount);
        token.approve(address(house), amount);
        house.deposit(account, c, amount);
    }

    function give(address owner, uint256 usd) internal {
        give(acct(owner), usd);
    }

    function sizeOf(AccountId account, InstrumentId instrument) internal view returns (int256) {
        Position[] memory list = house.positions(account);
        for (uint256 i; i < list.length; ++i) {
            if (InstrumentId.unwrap(list[i].instrumentOf()) == InstrumentId.unwrap(instrument)) {
                return list[i].sizeOf();
            }
        }
        return 0;
    }

    function live(AccountId account) internal view returns (IClearingHouse.Margin memory) {
        return house.margin(account, FileVersion.Live);
    }

    function equity(AccountId account) internal view returns (int256) {
        return live(account).equity;
    }

    // --- trading --------------------------------------------------------------------------------------------------

    function order(AccountId account, InstrumentId instrument, bool isBuy, uint256 amount, uint256 limitPrice)
        internal
        returns (IClearingHouse.Order memory)
    {
        return IClearingHouse.Order({
            account: account,
            instrument: instrument,
            isBuy: isBuy,
            amount: uint128(amount),
            limitPrice: uint128(limitPrice),
            maxFee: type(uint64).max,
            nonce: nextNonce++,
            expiry: uint64(block.timestamp + 1 hours),
            submitter: address(0)
        });
    }

    function sign(IClearingHouse.Order memory o) internal view returns (bytes memory) {
        address owner = address(uint160(AccountId.unwrap(o.account) >> 96));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[owner], house.hashOrder(o));
        return abi.encodePacked(r, s, v);
    }

    /// Buyer and seller meet at `price`.
    function trade(AccountId buyer, AccountId seller, InstrumentId instrument, uint256 amount, uint256 price) internal {
        IClearingHouse.Order memory b = order(buyer, instrument, true, amount, price);
        IClearingHouse.Order memory s = order(seller, instrument, false, amount, price);
        house.trade(b, sign(b), s, sign(s), uint128(amount), uint128(price));
    }

    function trade(address buyer, address seller, InstrumentId instrument, uint256 amount) internal {
        trade(acct(buyer), acct(seller), instrument, amount, fair(instrument));
    }

    /// The same, telling whether it went through.
    function tryTrade(AccountId buyer, AccountId seller, InstrumentId instrument, uint256 amount, uint256 price)
        internal
        returns (bool ok, bytes memory reason)
    {
        IClearingHouse.Order memory b = order(buyer, instrument, true, amount, price);
        IClearingHouse.Order memory s = order(seller, instrument, false, amount, price);
        bytes memory data = abi.encodeCall(house.trade, (b, sign(b), s, sign(s), uint128(amount), uint128(price)));
        (ok, reason) = address(house).call(data);
    }

    function assertReverted(bool ok, bytes memory reason, bytes4 selector) internal pure {
        assertTrue(!ok, "expected a revert");
        assertEq(bytes32(bytes4(reason)), bytes32(selector), "wrong error");
    }

    // --- time, prices, publications -------------------------------------------------------------------------------

    /// Time passes, and the feeds speak.
    function pass(uint256 seconds_) internal {
        vm.warp(block.timestamp + seconds_);
        vm.roll(block.number + seconds_ / 12 + 1);
        (, int256 eth,,,) = ethFeed.latestRoundData();
        (, int256 btc,,,) = btcFeed.latestRoundData();
        ethFeed.push(eth);
        btcFeed.push(btc);
    }

    function setSpot(uint16 u, uint256 usd) internal {
        (u == ETH ? ethFeed : btcFeed).push(int256(usd * 1e8));
    }

    function inForce(uint16 u, uint32 expiry, bytes32 what) internal view returns (uint256 value) {
        (value,) = parameters.inForce(u, expiry, what);
    }

    /// What is in force, again, with a flat smile: legal by construction.
    function aPublication(uint16 u) internal view returns (IRiskParameters.Publication memory p) {
        (uint64 last,,,) = parameters.lastPublication(u);
        (p.id, p.validUntil, p.inputsHash) = (last + 1, uint64(block.timestamp + 600), keccak256("inputs"));
        p.expectedOld = parameters.targetDigest(u);
        p.psrPpm = uint24(inForce(u, 0, "psr"));
        p.vsrUpPpm = uint24(inForce(u, 0, "vsrUp"));
        p.vsrDownPpm = uint24(inForce(u, 0, "vsrDown"));
        uint32[] memory list = parameters.listedExpiries(u);
        p.expiries = new IRiskParameters.ExpiryPublication[](list.length);
        for (uint256 i; i < list.length; ++i) {
            IRiskParameters.ExpiryPublication memory e = p.expiries[i];
            uint32 sigma = uint32(inForce(u, list[i], "sigmaAtm"));
            (e.expiry, e.phiPpb, e.dfPpb, e.sigmaAtmPpm) = (list[i], uint40(inForce(u, list[i], "phi")), 1e9, sigma);
            e.sigmaPpm = new uint32[](parameters.listedStrikes(u, list[i]).length);
            for (uint256 k; k < e.sigmaPpm.length; ++k) {
                e.sigmaPpm[k] = sigma;
            }
        }
    }

    function publish(uint16 u) internal {
        publish(u, aPublication(u));
    }

    function publish(uint16 u, IRiskParameters.Publication memory p) internal {
        vm.prank(publisher);
        parameters.publish(u, p);
    }

    // --- liquidation ----------------------------------------------------------------------------------------------

    function flag(AccountId account) internal {
        vm.prank(liquidator);
        auction.flag(account, acct(liquidator));
    }

    function epochsOf(AccountId account) internal view returns (uint40[] memory epochs) {
        Position[] memory list = house.positions(account);
        epochs = new uint40[](list.length);
        uint256 n;
        for (uint256 i; i < list.length; ++i) {
            uint16 u = list[i].instrumentOf().underlyingOf();
            if (i != 0 && u == list[i - 1].instrumentOf().underlyingOf()) continue;
            epochs[n++] = file.header(u, FileVersion.Live).epoch;
        }
        assembly ("memory-safe") {
            mstore(epochs, n)
        }
    }

    function bid(AccountId account, address bidder, uint256 fraction) internal returns (uint256 taken, int256 cost) {
        house.touch(account);
        uint40[] memory epochs = epochsOf(account);
        vm.prank(bidder);
        return auction.bid(account, acct(bidder), fraction, epochs, type(int256).max);
    }
}
