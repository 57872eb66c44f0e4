"""PMRM2 once more, straight from its formulas: plain Python, one number at a time, nothing shared with the kernel.

Takes a case object as its JSON says and gives {"IM", "MM", "mtm", "worst"}.  Source: derive_pmrm2 in the margin
methodology.
"""

import copy
import math

YEAR = 365.0 * 86400.0


def merged(base, part):
    out = copy.deepcopy(base)
    for key, value in part.items():
        out[key] = merged(out[key], value) if isinstance(value, dict) else value
    return out


def normal(x):
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def black(forward, strike, vol, years, df, *, call):
    if strike == 0.0:
        return forward * df if call else 0.0
    if forward == 0.0:
        return 0.0 if call else strike * df
    dev = min(vol * math.sqrt(years), 24.0)
    if dev == 0.0:
        return df * max(0.0, forward - strike if call else strike - forward)
    d1 = math.log(forward / strike) / dev + dev / 2.0
    d2 = d1 - dev
    if call:
        return df * (forward * normal(d1) - strike * normal(d2))
    return df * (strike * normal(-d2) - forward * normal(-d1))


def svi_vol(feed, strike):
    a, b, rho, m, sigma, forward, tau = feed["svi_a_b_rho_m_sigma_fwd_tau"]
    wing = 4.0 * math.sqrt(a + b * sigma)
    k = -wing if strike == 0.0 else max(-wing, min(wing, math.log(strike / forward)))
    w = min(144.0, a + b * (rho * (k - m) + math.sqrt((k - m) ** 2 + sigma**2)))
    return math.sqrt(w / tau)


class Expiry:
    """One expiry with its legs."""

    def __init__(self, feed, options, p):
        self.p = p
        self.feed = feed
        self.legs = [(o, o["vol"] if o.get("vol") is not None else svi_vol(feed, o["strike"])) for o in options]
        self.sec = max(0.0, feed["sec_to_expiry"])
        self.years = self.sec / YEAR
        self.rate = max(feed["rate"], 0.0)
        self.df = math.exp(-self.rate * self.years)
        inside = max(0.0, 1800.0 - self.sec)
        self.fixed = feed["forward"] * inside / 1800.0
        self.variable = feed["forward"] - self.fixed if inside else feed["forward"]
        self.now = self.value(1.0, "None")

    def value(self, s, direction):
        shock = self.p["VolShock"]
        forward = self.variable * s + self.fixed
        if direction.upper() in ("LINEAR", "ABS"):
            forward = self.variable + self.fixed
        power = shock["SHORTTERMPOWER"] if self.sec <= 30 * 86400 else shock["LONGTERMPOWER"]
        m = (30 * 86400 / max(self.sec, shock["DTE_FLOOR"] * 86400)) ** power
        total = 0.0
        for option, sigma in self.legs:
            vol = sigma
            if direction == "Up":
                vol = max(vol * (1.0 + shock["VOLRANGEUP"] * m), shock["MIN_VOL_EVAL_SHOCKED"])
            elif direction == "Down":
                vol = vol * max(0.0, 1.0 - shock["VOLRANGEDOWN"] * m)
            elif direction.upper() in ("LINEAR", "ABS"):
                vol = vol * self.skew(option["strike"], forward, direction.upper())
            price = black(forward, option["strike"], vol, self.years, self.df, call=option["call"])
            total += option["amount"] * price
        return total

    def skew(self, strike, forward, kind):
        shape, root = self.p["SkewShock"], math.sqrt(self.years)
        if strike == 0.0 or forward == 0.0:
            return 1.0
        cap = shape[f"{kind}_CBASE"] * root + shape[f"{kind}_SCALE_CAP"]
        width = root * shape["MIN_WIDTH_SCALE"] * (shape["VOL_PARAM_STATIC"] + root * shape["VOL_PARAM_SCALE"])
        star = max(shape["MIN_K_STAR"], width)
        k = math.log(strike / forward)
        k = abs(k) if kind == "ABS" else k
        return max(0.0, 1.0 + max(-cap, min(cap, k * cap / star)))

    def discount(self, value):
        m = self.p["Margin"]
        if value >= 0.0:
            exponent = -self.years * (self.rate * m["LONG_RATE_MULTSCALE"] + m["LONG_RATE_ADDSCALE"])
            return m["BASE_STATIC_DISCOUNT"] * math.exp(exponent)
        exponent = self.years * (self.rate * m["SHORT_RATE_MULTSCALE"] + m["SHORT_RATE_ADDSCALE"])
        return min(1.0 / self.df, m["BASE_STATIC_DISCOUNT_NEG"] * math.exp(exponent))

    def pnl(self, s, direction):
        shocked = self.value(s, direction)
        found = self.discount(shocked) * shocked - self.now
        return -abs(found) if direction.upper() in ("LINEAR", "ABS") else found

    def basis(self):
        b = self.p["BasisContingency"]
        up = self.value(b["SCENARIO_SPOT_UP"], "None") - self.now
        down = self.value(b["SCENARIO_SPOT_DOWN"], "None") - self.now
        return min(up, down, 0.0) * (b["BASIS_CONT_ADD_FACTOR"] + b["BASIS_CONT_MULT_FACTOR"] * self.years)

    def naked(self):
        strikes = {}
        for option, _ in self.legs:
            pair = strikes.setdefault(option["strike"], {True: 0.0, False: 0.0})
            pair[option["call"]] += option["amount"]
        total = 0.0
        for pair in strikes.values():
            call, put = pair[True], pair[False]
            if call < 0.0 and put < 0.0:
                total += -call - put
            elif call < 0.0 or put < 0.0:
                total += max(0.0, -(call + put))
        return total


def answer(case, base):
    p, i = merged(base, case.get("param_overrides", {})), case["inputs"]
    spot, stable, q = i["spot"], i["stable"], i["perps"]
    expiries = [
        Expiry(feed, [o for o in i["options"] if o["sec_to_expiry"] == feed["sec_to_expiry"]], p) for feed in i["feeds"]
    ]
    values = [c["amount"] * c["price"] / stable for c in i["collateral"]]
    worst = {"regular": math.inf, "skew": math.inf, "basis": sum(e.basis() for e in expiries)}
    for row in p["Scenarios"]:
        s, direction = row["SpotShock"], row["VolShockDirection"]
        pnl = q * i["perp_price"] * (s - 1.0)
        pnl += sum(e.pnl(s, direction) for e in expiries)
        pnl += sum(v * (s - 1.0) for c, v in zip(i["collateral"], values, strict=True) if c["risk_cancelling"])
        kind = "skew" if direction.upper() in ("LINEAR", "ABS") else "regular"
        worst[kind] = min(worst[kind], row["DampeningFactor"] * pnl)
    span = min(worst.values())

    o, m = p["OtherContingency"], p["Margin"]
    naked = sum(e.naked() for e in expiries)
    mm = abs(q) * spot * o["MM_PERP_PERCENT"] + naked * spot * o["MM_OPTION_PERCENT"]
    mm += sum(c["mm_haircut"] * v for c, v in zip(i["collateral"], values, strict=True))
    im = abs(q) * spot * o["IM_PERP_PERCENT"] + naked * spot * o["IM_OPTION_PERCENT"]
    im += sum(c["im_haircut"] * v for c, v in zip(i["collateral"], values, strict=True))

    def unsure(conf, notional):
        return (1.0 - conf) * o["CONF_MARGIN"] * notional if conf < o["CONF_THRESHOLD"] else 0.0

    index = min(i["spot_conf"], i["perp_conf"]) if q else i["spot_conf"]
    im += unsure(index, abs(q) * spot)
    for e in expiries:
        conf = min(e.feed["fwd_conf"], e.feed["rate_conf"], e.feed["vol_conf"], index)
        im += unsure(conf, sum(abs(option["amount"]) for option, _ in e.legs) * spot)
    im += sum(unsure(min(c["conf"], i["spot_conf"]), v) for c, v in zip(i["collateral"], values, strict=True))

    mtm = i["cash"] + i["upnl"] + i["funding"] + sum(values) + sum(e.now for e in expiries)
    peg = o["PEG_LOSS_FACTOR"] * max(0.0, o["PEG_LOSS_THRESHOLD"] - stable)
    kinds = [kind for kind in ("regular", "skew", "basis") if worst[kind] == span]
    return {
        "IM": span * (m["IM_LOSS_FACTOR"] + peg) - im - mm + mtm,
        "MM": span * m["MM_LOSS_FACTOR"] - mm + mtm,
        "mtm": mtm,
        "worst": kinds[0],
        "losses": worst,
    }
