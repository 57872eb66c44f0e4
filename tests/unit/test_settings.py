"""Settings: one file, overrides, frozen; whatever is wrong is named with its line and what to do."""

from __future__ import annotations

import copy
import pickle
import re
import tomllib
from decimal import Decimal

import pytest

from keeper.domain import codec
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.errors import BadInput
from keeper.settings import KeySource, Settings, default_toml, load_settings
from keeper.settings.tree import children, docs, leaves, section_of

KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"


def load(tmp_path, text: str = "", **environ: str) -> Settings:
    path = tmp_path / "keeper.toml"
    path.write_text(text)
    return load_settings(path, environ)


def refused(tmp_path, text: str = "", **environ: str) -> BadInput:
    with pytest.raises(BadInput) as caught:
        load(tmp_path, text, **environ)
    assert caught.value.hint, "every refusal says what to do"
    return caught.value


def test_default_toml__loaded_back__is_the_defaults(tmp_path):
    assert load(tmp_path, default_toml()) == Settings() == load_settings(None, {})


def test_default_toml__every_key__appears_with_its_meaning():
    """Generated from the sections, so it cannot go stale."""
    text = default_toml()
    for key in leaves(Settings):
        name = key.rsplit(".", 1)[-1]
        assert re.search(rf"^# [^\n]+\n(# )?{name} = ", text, re.MULTILINE), key
    assert tomllib.loads(text)["risk"]["es_level"] == 0.99
    assert max(map(len, text.splitlines())) <= 120


def test_default_toml__key_sections_uncommented__load(tmp_path):
    """What is commented out is right once the mark is taken off."""
    text = default_toml().replace("# [keys.publisher]", "[keys.publisher]").replace('# env = ""', 'env = "K"', 1)
    assert load(tmp_path, text).keys.publisher == KeySource(env="K")


@pytest.mark.parametrize("key", list(leaves(Settings)))
def test_docs__every_key__has_a_docstring(key):
    section = Settings
    *sections, name = key.split(".")
    for step in sections:
        section = section_of(children(section)[step])
    assert docs(section).get(name), key


def test_load__file_and_environment__the_environment_wins(tmp_path):
    text = "[fees]\nmax_fee_gwei = 50.5\n[chain]\nchain_id = 5\n"
    settings = load(
        tmp_path,
        text,
        KEEPER_CHAIN__CHAIN_ID="1",
        KEEPER_CHAIN__RPC_URLS="http://a, http://b",
        KEEPER_KEYS__PUBLISHER__ENV="PUBLISHER_KEY",
        KEEPER_RISK__EWMA_LAMBDA="0.9",
        KEEPER_MARKET_DATA="not a setting",
    )
    assert settings.chain.chain_id == 1
    assert [url.reveal() for url in settings.chain.rpc_urls] == ["http://a", "http://b"]
    assert settings.fees.max_fee_wei == 50_500_000_000
    assert settings.fees.max_fee_gwei == Decimal("50.5")
    assert settings.risk == RiskKnobs(ewma_lambda=0.9)
    assert settings.keys.publisher is not None


def test_load__further_keys__by_name_from_file_and_environment(tmp_path):
    """A pool of keys is written as sections of their own names; each may come from another kind of place."""
    settings = load(
        tmp_path,
        "[keys.liquidator]\nenv = 'A'\n[keys.more_liquidators.b.aws_kms]\nkey = 'alias/b'\n",
        KEEPER_KEYS__MORE_LIQUIDATORS__C__SECRET_FILE="/run/secrets/c",
    )
    assert sorted(settings.keys.more_liquidators) == ["b", "c"]
    aws = settings.keys.more_liquidators["b"].aws_kms
    assert aws is not None
    assert (aws.key, aws.timeout_s) == ("alias/b", 5.0)


def test_load__hedge_volume__one_number_or_by_ticker(tmp_path):
    """What is traded a day differs by orders of magnitude between underlyings; one number still does for all."""
    plain = load(tmp_path, "[policy]\nhedge_volume_usd_per_day = 5_000_000\n")
    assert plain.policy.hedge_volume_usd_per_day == 5_000_000
    text = "[policy.hedge_volume_usd_per_day]\nETH = 20_000_000_000\nothers = 1_000_000\n"
    table = load(tmp_path, text, KEEPER_POLICY__HEDGE_VOLUME_USD_PER_DAY__OTHERS="2000000")
    assert dict(table.policy.hedge_volume_usd_per_day) == {"ETH": 20_000_000_000, "others": 2_000_000}
    assert codec.loads(PolicyKnobs, codec.dumps(table.policy)) == table.policy, "stored with every block"
    assert codec.loads(PolicyKnobs, codec.dumps(plain.policy)) == plain.policy


def test_settings__changed__refused():
    settings = Settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.chain.chain_id = 2
    with pytest.raises(AttributeError):
        settings.risk.es_level = 0.5


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("[keys.publisher.aws_kms]\nkey = 'a'\nregoin = 'x'\n", 3, "did you mean keys.publisher.aws_kms.region?"),
        ("[keys.publisher.aws_kms]\nregion = 'x'\n", 1, "Id, ARN, or alias/NAME"),
        ("[keys.publisher]\nenv = 'A'\n[keys.publisher.aws_kms]\nkey = 'a'\n", 1, "pushes and refreshes"),
        ("[keys.publisher.vault]\nurl = 'u'\npath = 'p'\n", 1, "pushes and refreshes"),
        ("[keys.publisher.vault]\nurl = 'u'\npath = 'p'\nrole_id = 'r'\ntoken_file = 't'\n", 1, "pushes and refreshes"),
        ("[keys.publisher.web3signer]\nurl = 'u'\naddress = '0x12'\n", 3, "40 hexadecimal digits"),
        ("[keys.publisher.web3signer]\nurl = 'u'\n", 1, "40 hexadecimal digits"),
        ("[keys]\n[keys.more_liquidators.b]\nenv = 'A'\n", 1, "init"),
        ("[keys.liquidator]\nenv='A'\n[keys.more_liquidators.b]\nenf = 'B'\n", 4, "keys.more_liquidators.b.env?"),
        ("[keys.liquidator]\nenv='A'\n[keys.more_liquidators.b]\n", 3, "Further keys"),
        ("[keys.more_liquidators]\nb = 'A'\n", 1, "write [keys.more_liquidators.b]"),
        ("[risk]\n\newma_lamda = 0.9\n", 3, "did you mean risk.ewma_lambda?"),
        ("[risks]\n", 1, "did you mean risk?"),
        ("[chain]\nchain_id = 1\n\n[fees] # ours\nmax_fee = 1 # gwei\n", 5, "did you mean fees.max_fee_gwei?"),
        ("[keys.publicher]\nenv = 'X'\n", 1, "did you mean keys.publisher?"),
        ("[log]\nzzz = 1\n", 2, "known here: level, format"),
        ("[chain]\nchain_id = 'one'\n", 2, "Refuse to run"),
        ("[chain]\nchain_id = true\n", 2, "Refuse to run"),
        ("[chain]\nconfirmations = -1\n", 2, "Blocks on top"),
        ("[chain]\nrpc_urls = []\n", 2, "Endpoints"),
        ("[chain]\nrpc_urls = [1]\n", 2, "Endpoints"),
        ("[chain]\npoll_interval_s = nan\n", 2, "Seconds"),
        ("[log]\nformat = 'xml'\n", 2, "console for a person"),
        ("[risk]\nes_level = 1.5\n", 2, "choose a value from 0.5"),
        ("[risk]\nes_level = nan\n", 2, "Expected-shortfall"),
        ("[policy]\nheartbeat_s = 0\n", 2, "choose a value from 1"),
        ("[policy]\nheartbeat_s = 1.5\n", 2, "Push at least"),
        ("[policy]\nhedge_volume_usd_per_day = 0\n", 2, "choose a value from 1"),
        ("[policy]\nhedge_volume_usd_per_day = 'much'\n", 2, "What is traded a day"),
        ("[policy]\nhedge_volume_usd_per_day = { ETH = 5 }\n", 2, "others for the rest"),
        ("[policy]\nhedge_volume_usd_per_day = {}\n", 2, "others for the rest"),
        ("[policy.hedge_volume_usd_per_day]\nETH = 5\neth = 6\nothers = 1\n", 1, "name each ticker once"),
        ("[policy.hedge_volume_usd_per_day]\nETH = 0\nothers = 1\n", 2, "choose a value from 1"),
        ("[policy.hedge_volume_usd_per_day]\nETH = 'x'\nothers = 1\n", 2, "What is traded a day"),
        ("[policy.hedge_volume_usd_per_day]\nETH = true\nothers = 1\n", 1, "What is traded a day"),
        ("[fees]\npriority_fee_gwei = 500\n", 1, "init"),
        ("[keys.publisher]\n", 1, "pushes and refreshes"),
        ("[keys.publisher]\nenv = 'A'\nsecret_file = 'b'\n", 1, "pushes and refreshes"),
        ("[keys.publisher]\nkeystore_file = 'b'\n", 1, "pushes and refreshes"),
        ("chain = 5\n", 1, "write [chain]"),
    ],
)
def test_load__wrong__names_the_line_and_what_to_do(tmp_path, text, line, hint):
    error = refused(tmp_path, text)
    assert f"keeper.toml line {line}:" in error.message
    assert hint in error.hint


@pytest.mark.parametrize("text", ["[chain", "a = 1\na = 2\n", "[chain]\nx = \n"])
def test_load__not_toml__bad_input(tmp_path, text):
    assert "not TOML" in refused(tmp_path, text).message


def test_load__unknown_variable__names_the_variable(tmp_path):
    error = refused(tmp_path, KEEPER_FEES__MAX_FE_GWEI="1")
    assert "KEEPER_FEES__MAX_FE_GWEI" in error.message
    assert "max_fee_gwei" in error.hint


def test_load__bad_variable__names_the_variable(tmp_path):
    assert "KEEPER_CHAIN__CHAIN_ID" in refused(tmp_path, KEEPER_CHAIN__CHAIN_ID="x").message
    assert "KEEPER_RISK__ES_LEVEL" in refused(tmp_path, KEEPER_RISK__ES_LEVEL="7").message


def test_load__absent_or_unreadable_file__bad_input(tmp_path):
    with pytest.raises(BadInput) as caught:
        load_settings(tmp_path / "absent.toml", {})
    assert "keeper init" in caught.value.hint
    with pytest.raises(BadInput):
        load_settings(tmp_path, {})
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput):
        load_settings(tmp_path / "binary.toml", {})


def test_secrets__shown_dumped_pickled__never(tmp_path):
    settings = load(tmp_path, f"[chain]\nrpc_urls = ['http://x/{KEY}']\n[store]\nurl = 'postgresql://me:{KEY}@h/d'\n")
    shown = [repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json(), f"{settings.store}"]
    assert not any(KEY in text for text in shown)
    assert all("***" in text for text in shown)
    assert KEY in settings.store.url.reveal()
    with pytest.raises(TypeError):
        pickle.dumps(settings.store.url)
    assert copy.deepcopy(settings) == settings


def test_error__about_a_secret__does_not_quote_it(tmp_path):
    error = refused(tmp_path, f"[chain]\nrpc_urls = {{ a = '{KEY}' }}\n")
    assert KEY not in str(error)


def test_knobs__defaults__valid():
    RiskKnobs().validate()
    PolicyKnobs().validate()
