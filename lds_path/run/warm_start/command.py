"""The command of the server; Snakemake's runs start it, nobody else does."""

import click


@click.command("serve-stages", hidden=True)
@click.argument("listener", type=int)
@click.argument("stages", nargs=-1)
@click.pass_context
def serve_stages(context: click.Context, listener: int, stages: tuple[str, ...]) -> None:
    """Run the commands that processes ask for at the socket LISTENER, STAGES probably; see `run.warm_start`."""
    import socket
    from functools import partial

    from lds_path.run.warm_start.server import StageServer

    run = partial(context.find_root().command.main, prog_name="lds-path")
    StageServer(socket.socket(fileno=listener), run, expected=stages).serve()
