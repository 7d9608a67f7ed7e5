"""`ringback demo`: the whole story on this machine, with real processes, and a summary at the end.

stdout gets exactly one JSON summary with --json, and else nothing; the story itself goes to stderr. Exit code 0 when
every act passed, 1 when one failed, 2 for a wrong command line, 3 when the demo could not be set up.
"""

import sys

import click


@click.command(name="demo", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--headless", is_flag=True, help="No live view: one line for each thing that happens.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON summary at the end, and nothing else on stdout.")
@click.option(
    "--act", "act", type=click.IntRange(0, 10), default=None, help="Play one act, after the baseline it needs."
)
@click.option("--slow", is_flag=True, help="Pause between the acts, to read.")
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="Seed of what is simulated."
)
@click.option("--keep", is_flag=True, help="Leave everything running at the end.")
@click.option("--stop", "stop", default="", metavar="FOLDER", help="End a demo that was kept running.")
def command(*, headless: bool, as_json: bool, act: int | None, slow: bool, seed: int, keep: bool, stop: str) -> None:
    """Play the story of a fleet that can always come back: eleven acts, about two and a half minutes."""
    from ringback.demo.play import Options, play, stop_kept

    if stop:
        sys.exit(stop_kept(stop))
    sys.exit(play(Options(is_headless=headless, is_json=as_json, act=act, is_slow=slow, seed=seed, is_kept=keep)))


if __name__ == "__main__":
    command()
