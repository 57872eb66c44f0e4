// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title What the keeper publishes, and the fences around it.
interface IRiskParameters {
    /// Fixed by governance per underlying.
    struct UnderlyingConfig {
        uint24 tailPpm; // c of the tail law w(s) = c·PSR/|s|
        uint24 shortMinPpm; // charge per naked short option, of spot
        uint24 kappaPpm; // MM = (kappa + flagFee)·(grid + short minimum)
        uint24 flagFeePpm; // kappa + flagFee <= 1
        uint24 staleAddOnPpm; // IM widening while the file is stale
        uint24 imAddOnPpm; // IM widening always
        uint32 volFloorPpm; // floor of the shocked-up vol
        uint32 maxAgeS; // of a file before it is stale
        uint32 noticeBlocks; // between a publication and a flag it causes
        bool listed;
        uint24 slewPpmPerHour; // of the maintenance of a perp or a unit straddle, whatever is published (`Slew`)
        uint24 breakerAddOnPpm; // IM widening while the flash-crash breaker is open
    }

    /// Fence of one published number.  Steps and budgets are the tighter of relative and absolute.
    struct Fence {
        uint40 min;
        uint40 max;
        uint24 stepRelPpm; // of the old value, per publication
        uint40 stepAbs;
        uint24 budgetRelPpm; // net displacement per rolling 24 h
        uint40 budgetAbs;
    }

    /// How far the requirement of a standard portfolio (`Probes`) may move, whichever of the ranges moved it.
    struct JointFence {
        uint24 stepPpm; // per publication; start 220_000
        uint24 budgetPpm; // net per rolling 24 h; start 1_000_000
    }

    /// Fences on the three scan ranges.
    struct RangeFences {
        Fence psr; // names: "psr", "vsrUp", "vsrDown"
        Fence vsrUp;
        Fence vsrDown;
        JointFence joint; // on the three together: "joint"
    }

    /// Fences on volatilities and forwards.
    struct VolFences {
        uint32 sigmaMinPpm;
        uint32 sigmaMaxPpm;
        uint24 atmStepPpm; // |Δ ln σ_ATM| <= step · m(dte); start 200_000
        uint24 atmBudgetPpm; // net per rolling 24 h; start 450_000
        uint24 smileMinPpm; // σ_K / σ_ATM; start 700_000
        uint24 smileMaxPpm; // start 2_000_000
        uint40 phiMinPpb;
        uint40 phiMaxPpb;
        uint40 phiStepPpb; // in an hour; a publication has what passed of it since the last one
        uint40 phiBudgetPpb;
        uint24 carryMaxPpm; // |φ − 1| <= carryMax · T_years + 1 %
        uint40 dfMinPpb;
        uint32 minDelayS; // between publications of one underlying
        uint24 smileStepPpm; // |Δ σ_K/σ_ATM| per publication, ppm of σ_ATM; start 150_000
        uint24 smileBudgetPpm; // net per rolling 24 h; start 350_000
        uint40 dfStepPpb; // as of phi
        uint40 dfBudgetPpb;
    }

    struct ExpiryPublication {
        uint32 expiry;
        uint40 phiPpb;
        uint40 dfPpb;
        uint32 sigmaAtmPpm;
        uint32[] sigmaPpm; // one per listed strike, ascending; 0 leaves out a strike that was never in force
    }

    struct Publication {
        uint64 id; // one more than that of the last publication of the underlying
        uint64 validUntil; // unix seconds
        bytes32 inputsHash; // of what the numbers were computed from
        bytes32 expectedOld; // `targetDigest` that the numbers were computed against
        uint24 psrPpm;
        uint24 vsrUpPpm;
        uint24 vsrDownPpm;
        ExpiryPublication[] expiries; // every listed, unexpired expiry, ascending
    }

    /// What `preview` says of one item of a publication.
    struct ItemVerdict {
        uint32 expiry; // 0 for the ranges
        // "psr", "vsrUp", "vsrDown", "joint"; of an expiry the number that fails, or "rows", or "calendar"; "expiry" if
        // nothing does
        bytes32 what;
        bytes reason; // the error; empty if it passes
        uint64 nextAllowed; // 0 if it passes; second from which the number that fails would, max if waiting does not help
    }

    /// What `publish` would do now.
    struct Preview {
        bool ok; // it passes whole, every item of it
        bytes reason; // why nothing of it passes; empty if something does
        uint64 nextAllowed; // the latest of what is refused; a notice window ends at a block: one a second is counted
        ItemVerdict[] items; // psr, vsrUp, vsrDown, joint, then expiries; none if refused before one was looked at
    }

    error OutOfRange(bytes32 what, uint256 value, uint256 min, uint256 max);
    error StepTooLarge(bytes32 what, uint256 oldValue, uint256 newValue, uint256 limit);
    error BudgetExceeded(bytes32 what, uint256 anchor, uint256 newValue, uint256 limit);
    /// The requirement of a standard portfolio moves too far, from what is in force or from what was a day ago.
    error JointMove(uint8 probe, uint256 from, uint256 newValue, uint256 limitPpm);
    error Vetoed(uint256 until);
    error Paused(uint16 underlying, uint256 until);
    /// The numbers were computed against another target than the one last set.
    error UnexpectedOld(bytes32 given, bytes32 last);
    error TooEarly(uint256 nextAllowed, uint256 nowS);
    error Expired(uint64 validUntil, uint256 nowS);
    /// Ids count publications without a gap, so that no one of them can use the others up.
    error WrongId(uint64 given, uint64 next);
    error SmileOutOfBand(uint32 expiry, uint64 strike, uint32 sigmaPpm, uint32 sigmaAtmPpm);
    error CalendarArbitrage(uint32 expiryBefore, uint32 expiry);
    error ButterflyArbitrage(uint32 expiry, uint64 strike);
    error WrongExpiries(uint256 given, uint256 listed);
    error WrongStrikes(uint32 expiry, uint256 given, uint256 listed);
    error NotListed(uint16 underlying);
    error Frozen(uint16 underlying);
    error EmergencyBudget(uint16 underlying, uint256 cost, uint256 left);
    error NothingToVeto(uint16 underlying);
    /// Between two pauses, and between two vetoes, lies a day in which neither holds.
    error GuardianRests(uint16 underlying, uint256 until);
    error BadConfig(bytes32 what);
    /// Forwards and discount factors may move a requirement by a fifth of the slew rate, ppb an hour.
    error ForwardsFasterThanSlew(uint256 askedPpb, uint256 mostPpb);
    /// What `dryRun` reverts with when every check holds.
    error DryRunPassed();

    event UnderlyingConfigured(uint16 indexed underlying, UnderlyingConfig config);
    event FencesSet(uint16 indexed underlying, bytes32 indexed what);
    event PublishingPaused(uint16 indexed underlying, uint256 until, address indexed by);
    /// What was in force when the loosening was stopped is the target again.
    event LooseningVetoed(
        uint16 indexed underlying,
        uint24 psrPpm,
        uint24 vsrUpPpm,
        uint24 vsrDownPpm,
        uint256 noLooseningUntil,
        address indexed by
    );
    /// MM moves from (1 + from) to (1 + peak) times in an hour; IM is there at once.
    event EmergencyCalled(uint16 indexed underlying, uint24 fromPpm, uint24 peakPpm);
    event StateAddOnSet(uint16 indexed underlying, uint24 addOnPpm, uint40 validUntil);
    event Widened(uint16 indexed underlying, uint40 until);
    event ExpiryListed(
        uint16 indexed underlying,
        uint32 indexed expiry,
        uint64[] strikes,
        uint32 sigmaAtmPpm,
        uint40 phiPpb,
        uint40 dfPpb
    );
    event FrozenSet(uint16 indexed underlying, bool frozen, address indexed by);
    event StrikesListed(uint16 indexed underlying, uint32 indexed expiry, uint64[] strikes);
    /// Rows go into the idle bank from here; an earlier staging that was not flipped is void.
    event PublicationStaged(uint16 indexed underlying, uint64 indexed id, uint40 epoch);
    event Published(
        uint16 indexed underlying,
        uint64 indexed id,
        uint40 indexed epoch,
        bytes32 inputsHash,
        uint24 psrPpm,
        uint24 vsrUpPpm,
        uint24 vsrDownPpm
    );
    /// One item of a publication does not pass and keeps what is in force; the others bind.  Comes before `Published`,
    /// and after the `ExpiryPublished` of what it takes back if that was staged.
    /// @param expiry 0 for the ranges.
    /// @param what the number that fails; "rows" if rows could not be made of the volatilities; "calendar" if it gives way
    /// to another expiry.
    /// @param reason the error.
    event ItemRefused(uint16 indexed underlying, uint64 indexed id, uint32 expiry, bytes32 what, bytes reason);
    /// Binds with the `Published` that follows it.  A strike at 0 stays out of the file.
    event ExpiryPublished(
        uint16 indexed underlying,
        uint32 indexed expiry,
        uint40 phiPpb,
        uint40 dfPpb,
        uint32 sigmaAtmPpm,
        uint32[] sigmaPpm
    );

    /// Governance: a new underlying with the scan ranges that anchor its fences.
    function listUnderlying(
        uint16 underlying,
        bytes32 asset,
        UnderlyingConfig calldata c,
        RangeFences calldata ranges,
        VolFences calldata vols,
        uint24 psrPpm,
        uint24 vsrUpPpm,
        uint24 vsrDownPpm
    ) external;
    function setConfig(uint16 underlying, UnderlyingConfig calldata c) external;
    /// @param what "psr", "vsrUp" or "vsrDown", left-aligned.
    function setFence(uint16 underlying, bytes32 what, Fence calldata f) external;
    function setVolFences(uint16 underlying, VolFences calldata v) external;
    function setJointFence(uint16 underlying, JointFence calldata f) external;

    /// Governance: from now on nothing a publisher does moves a number of this underlying, until governance thaws it.  A staged publication is void.  What is in force stays in force and refreshable by anyone, so that
    /// trading and liquidation go on.  Freezing the frozen changes nothing.
    function freeze(uint16 underlying) external;
    function thaw(uint16 underlying) external;

    // --- faster than a publication, each only tighter or only waiting, each over by itself ----------------------------

    /// What stands of all that, now.
    struct ControlState {
        uint24 emergencyMmPpm; // part by which MM is raised
        uint24 emergencyImPpm; // and IM
        uint24 emergencyPeakPpm; // 0 when it is over
        uint40 emergencyCalledAt;
        uint24 emergencyLeftPpm; // of its budget
        uint24 stateAddOnPpm; // 0 when it has lapsed
        uint40 stateUntil;
        uint40 widenUntil;
        uint40 pausedUntil;
        uint40 noLooseningUntil;
    }

    /// Guardian: no publication, add-on or funding rate for 72 hours, then a day in which it cannot be paused again.  What
    /// is in force stays in force: a funding rate goes on, a state add-on lapses at its end and cannot be renewed, so IM
    /// falls by it then.  Refresh, trading, liquidation and the emergency lane go on.
    function pause(uint16 underlying) external;
    /// Guardian: stop a loosening on its way.  Where a target is below the range in force, the range becomes the target;
    /// no publication lowers one for a day.  What is staged is void.  Not again for a day after that.
    function veto(uint16 underlying) external;
    /// Emergency role, held by a quorum of keepers: raise MM to (1 + peak) times over an hour, IM at once, both back to
    /// nothing a day after the call.  `peakPpm` lies above what is in force and is at most 1e6; what it adds, in
    /// height and in duration, counts against a budget of 1e6 (one doubling out of rest) that refills in a week.  Neither a pause nor a missing publication stops it.
    function tighten(uint16 underlying, uint24 peakPpm) external;
    /// Publisher: widen IM for a state of the market (a late oracle, a lost peg, crowded open interest), at most by half
    /// and for a day.  MM does not move.
    function setStateAddOn(uint16 underlying, uint24 addOnPpm, uint40 validUntil) external;
    /// Breaker role: widen IM by `breakerAddOnPpm`, at most for fifteen minutes from now.
    function widen(uint16 underlying, uint40 until) external;
    function controls(uint16 underlying) external view returns (ControlState memory);
    /// The configuration with `kappaPpm` and `imAddOnPpm` as they bind now: what margins are made of.
    function effective(uint16 underlying) external view returns (UnderlyingConfig memory);

    /// One transaction: fences, rows into the idle bank, flip.  An item that does not pass keeps what is in force
    /// (`ItemRefused`), and strikes that never were stay out of the file; of two expiries out of calendar order the new one
    /// gives way.  The whole reverts if nothing passes.
    function publish(uint16 underlying, Publication calldata p) external;
    /// Several transactions: open with the header, add expiries in order, flip.  Nothing is live until `flip`.
    function stage(uint16 underlying, Publication calldata p) external;
    function stageExpiries(uint16 underlying, ExpiryPublication[] calldata expiries) external;
    /// The fences on the numbers are checked here, at the time they bind.  Staged rows rest on the staged ranges, so a
    /// range that `stage` took and that does not pass any more is refused with all the rest.  Expiries and strikes listed
    /// since are left out.
    function flip(uint16 underlying) external;
    /// Whether `publish` would land every item now, rows included, and if not the first error.  Meant for `eth_call`: it
    /// changes nothing, but computes every row, so it is not `view`.
    function checkPublication(uint16 underlying, Publication calldata p) external returns (bool ok, bytes memory reason);
    /// What `publish` would do with each item now, and when it would pass: every fence, rows included, the notice window,
    /// which is counted in blocks, and the oracle.  `ok` exactly where every item would land.
    function preview(uint16 underlying, Publication calldata p) external view returns (Preview memory);

    /// Governance or lister: a new expiry with its first σ_ATM, φ and discount factor, which anchor the step fences.  It
    /// must fit the total variance of the expiries with strikes in force; while it does not any more, publications leave
    /// its strikes out and move its numbers by steps.
    function listExpiry(
        uint16 underlying,
        uint32 expiry,
        uint64[] calldata strikes,
        uint32 sigmaAtmPpm,
        uint40 phiPpb,
        uint40 dfPpb
    ) external;
    /// More strikes of a listed expiry.
    function listStrikes(uint16 underlying, uint32 expiry, uint64[] calldata strikes) external;

    /// Whether publishing is stopped.  Not the same as never published: `lastPublication` says that.
    function frozen(uint16 underlying) external view returns (bool);
    function fence(uint16 underlying, bytes32 what) external view returns (Fence memory);
    function volFences(uint16 underlying) external view returns (VolFences memory);
    /// The value that steps are measured from, and the anchor of the budget, now.
    /// @param expiry 0 for "psr", "vsrUp", "vsrDown"; an expiry for "sigmaAtm", "phi" and "df".
    function inForce(uint16 underlying, uint32 expiry, bytes32 what)
        external
        view
        returns (uint256 value, uint256 anchor);
    /// The same with the anchors of the hours to come: entry k is the one that binds in the k-th hour from now if nothing
    /// is published until then.
    function standing(uint16 underlying, uint32 expiry, bytes32 what)
        external
        view
        returns (uint256 value, uint32[26] memory anchors);
    /// Volatility over σ_ATM of every listed strike and its last day, one word each (`SmileRing`); 0 if never published.
    function smileRings(uint16 underlying, uint32 expiry) external view returns (uint256[] memory);
    function jointFence(uint16 underlying) external view returns (JointFence memory);
    /// Of the last set target: its id, its ranges, and φ, df and σ_ATM of each expiry that bind.  0 before the first.
    function targetDigest(uint16 underlying) external view returns (bytes32);
    function config(uint16 underlying) external view returns (UnderlyingConfig memory);
    function listedExpiries(uint16 underlying) external view returns (uint32[] memory); // unexpired, ascending
    function listedStrikes(uint16 underlying, uint32 expiry) external view returns (uint64[] memory);
    function lastPublication(uint16 underlying)
        external
        view
        returns (uint64 id, uint64 time, uint64 blockNumber, bytes32 inputsHash);
    /// Whether `block.number` lies inside the notice window of the last publication.
    function inNotice(uint16 underlying) external view returns (bool);
}
