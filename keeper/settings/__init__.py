"""The operator's choices: one TOML file and environment overrides, validated once, frozen, passed down.

    settings = load_settings(Path("keeper.toml"), os.environ)
    settings.fees.max_fee_wei
    default_toml()                      # what `keeper init` writes

Unknown keys are errors.  Secrets show as `***`; only `Secret.reveal` gives them out.
"""

from keeper.settings.keys import Keys, KeySource
from keeper.settings.load import load_settings
from keeper.settings.render import default_toml
from keeper.settings.secret import Secret
from keeper.settings.sections import Chain, Fees, Jobs, Log, Protocol, Quotes, Relay, Settings, StoreSection

__all__ = [
    "Chain",
    "Fees",
    "Jobs",
    "KeySource",
    "Keys",
    "Log",
    "Protocol",
    "Quotes",
    "Relay",
    "Secret",
    "Settings",
    "StoreSection",
    "default_toml",
    "load_settings",
]
