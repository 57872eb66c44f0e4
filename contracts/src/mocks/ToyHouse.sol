// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title A lending house small enough to be lived through ten thousand times.  For tests: no value may depend on it.
/// @notice Accounts have collateral and debt, one price values the collateral.  An account is healthy while its
///         collateral is worth at least its debt.  Every action carries a reference and counts how often it happened,
///         so that a test can tell that nothing was done twice.
contract ToyHouse {
    struct Account {
        uint128 collateral;
        uint128 debt;
    }

    error Healthy(uint256 id, uint256 value, uint256 debt);

    /// Absolute values; an account of zeros is closed.
    event AccountSet(uint256 indexed id, uint256 collateral, uint256 debt);
    event PriceSet(uint256 price);
    event Done(uint256 indexed ref, uint256 indexed id, address indexed by);

    /// What a unit of collateral is worth in a thousandth of a unit of debt.
    uint256 public price;
    mapping(uint256 id => Account) public accounts;
    /// How often the action with this reference happened.
    mapping(uint256 ref => uint256) public done;

    constructor(uint256 price_) {
        setPrice(price_);
    }

    function setPrice(uint256 price_) public {
        price = price_;
        emit PriceSet(price_);
    }

    function setAccount(uint256 id, uint128 collateral, uint128 debt) external {
        _set(id, collateral, debt);
    }

    /// @notice Take half of an unhealthy account's collateral, and its debt down to what the rest is worth.
    function liquidate(uint256 id, uint256 ref) external {
        Account memory account = accounts[id];
        uint256 value = worth(account.collateral);
        if (value >= account.debt) revert Healthy(id, value, account.debt);
        uint128 left = account.collateral / 2;
        _done(ref, id);
        _set(id, left, uint128(worth(left)));
    }

    /// @notice Something to send that is never refused and changes no account.
    function publish(uint256 ref) external {
        _done(ref, 0);
    }

    function worth(uint256 collateral) public view returns (uint256) {
        return collateral * price / 1000;
    }

    function healthy(uint256 id) external view returns (bool) {
        return worth(accounts[id].collateral) >= accounts[id].debt;
    }

    function _set(uint256 id, uint128 collateral, uint128 debt) private {
        accounts[id] = Account(collateral, debt);
        emit AccountSet(id, collateral, debt);
    }

    function _done(uint256 ref, uint256 id) private {
        done[ref] += 1;
        emit Done(ref, id, msg.sender);
    }
}
