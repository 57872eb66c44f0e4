// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";

/// @notice What an underlying is listed with, unless a test is about something else.
abstract contract Listing {
    function aConfig() internal pure returns (IRiskParameters.UnderlyingConfig memory) {
        return IRiskParameters.UnderlyingConfig({
            tailPpm: 750_000,
            shortMinPpm: 10_000,
            kappaPpm: 800_000,
            flagFeePpm: 10_000,
            staleAddOnPpm: 200_000,
            imAddOnPpm: 0,
            volFloorPpm: 400_000,
            maxAgeS: 3600,
            noticeBlocks: 10,
            listed: true,
            slewPpmPerHour: 25_000,
            breakerAddOnPpm: 250_000
        });
    }

    function theRanges() internal pure returns (IRiskParameters.RangeFences memory) {
        return IRiskParameters.RangeFences({
            psr: IRiskParameters.Fence(50_000, 400_000, 200_000, 50_000, 400_000, 100_000),
            vsrUp: IRiskParameters.Fence(100_000, 1_500_000, 250_000, 200_000, 500_000, 400_000),
            vsrDown: IRiskParameters.Fence(50_000, 600_000, 250_000, 100_000, 500_000, 200_000),
            joint: IRiskParameters.JointFence(300_000, 1_000_000)
        });
    }

    function theVolFences() internal pure returns (IRiskParameters.VolFences memory) {
        return IRiskParameters.VolFences({
            sigmaMinPpm: 100_000,
            sigmaMaxPpm: 4_000_000,
            atmStepPpm: 200_000,
            atmBudgetPpm: 450_000,
            smileMinPpm: 700_000,
            smileMaxPpm: 2_000_000,
            phiMinPpb: 8e8,
            phiMaxPpb: 13e8,
            phiStepPpb: 2e6,
            phiBudgetPpb: 1e7,
            carryMaxPpm: 300_000,
            dfMinPpb: 8e8,
            minDelayS: 600,
            smileStepPpm: 150_000,
            smileBudgetPpm: 350_000,
            dfStepPpb: 1_000_000,
            dfBudgetPpb: 5_000_000
        });
    }
}
