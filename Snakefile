from snakemake.utils import min_version

min_version("9.20")


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/slides.smk"
include: "workflow/rules/model.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/quality.smk"


rule all:
    default_target: True
    input:
        "<results>/report",
        collect("<results>/export/{slide}", slide=slides.ids),


onstart:
    setup.started.lock.describe_run(local=workflow.local_exec)
    if workflow.local_exec:
        start_without_limit(workflow.scheduler)
    if workflow.local_exec and not workflow.deployment_settings.deployment_method:
        # Stages then start without their imports.
        start_servers({job.rule.name for job in workflow.dag.needrun_jobs()})


onsuccess:
    # A run that ends before the report, as with `--until`, leaves that of an earlier one.
    if SUMMARY.is_file() and SUMMARY.stat().st_mtime_ns != EARLIER_SUMMARY:
        print(SUMMARY.read_text())
