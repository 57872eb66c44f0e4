// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Many calls in one, for chains of our own: the part of Multicall3 that the keeper uses.
/// @notice Answers like the contract that public chains have at 0xcA11bde05977b3631167028862bE2a173976CA11.  Nothing may
/// be approved to it: it calls whatever it is told to.
contract Multicall3 {
    struct Call3 {
        address target;
        bool allowFailure;
        bytes callData;
    }

    struct Result {
        bool success;
        bytes returnData;
    }

    error CallFailed(uint256 index, bytes reason);

    /// @notice Call each target in turn.
    /// @return results What each returned, or its revert data where failing is allowed.
    function aggregate3(Call3[] calldata calls) external payable returns (Result[] memory results) {
        results = new Result[](calls.length);
        for (uint256 i; i < calls.length; ++i) {
            Call3 calldata c = calls[i];
            (bool success, bytes memory data) = c.target.call(c.callData);
            if (!success && !c.allowFailure) revert CallFailed(i, data);
            results[i] = Result(success, data);
        }
    }

    function getBlockNumber() external view returns (uint256) {
        return block.number;
    }

    function getBlockHash(uint256 number) external view returns (bytes32) {
        return blockhash(number);
    }

    function getCurrentBlockTimestamp() external view returns (uint256) {
        return block.timestamp;
    }
}
