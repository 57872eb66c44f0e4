// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {InstrumentId, Position} from "../../src/interfaces/Types.sol";
import {InstrumentIds} from "../../src/libraries/InstrumentIds.sol";
import {Rows} from "../../src/libraries/Rows.sol";
import {Test} from "../utils/Test.sol";

contract RowsTest is Test {
    uint256 private constant VALUES = 0x1fffffff1fffffff1fffffff1fffffff1fffffff1fffffff1fffffff1fffffff;

    /// ROW-1: what is sealed into the spare bits comes back, and the values stay.
    function testFuzz_seal__any_rows_and_meta__both_come_back(uint256 a, uint256 b, uint256 c, uint72 meta)
        public
        pure
    {
        (a, b, c) = (a & VALUES, b & VALUES, c & VALUES);
        (uint256 x, uint256 y, uint256 z) = (Rows.seal(a, meta, 0), Rows.seal(b, meta, 1), Rows.seal(c, meta, 2));
        assertEq(Rows.metaOf(x, y, z), meta, "ROW-1 meta");
        assertEq(Rows.valuesOf(x), a, "ROW-1 values");
        assertEq(Rows.valuesOf(y), b, "ROW-1 values");
        assertEq(Rows.valuesOf(z), c, "ROW-1 values");
    }

    /// ROW-2: every bit of the meta has a place of its own.
    function test_seal__each_bit__comes_back() public pure {
        for (uint256 i; i < 72; ++i) {
            uint256 meta = 1 << i;
            (uint256 x, uint256 y, uint256 z) =
                (Rows.seal(VALUES, meta, 0), Rows.seal(VALUES, meta, 1), Rows.seal(VALUES, meta, 2));
            assertEq(Rows.metaOf(x, y, z), meta, "ROW-2");
        }
    }

    /// INS-1: an instrument and a position give back what went in, and their order is the order of the legs.
    function testFuzz_ids__any__round_trip(uint16 u, uint32 expiry, uint64 strike, bool isCall, int128 size)
        public
        pure
    {
        InstrumentId id = InstrumentIds.option(u, expiry, strike, isCall);
        Position p = InstrumentIds.position(id, size);
        assertEq(InstrumentIds.sizeOf(p), size, "INS-1 size");
        assertEq(InstrumentId.unwrap(InstrumentIds.instrumentOf(p)), InstrumentId.unwrap(id), "INS-1 id");
        assertEq(InstrumentIds.underlyingOf(id), u, "INS-1");
        assertEq(InstrumentIds.expiryOf(id), expiry, "INS-1");
        assertEq(InstrumentIds.strikeOf(id), strike, "INS-1");
        assertEq(InstrumentIds.isCall(id), isCall, "INS-1");
        assertEq(InstrumentIds.isValid(id), expiry != 0 && strike != 0, "INS-1");
        assertLt(InstrumentId.unwrap(InstrumentIds.perp(u)), InstrumentId.unwrap(id), "INS-1 perp first");
    }
}
