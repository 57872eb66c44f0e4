// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Vm} from "./Vm.sol";

/// @notice The lists forge's invariant runner asks a test contract for.  Forge finds them by these names and layouts.
abstract contract InvariantTargets {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    address[] private _targetContracts;
    address[] private _excludedContracts;
    address[] private _targetSenders;
    address[] private _excludedSenders;
    FuzzSelector[] private _targetSelectors;
    FuzzSelector[] private _excludedSelectors;

    /// @dev Call only functions of `target` (and of others named this way): usually a handler.
    function targetContract(address target) internal {
        _targetContracts.push(target);
    }

    function excludeContract(address target) internal {
        _excludedContracts.push(target);
    }

    function targetSender(address sender) internal {
        _targetSenders.push(sender);
    }

    function excludeSender(address sender) internal {
        _excludedSenders.push(sender);
    }

    /// @dev Of `target`, call only `selectors`.
    function targetSelector(address target, bytes4[] memory selectors) internal {
        _targetSelectors.push(FuzzSelector(target, selectors));
    }

    function excludeSelector(address target, bytes4[] memory selectors) internal {
        _excludedSelectors.push(FuzzSelector(target, selectors));
    }

    function targetContracts() public view returns (address[] memory) {
        return _targetContracts;
    }

    function excludeContracts() public view returns (address[] memory) {
        return _excludedContracts;
    }

    function targetSenders() public view returns (address[] memory) {
        return _targetSenders;
    }

    function excludeSenders() public view returns (address[] memory) {
        return _excludedSenders;
    }

    function targetSelectors() public view returns (FuzzSelector[] memory) {
        return _targetSelectors;
    }

    function excludeSelectors() public view returns (FuzzSelector[] memory) {
        return _excludedSelectors;
    }
}

/// @notice Base of every Solidity test: the cheatcodes as `vm`, and assertions that revert with what they compared.
abstract contract Test is InvariantTargets {
    /// @dev forge runs contracts that answer true here.
    bool public constant IS_TEST = true;

    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error AssertionFailed(string what);

    // --- values ---------------------------------------------------------------------------------------------------

    /// @notice Folds any `x` into [low, high]; both ends are reached, and small and huge values of `x` land on them.
    function bound(uint256 x, uint256 low, uint256 high) internal pure returns (uint256) {
        require(low <= high, "bound: low > high");
        if (x >= low && x <= high) return x;
        uint256 size = high - low;
        if (size == type(uint256).max) return x;
        unchecked {
            size += 1;
            // The ends matter most in fuzzing: 0..3 and 2^256-4.. are frequent inputs, keep them at the ends.
            if (x <= 3 && size > x) return low + x;
            if (x >= type(uint256).max - 3 && size > type(uint256).max - x) return high - (type(uint256).max - x);
            return low + x % size;
        }
    }

    /// @notice The same for signed values.
    function bound(int256 x, int256 low, int256 high) internal pure returns (int256) {
        require(low <= high, "bound: low > high");
        // Shifting by 2^255 keeps the order and makes the values unsigned.
        uint256 shift = uint256(1) << 255;
        unchecked {
            uint256 folded = bound(uint256(x) + shift, uint256(low) + shift, uint256(high) + shift);
            return int256(folded - shift);
        }
    }

    /// @notice An address with a known key, labelled `name` in traces.
    function makeAddrAndKey(string memory name) internal returns (address who, uint256 key) {
        key = uint256(keccak256(bytes(name)));
        who = vm.addr(key);
        vm.label(who, name);
    }

    function makeAddr(string memory name) internal returns (address who) {
        (who,) = makeAddrAndKey(name);
    }

    /// @notice Moves time forward.
    function skipTime(uint256 seconds_) internal {
        vm.warp(vm.getBlockTimestamp() + seconds_);
    }

    // --- assertions -----------------------------------------------------------------------------------------------

    function fail(string memory what) internal pure {
        revert AssertionFailed(what);
    }

    function assertTrue(bool condition) internal pure {
        assertTrue(condition, "expected true");
    }

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) fail(what);
    }

    function assertFalse(bool condition) internal pure {
        assertTrue(!condition, "expected false");
    }

    function assertFalse(bool condition, string memory what) internal pure {
        assertTrue(!condition, what);
    }

    function assertEq(uint256 a, uint256 b) internal pure {
        assertEq(a, b, "");
    }

    function assertEq(uint256 a, uint256 b, string memory what) internal pure {
        if (a != b) _compared(what, vm.toString(a), "!=", vm.toString(b));
    }

    function assertEq(int256 a, int256 b) internal pure {
        assertEq(a, b, "");
    }

    function assertEq(int256 a, int256 b, string memory what) internal pure {
        if (a != b) _compared(what, vm.toString(a), "!=", vm.toString(b));
    }

    function assertEq(address a, address b) internal pure {
        assertEq(a, b, "");
    }

    function assertEq(address a, address b, string memory what) internal pure {
        if (a != b) _compared(what, vm.toString(a), "!=", vm.toString(b));
    }

    function assertEq(bool a, bool b) internal pure {
        assertEq(a, b, "");
    }

    function assertEq(bool a, bool b, string memory what) internal pure {
        if (a != b) _compared(what, vm.toString(a), "!=", vm.toString(b));
    }

    function assertEq(bytes32 a, bytes32 b) internal pure {
        assertEq(a, b, "");
    }

    function assertEq(bytes32 a, bytes32 b, string memory what) internal pure {
        if (a != b) _compared(what, vm.toString(a), "!=", vm.toString(b));
    }

    function assertEq(bytes memory a, bytes memory b) internal pure {
        assertEq(a, b, "");
    }

    function assertEq(bytes memory a, bytes memory b, string memory what) internal pure {
        if (keccak256(a) != keccak256(b)) _compared(what, vm.toString(a), "!=", vm.toString(b));
    }

    function assertEq(string memory a, string memory b) internal pure {
        if (keccak256(bytes(a)) != keccak256(bytes(b))) _compared("", a, "!=", b);
    }

    function assertNotEq(uint256 a, uint256 b) internal pure {
        if (a == b) _compared("", vm.toString(a), "==", vm.toString(b));
    }

    function assertNotEq(address a, address b) internal pure {
        if (a == b) _compared("", vm.toString(a), "==", vm.toString(b));
    }

    function assertNotEq(bytes32 a, bytes32 b) internal pure {
        if (a == b) _compared("", vm.toString(a), "==", vm.toString(b));
    }

    function assertLt(uint256 a, uint256 b) internal pure {
        assertLt(a, b, "");
    }

    function assertLt(uint256 a, uint256 b, string memory what) internal pure {
        if (a >= b) _compared(what, vm.toString(a), ">=", vm.toString(b));
    }

    function assertLt(int256 a, int256 b) internal pure {
        assertLt(a, b, "");
    }

    function assertLt(int256 a, int256 b, string memory what) internal pure {
        if (a >= b) _compared(what, vm.toString(a), ">=", vm.toString(b));
    }

    function assertLe(uint256 a, uint256 b) internal pure {
        assertLe(a, b, "");
    }

    function assertLe(uint256 a, uint256 b, string memory what) internal pure {
        if (a > b) _compared(what, vm.toString(a), ">", vm.toString(b));
    }

    function assertLe(int256 a, int256 b) internal pure {
        assertLe(a, b, "");
    }

    function assertLe(int256 a, int256 b, string memory what) internal pure {
        if (a > b) _compared(what, vm.toString(a), ">", vm.toString(b));
    }

    function assertGt(uint256 a, uint256 b) internal pure {
        assertLt(b, a, "");
    }

    function assertGt(uint256 a, uint256 b, string memory what) internal pure {
        assertLt(b, a, what);
    }

    function assertGt(int256 a, int256 b) internal pure {
        assertLt(b, a, "");
    }

    function assertGt(int256 a, int256 b, string memory what) internal pure {
        assertLt(b, a, what);
    }

    function assertGe(uint256 a, uint256 b) internal pure {
        assertLe(b, a, "");
    }

    function assertGe(uint256 a, uint256 b, string memory what) internal pure {
        assertLe(b, a, what);
    }

    function assertGe(int256 a, int256 b) internal pure {
        assertLe(b, a, "");
    }

    function assertGe(int256 a, int256 b, string memory what) internal pure {
        assertLe(b, a, what);
    }

    function assertApproxEqAbs(uint256 a, uint256 b, uint256 maxDelta) internal pure {
        assertApproxEqAbs(a, b, maxDelta, "");
    }

    function assertApproxEqAbs(uint256 a, uint256 b, uint256 maxDelta, string memory what) internal pure {
        uint256 delta = a > b ? a - b : b - a;
        if (delta > maxDelta) _compared(_join(what, vm.toString(maxDelta)), vm.toString(a), "!~", vm.toString(b));
    }

    function assertApproxEqAbs(int256 a, int256 b, uint256 maxDelta) internal pure {
        assertApproxEqAbs(a, b, maxDelta, "");
    }

    function assertApproxEqAbs(int256 a, int256 b, uint256 maxDelta, string memory what) internal pure {
        // Differences of signed values fit in uint256 when taken modulo 2^256, larger minus smaller.
        uint256 delta;
        unchecked {
            delta = a > b ? uint256(a) - uint256(b) : uint256(b) - uint256(a);
        }
        if (delta > maxDelta) _compared(_join(what, vm.toString(maxDelta)), vm.toString(a), "!~", vm.toString(b));
    }

    /// @notice |a - b| <= b · maxDelta / 1e18.
    function assertApproxEqRel(uint256 a, uint256 b, uint256 maxDelta) internal pure {
        assertApproxEqRel(a, b, maxDelta, "");
    }

    function assertApproxEqRel(uint256 a, uint256 b, uint256 maxDelta, string memory what) internal pure {
        uint256 delta = a > b ? a - b : b - a;
        // Divide first where the product would overflow; the test's tolerance is far coarser than what that loses.
        uint256 allowed = b > type(uint256).max / maxDeltaOrOne(maxDelta) ? (b / 1e18) * maxDelta : b * maxDelta / 1e18;
        if (delta > allowed) _compared(_join(what, vm.toString(maxDelta)), vm.toString(a), "!~", vm.toString(b));
    }

    function maxDeltaOrOne(uint256 maxDelta) private pure returns (uint256) {
        return maxDelta == 0 ? 1 : maxDelta;
    }

    function _join(string memory what, string memory tolerance) private pure returns (string memory) {
        return string.concat(what, " (tolerance ", tolerance, ")");
    }

    function _compared(string memory what, string memory a, string memory relation, string memory b) private pure {
        fail(string.concat(what, bytes(what).length == 0 ? "" : ": ", a, " ", relation, " ", b));
    }
}
