"""The table of commands, and what an error means for whoever called us.

A command's module is imported when the command is asked for, so that `keeper --help` answers at once: what it needs
(web3, numpy, SQLAlchemy) takes seconds to import.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import importlib.util
import inspect
import json
import os
import re
import shutil
import sys
import textwrap
import traceback
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

import keeper
from keeper.cli.output import FULL, drain, unwritten
from keeper.errors import Halt, KeeperError, LawBroken

#: Commands in the order of the help, with the first sentence of each; the module of the same name holds the rest.
COMMANDS: Final = {
    "init": "Write a settings file with every key, its meaning and its default.",
    "check": "Prove that the keeper could run: node, contracts, keys, prices, quotes, store.",
    "keys": "Let each configured key sign once and prove what came back: address, low s, recovery id, latency.",
    "run": "Follow the chain and keep it: dry unless told to send.",
    "once": "Live one block: decide what to do at the head, and say why.",
    "status": "Show where everything stands, from the store alone.",
    "nonce": "Show each key's nonces on the chain and in the store, and repair what keeps them apart.",
    "bidders": "Show which liquidator keys may bid, approve them or revoke one: dry unless told to send.",
    "explain": "Take one account apart, or tell the history of one published parameter.",
    "recalibrate": "Show targets, what fences allow now, and why a push is due or what it waits for.",
    "glide": "Show the way to the target: each legal publication, when it may come, and what holds it back.",
    "impact": "Replay every account under the proposed parameters: who would be liquidated, what requirement moves.",
    "push": "Publish the parameters that are due: dry unless told to send.",
    "quorum": "Publish, tighten and widen where it takes several keepers: draft a paper, sign it, send it.",
    "shadow": "Hold proposed parameters beside the live ones over the next blocks, without pushing.",
    "override": "Set, list or clear a floor under a parameter by hand.",
    "replay": "Live a stored block again and compare the bytes.",
    "verify": "Derive a publication again from its inputs file, and compare it with what stands on the chain.",
    "inputs": "Show and export the canonical inputs files of publications.",
    "model": "Show what this version's model changed, hold its numbers beside the live ones, and sign it off.",
    "margin": "Margin an account that is written down: any venue's rule, before and after orders; needs no chain.",
    "surface": "Fit a chain of option quotes, find its arbitrage, repair or refuse.",
    "calibrate": "Find target parameters in recorded histories, each with its reasons.",
    "propose": "Build a proposal for what governance decides: calls, diff, impact, evidence, simulation, text.",
    "guardian": "Show what a guardian can stop, and the call that stops it: decoded, tried, and as a Safe's file.",
    "proposal": "Look at a live proposal again before it is executed: drift, and whether it still goes through.",
    "demo": "Watch the whole job on an embedded chain: a market, a crash, a keeper.",
}

OK, BUG, INPUT, UNREACHABLE, LAW, DRIFTED, DEAD, INTERRUPTED, UNHEARD = 0, 1, 2, 3, 4, 5, 6, 130, 141
#: Nothing differs, and not all of it could be looked at.
UNSEEN: Final = DRIFTED

EXIT_CODES: Final = {
    OK: "done; for check: everything is in order",
    BUG: "a defect of the keeper itself; KEEPER_DEBUG=1 shows the traceback",
    INPUT: "a person must act: bad input, key or chain; for check and nonce: something is not in order",
    UNREACHABLE: "the world was unreachable, moved or said no, or stdout takes nothing; the same may work later",
    LAW: "the keeper's arithmetic contradicts itself; for replay and verify: what was found differs",
    DRIFTED: "for proposal: it still goes through, but something is not as it was when it was made;"
    " for verify: nothing differs, but the node does not have the state that the inputs tell",
    DEAD: "for propose, proposal and guardian: it does not go through, or is over",
    INTERRUPTED: "interrupted from the keyboard",
    UNHEARD: "whoever read the output went away before its end, as `| head` does",
}

#: Widest line of the words below the commands; a narrower terminal has its own.
_WIDEST = 78


def _hanging(lead: str, said: str) -> str:
    """A line whose continuation stands below its own words, not below what leads to them."""
    room = min(_WIDEST, shutil.get_terminal_size().columns - 2)
    if room < len(lead) + 20:
        return lead + said
    return textwrap.fill(said, room, initial_indent=lead, subsequent_indent=" " * len(lead), break_on_hyphens=False)


_EPILOG = "\n".join(
    [
        "[bold]First steps[/bold]",
        _hanging("  keeper demo                  ", "see it work; needs no node and no key"),
        _hanging("  keeper init && keeper check  ", "write settings, then prove them"),
        _hanging("  keeper once                  ", "one block, dry"),
        _hanging("  keeper margin --example DIR  ", "write an account to margin; needs no node and no key"),
        "",
        "[bold]Exit codes[/bold]",
        *(_hanging(f"  {code:>3}  ", meaning) for code, meaning in EXIT_CODES.items()),
        "",
        _hanging(
            "", "Answers go to stdout, logs to stderr. With --json an answer is one JSON object; an amount in it is"
        ),
        '  {"usd": "1.5", "wad": "1500000000000000000"}',
        _hanging("", "exact decimal text, and the raw integer as text."),
    ]
)


class Command(TyperCommand):
    """A command that is imported when it is needed."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Hand over to the real command."""
        return load(str(self.name)).make_context(info_name, args, parent, **extra)


class Root(TyperGroup):
    """All commands, and one place that answers errors."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for name, help_ in COMMANDS.items():
            if importlib.util.find_spec(f"keeper.cli.{name}") is not None:
                self.add_command(Command(name, help=help_))

    def invoke(self, ctx: Any) -> Any:
        """Run the command; end with the exit code that its error means."""
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except KeeperError as error:
            say(error, as_json=as_json)
            raise typer.Exit(exit_code(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read our output has gone: end as other tools do, by SIGPIPE
                drain()
                raise typer.Exit(UNHEARD) from error
            if error.errno in FULL:
                say(unwritten(error), as_json=as_json)
                raise typer.Exit(UNREACHABLE) from error
            _confess(error, as_json=as_json)
            raise typer.Exit(BUG) from error
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if hasattr(error, "exit_code"):  # a usage error: typer shows it and ends with 2
                if as_json:
                    message = error.format_message() if hasattr(error, "format_message") else str(error)
                    answer = {"kind": "Usage", "message": message, "hint": "see --help", "exit_code": error.exit_code}
                    _print_object({"error": answer})
                raise
            _confess(error, as_json=as_json)
            raise typer.Exit(BUG) from error


def load(name: str) -> Any:
    """The real command of a name: function `name` of `keeper.cli.name`, its EXAMPLE as epilog, of class SHAPE."""
    module = importlib.import_module(f"keeper.cli.{name}")
    command = getattr(module, name)
    one = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
    example = textwrap.indent(getattr(module, "EXAMPLE", ""), "  ")
    # Paragraphs, not lines: the terminal decides where a line ends.
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    help_ = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    epilog = example and f"[bold]Example[/bold]\n{_literal(example)}"
    one.command(name, cls=getattr(module, "SHAPE", TyperCommand), help=_literal(help_), epilog=epilog)(command)
    built = typer.main.get_command(one)
    for parameter in built.params:
        parameter.help = _literal(getattr(parameter, "help", None) or "")  # type: ignore[attr-defined] # options have it
    return built


def _literal(text: str) -> str:
    """Words as they are written: `[risk]` is a section of the settings, not markup."""
    return re.sub(r"\[(?=[a-z#/@])", r"\\[", text)


def exit_code(error: KeeperError) -> int:
    """What an error class means for whoever called us."""
    if isinstance(error, Halt):
        return INPUT
    return LAW if isinstance(error, LawBroken) else UNREACHABLE


def say(error: KeeperError, *, as_json: bool) -> None:
    """The sentence and the hint on stderr; for a script also one object on stdout."""
    from rich.console import Console  # noqa: PLC0415 - only when something went wrong

    # Not markup: a message may hold brackets, such as a section's name; nor emoji: OWNER:100: is no picture.
    out = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
    out.print("error: ", style="bold red", end="")
    out.print(error.message, markup=False)
    if error.hint:
        out.print("     → ", style="cyan", end="")
        out.print(error.hint, markup=False)
    if os.environ.get("KEEPER_DEBUG"):
        traceback.print_exception(error)
    if as_json:
        answer = {"kind": type(error).__name__, "message": error.message, "hint": error.hint}
        _print_object({"error": answer | {"exit_code": exit_code(error)}})


def _confess(error: Exception, *, as_json: bool) -> None:
    """A defect of ours: short, with where to report it; the traceback for whoever asks."""
    if os.environ.get("KEEPER_DEBUG"):
        traceback.print_exception(error)
    print(f"internal error: {type(error).__name__}: {error}", file=sys.stderr)
    print(
        f"     → this is a defect of the keeper (version {keeper.__version__}), not of what you did.  Please run it\n"
        "       again with KEEPER_DEBUG=1 and open an issue with the traceback; SECURITY.md if money is at risk",
        file=sys.stderr,
    )
    if as_json:
        _print_object({"error": {"kind": "Bug", "message": str(error), "hint": "", "exit_code": BUG}})


def _print_object(tree: Mapping[str, object]) -> None:
    """On stdout if it takes anything; a caller that cannot be told reads the exit code."""
    with contextlib.suppress(OSError):
        print(json.dumps(tree))
    drain()


def _version(asked: bool) -> None:
    if asked:
        print(f"keeper {keeper.__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=Root,
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Margin keeper for on-chain options and perps: computes, publishes, liquidates."""
