"""The command of the server; Snakemake's runs start it, nobody else does."""

from __future__ import annotations

import click


@click.command("serve-stages", hidden=True)
@click.argument("listener", type=int)
@click.pass_context
def serve_stages(context: click.Context, listener: int) -> None:
    """Run the commands that processes ask for at the socket LISTENER, each in a process of its own."""
    import socket

    from lds_path.run.parent_watch import end_with_run
    from lds_path.run.warm_start.server import StageServer

    request = StageServer(socket.socket(fileno=listener)).next_request()
    request.adopt()
    end_with_run()
    command = context.find_root().command
    command.main(list(request.arguments), prog_name="lds-path")
