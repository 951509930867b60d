import sys
from pathlib import Path

from snakemake.utils import update_config

# The Snakefile may be included by another one, as `lds-path init` writes it.
BASE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
if (BASE / "lds_path").is_dir():  # in a clone; an installed package is in reach
    sys.path.insert(0, str(BASE))

from lds_path.errors import exit_with_message
from lds_path.rules.arguments import RuleArguments, growing
from lds_path.rules.inputs import RuleInputs
from lds_path.rules.local_scheduling import start_without_limit
from lds_path.rules.setup import read_schema, set_up_run, tell_stages
from lds_path.rules.shell_prefix import command_prefix
from lds_path.run.config import config_files, read_strings
from lds_path.run.gc_freeze import skip_last_collection
from lds_path.run.terminal.job_lines import quieten
from lds_path.run.warm_start.server import start_servers

RESULTS = Path("results")
SUMMARY = RESULTS / "report/summary.txt"
EARLIER_SUMMARY = SUMMARY.stat().st_mtime_ns if SUMMARY.is_file() else None

with exit_with_message():
    given = workflow.config_settings.config
    schema = read_schema(BASE)
    update_config(config, read_strings(given, schema))
    setup = set_up_run(
        config,
        schema,
        given=given,
        files=config_files(workflow.configfiles, workflow.config_settings.configfiles),
        base=BASE,
        results=RESULTS,
        is_main=workflow.is_main_process,
    )
skip_last_collection()
if workflow.is_main_process:
    quieten(workflow.output_settings, SUMMARY)
slides = setup.slides
inputs = RuleInputs(setup, ancient)
arguments = RuleArguments(setup)
settings = workflow.storage_settings
tell_stages(settings.default_storage_provider, settings.local_storage_prefix)


container: config["container"]


shell.prefix(command_prefix(BASE).replace("{", "{{").replace("}", "}}"))


pathvars:
    results=str(RESULTS),


wildcard_constraints:
    slide="[A-Za-z0-9][A-Za-z0-9._-]*",


scattergather:
    shards=1,
