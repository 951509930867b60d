"""The command view; what it needs is imported when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lds_path.options.command import PATH
from lds_path.run.gc_freeze import frozen_imports

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("results", type=PATH)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Port on this computer; 0 takes a free one.",
)
@click.option("--open", "opens", is_flag=True, help="Open the pages in the browser, too.")
def view(results: Path, port: int, opens: bool) -> None:
    """Show the report of RESULTS in a browser, with slides and labels at full resolution.

    Only this computer is answered, and only to the address that is printed. Nothing is changed but
    RESULTS/reviews.tsv, which holds what is noted on the page of the cohort. Ctrl-C ends it.
    """
    with frozen_imports():
        from lds_path.viewing.server import make_server
        from lds_path.viewing.site import open_site

    with make_server(open_site(results), port) as server:
        click.echo(f"open {server.address}\nCtrl-C ends it.")
        if opens:
            import webbrowser

            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("\nEnded.")
