"""`snapdrift init`: a workspace to start from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snapdrift.cli import completion as c
from snapdrift.errors import UsageError
from snapdrift.exit_codes import ExitCode

if TYPE_CHECKING:
    from snapdrift.scaffold.choices import Answers

Folder = Annotated[Path, typer.Argument(help="Where; it is made if it is not there (default: here).", metavar="[DIR]")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take what is named, and defaults.")]
ModelNames = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="The model in use, and, given twice, the one to compare it with.",
        metavar="NAME",
        autocompletion=c.models,
    ),
]
JudgeName = Annotated[
    str | None,
    typer.Option("--judge", help="The model that judges (default: one that stays).", autocompletion=c.models),
]
Templates = Annotated[
    list[str] | None,
    typer.Option(
        "--template",
        help="What to start with: `classify`, `extract`, `chat`. Repeatable (default: classify and chat).",
        metavar="NAME",
        autocompletion=c.templates,
    ),
]
Github = Annotated[
    bool | None,
    typer.Option("--github/--no-github", help="Whether to write a workflow for GitHub Actions (default: yes)."),
]
Prices = Annotated[
    list[str] | None,
    typer.Option(
        "--price",
        help="What a model costs that the catalogue has no price of: `NAME=INPUT/OUTPUT`, USD per million tokens.",
        metavar="NAME=IN/OUT",
    ),
]
Force = Annotated[
    list[str] | None,
    typer.Option("--force", help="Replace this file, which is there already. Repeatable.", metavar="FILE"),
]


def init(
    folder: Folder = Path(),
    yes: Yes = False,
    model: ModelNames = None,
    judge: JudgeName = None,
    template: Templates = None,
    github: Github = None,
    price: Prices = None,
    force: Force = None,
) -> None:
    """Start a workspace: suites with cases and graders, snapdrift.toml, a budget, a workflow for GitHub Actions.

    Asks up to four questions. No file is replaced that is there already. What it writes runs on the stand-in as it is.

    Examples:
      snapdrift init
      snapdrift init --yes
      snapdrift init checks --yes --template extract --model gpt-4o --no-github
    """
    from snapdrift import pipeline
    from snapdrift.cli import started
    from snapdrift.scaffold.choices import Answers

    answers = Answers(tuple(model or ()), judge, tuple(template or ()), github, _prices(price or ()))
    if not yes:
        answers = _asked(folder, answers)
    done = pipeline.start_workspace(folder, answers, tuple(force or ()))
    typer.echo(started.started(done, folder), nl=False)
    if done.mistakes:
        typer.echo(started.mistakes(done), err=True)
        raise typer.Exit(ExitCode.ERROR)


def _prices(texts: list[str] | tuple[str, ...]) -> dict[str, tuple[float, float]]:
    from snapdrift.scaffold.choices import parse_price, require_model

    prices = {}
    for text in texts:
        name, separator, amounts = text.partition("=")
        if not separator:
            raise UsageError(f"--price: found {text!r}; expected NAME=INPUT/OUTPUT, such as gpt-6-luna=2.50/10")
        require_model(name)
        prices[name] = parse_price(amounts, f"--price {name}")
    return prices


def _asked(folder: Path, answers: Answers) -> Answers:
    """The answers with what the user says to the questions that no option answers."""
    from snapdrift.pipeline.starting import offered
    from snapdrift.scaffold.choices import parse_price, require_model
    from snapdrift.scaffold.kinds import KINDS, chosen_kinds

    if not answers.models:
        one = offered(folder, answers).models
        current = _ask("Which model do you use now?", one.current, require_model)
        models = offered(folder, replace(answers, models=(current,))).models
        other = models.candidate if models.current == current else models.current
        compared = _ask("Which one do you want to compare it with? (the same: two prompts)", other, require_model)
        # Where an alias is in use, the snapshot that it stands for is what it is held against.
        answers = replace(answers, models=(compared, current) if models.current == compared else (current, compared))
    if not answers.kinds:
        for kind in KINDS:
            typer.echo(f"  {kind.name:<9} {kind.asks}", err=True)
        names = ",".join(kind.name for kind in offered(folder, answers).kinds)
        said = _ask("What do you want to start with?", names, lambda text: chosen_kinds(_names(text)))
        answers = replace(answers, kinds=_names(said))
    if answers.github is None:
        said = _ask("Write a workflow for GitHub Actions? (y/n)", "y", _yes_or_no)
        answers = replace(answers, github=_yes_or_no(said))
    for name in offered(folder, answers).unpriced:
        question = f"What does {name} cost, in USD per million tokens, INPUT/OUTPUT? (Enter: fill it in later)"
        said = _ask(question, "", lambda text: text and parse_price(text, "price"))
        if said:
            answers = replace(answers, prices={**answers.prices, name: parse_price(said, "price")})
    return answers


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in text.split(","))))


def _yes_or_no(text: str) -> bool:
    word = text.strip().casefold()
    if word not in ("y", "yes", "n", "no"):
        raise UsageError(f"found {text!r}; expected y or n")
    return word in ("y", "yes")


def _ask(question: str, default: str, check: object) -> str:
    """What the user says, or the default; asked again while `check` raises `UsageError`."""
    while True:
        offer = f" [{default}]" if default else ""
        typer.echo(f"{question}{offer} ", err=True, nl=False)
        try:
            said = input().strip() or default
        except EOFError:
            typer.echo("", err=True)
            raise UsageError(
                f"init: found no answer to {question!r}; answer it in a terminal, or take defaults with --yes"
            ) from None
        try:
            if callable(check):
                check(said)
        except UsageError as error:
            typer.echo(f"  {error}", err=True)
            continue
        return said
