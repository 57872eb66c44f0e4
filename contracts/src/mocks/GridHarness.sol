// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskFile} from "../interfaces/IRiskFile.sol";
import {Position} from "../interfaces/Types.sol";
import {Black76} from "../libraries/Black76.sol";
import {Grid} from "../libraries/Grid.sol";
import {Legs} from "../libraries/Legs.sol";
import {Q64} from "../libraries/Q64.sol";
import {Rows} from "../libraries/Rows.sol";
import {Scenarios} from "../libraries/Scenarios.sol";

/// @title The integer arithmetic without storage, in batches: what Python's twin is compared with.
/// @notice The same libraries as RiskFile's, over a file and legs given in calldata.  Never part of a deployment.
contract GridHarness {
    using Legs for Legs.Walk;
    using Rows for Rows.Slate;

    struct StrikeIn {
        uint64 strike;
        uint32 sigmaPpm;
        uint256[3] words; // row j in word j/8 at bit 32·(j mod 8)
    }

    struct ExpiryIn {
        uint32 expiry;
        uint40 phiPpb;
        uint40 dfPpb;
        StrikeIn[] strikes; // ascending
    }

    struct FileIn {
        uint256 refSpot;
        uint256 psrPpm;
        uint256 tailPpm;
        uint256 shortMinPpm;
        ExpiryIn[] expiries; // ascending
    }

    struct Portfolio {
        uint256 file; // index
        Position[] legs;
        int256 perpSize;
        uint256 spot;
        uint256 nowS;
    }

    struct Result {
        int256 optionMark;
        uint256 grid;
        uint256 shortMinimum;
        uint8 worstRow;
    }

    struct StrikeQuery {
        uint64 strike;
        uint32 sigmaPpm;
        uint32 expiry;
        uint40 phiPpb;
        uint40 dfPpb;
        uint24 psrPpm;
        uint24 vsrUpPpm;
        uint24 vsrDownPpm;
        uint32 volFloorPpm;
        uint256 refSpot;
        uint256 nowS;
    }

    function exp(int256[] calldata x) external pure returns (int256[] memory y) {
        y = new int256[](x.length);
        for (uint256 i; i < x.length; ++i) {
            y[i] = Q64.exp(x[i]);
        }
    }

    function ln(uint256[] calldata x) external pure returns (int256[] memory y) {
        y = new int256[](x.length);
        for (uint256 i; i < x.length; ++i) {
            y[i] = Q64.ln(x[i]);
        }
    }

    function sqrt(uint256[] calldata x) external pure returns (uint256[] memory y) {
        y = new uint256[](x.length);
        for (uint256 i; i < x.length; ++i) {
            y[i] = Q64.sqrt(x[i]);
        }
    }

    function mills(int256[] calldata x) external pure returns (int256[] memory y) {
        y = new int256[](x.length);
        for (uint256 i; i < x.length; ++i) {
            y[i] = Q64.mills(x[i]);
        }
    }

    /// @param q forward, strike, logMoneyness, v.
    function call(int256[4][] calldata q) external pure returns (int256[] memory y) {
        y = new int256[](q.length);
        for (uint256 i; i < q.length; ++i) {
            y[i] = Black76.call(q[i][0], q[i][1], q[i][2], q[i][3]);
        }
    }

    /// @param q sigmaPpm, seconds.
    function deviation(uint256[2][] calldata q) external pure returns (uint256[] memory y) {
        y = new uint256[](q.length);
        for (uint256 i; i < q.length; ++i) {
            y[i] = Black76.deviation(q[i][0], Black76.sqrtYears(q[i][1]));
        }
    }

    function levels(uint256 psrPpm) external pure returns (uint256[24] memory) {
        return Scenarios.levels(psrPpm);
    }

    function weights(uint256 psrPpm, uint256 tailPpm) external pure returns (uint256[24] memory) {
        return Scenarios.weights(psrPpm, tailPpm);
    }

    function termFactor(uint256[] calldata secs) external pure returns (uint256[] memory y) {
        y = new uint256[](secs.length);
        for (uint256 i; i < secs.length; ++i) {
            y[i] = Scenarios.termFactor(secs[i]);
        }
    }

    /// @param q sigmaPpm, vsrUpPpm, vsrDownPpm, m, floorPpm.
    function shockedVols(uint256[5][] calldata q) external pure returns (uint256[2][] memory y) {
        y = new uint256[2][](q.length);
        for (uint256 i; i < q.length; ++i) {
            y[i][0] = Scenarios.volUp(q[i][0], q[i][1], q[i][3], q[i][4]);
            y[i][1] = Scenarios.volDown(q[i][0], q[i][2], q[i][3]);
        }
    }

    /// @notice 24 values and the mark (last) of each.
    function strikeArrays(StrikeQuery[] calldata q) external pure returns (uint256[25][] memory values) {
        values = new uint256[25][](q.length);
        for (uint256 i; i < q.length; ++i) {
            StrikeQuery calldata one = q[i];
            Rows.Slate memory s;
            (s.refSpot, s.time) = (one.refSpot, one.nowS);
            (s.vsrUp, s.vsrDown, s.volFloor) = (one.vsrUpPpm, one.vsrDownPpm, one.volFloorPpm);
            s.open(one.psrPpm);
            s.prepare(one.expiry, one.phiPpb, one.dfPpb);
            uint256[3] memory w;
            (w[0], w[1], w[2], values[i][24]) = s.rows(one.strike, one.sigmaPpm);
            for (uint256 j; j < 24; ++j) {
                values[i][j] = uint32(w[j / 8] >> (32 * (j % 8)));
            }
        }
    }

    /// @notice Assess many portfolios over the given files, which must hold every leg.
    function assess(FileIn[] calldata files, Portfolio[] calldata portfolios)
        external
        pure
        returns (Result[] memory results)
    {
        results = new Result[](portfolios.length);
        for (uint256 i; i < portfolios.length; ++i) {
            results[i] = _assess(files[portfolios[i].file], portfolios[i]);
        }
    }

    function _assess(FileIn calldata f, Portfolio calldata p) private pure returns (Result memory r) {
        Legs.Walk memory w;
        (w.spot, w.refSpot) = (p.spot, f.refSpot);
        if (p.legs.length != 0) w.underlying = Position.unwrap(p.legs[0]) >> 240;
        Grid.Sums memory sums;
        uint256[24] memory rowLevels = Scenarios.levels(f.psrPpm);
        _sum(f, p, w, sums, rowLevels);
        (r.optionMark, r.shortMinimum) = (w.optionMark, w.shortMinimum(f.shortMinPpm));
        (r.grid, r.worstRow) =
            Grid.worst(sums, rowLevels, Grid.Context(f.refSpot, p.spot, f.psrPpm, f.tailPpm, w.optionMark, p.perpSize));
    }

    function _sum(
        FileIn calldata f,
        Portfolio calldata p,
        Legs.Walk memory w,
        Grid.Sums memory sums,
        uint256[24] memory rowLevels
    ) private pure {
        uint256 e;
        uint256 k;
        uint256 i;
        while (i < p.legs.length) {
            uint256 id;
            (id, i) = w.read(p.legs, i);
            if (uint32(id >> 72) != w.expiry) {
                w.close(sums, rowLevels);
                while (f.expiries[e].expiry != uint32(id >> 72)) ++e;
                k = 0;
                w.open(f.expiries[e].expiry, f.expiries[e].phiPpb, f.expiries[e].dfPpb, p.nowS);
            }
            while (f.expiries[e].strikes[k].strike != uint64(id >> 8)) ++k;
            StrikeIn calldata s = f.expiries[e].strikes[k];
            Grid.add(sums, w.value(sums, s.strike, s.sigmaPpm), s.words[0], s.words[1], s.words[2]);
        }
        w.close(sums, rowLevels);
        if (w.total >= Grid.MAX_TOTAL_SIZE) revert IRiskFile.SizeOverflow(w.total);
    }
}
