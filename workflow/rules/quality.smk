rule assess:
    input:
        slide=inputs.file("path"),
        tile="<results>/tile/{slide}",
        detect="<results>/detect/{slide}",
        segment=gather.shards("<results>/segment/{{slide}}/{scatteritem}"),
        stitch="<results>/stitch/{slide}",
        screen=inputs.screened_if(wanted=config["assess"]["screen"]),
    output:
        directory("<results>/assess/{slide}"),
    log:
        "<logs>/assess/{slide}.log",
    benchmark:
        "<benchmarks>/assess/{slide}.tsv"
    conda:
        "../../envs/slide.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        screen=arguments.screened,
        stain=arguments.cell("stain", "--stain"),
        options=arguments.options("assess"),
        strict=arguments.strict,
    shell:
        "lds-path assess {input.tile} {input.detect} {input.segment} {input.stitch} {output}"
        " {params.screen} {params.stain} {params.options} {params.strict} 2> {log}"


rule evaluate:
    input:
        labels=inputs.file("labels"),
        roi=inputs.file("roi"),
        tile="<results>/tile/{slide}",
        detect="<results>/detect/{slide}",
        segment=gather.shards("<results>/segment/{{slide}}/{scatteritem}"),
        stitch="<results>/stitch/{slide}",
    output:
        directory("<results>/evaluate/{slide}"),
    log:
        "<logs>/evaluate/{slide}.log",
    benchmark:
        "<benchmarks>/evaluate/{slide}.tsv"
    conda:
        "../../envs/slide.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        labels=arguments.path("labels", "labels"),
        roi=arguments.path("roi", "roi", "--roi"),
        replacement=arguments.replacement("labels", "roi"),
        options=arguments.options("labels", "evaluate"),
        strict=arguments.strict,
    shell:
        "lds-path evaluate {input.tile} {input.detect} {input.segment} {input.stitch}"
        " {params.labels} {output} {params.roi} {params.options} {params.strict} 2> {log}"


rule report:
    input:
        sheet=slides.sheet,
        export=collect("<results>/export/{slide}", slide=slides.ids),
        assess=collect("<results>/assess/{slide}", slide=slides.ids),
        evaluate=collect("<results>/evaluate/{slide}", slide=slides.labelled()),
    output:
        report(
            directory("<results>/report"),
            htmlindex="index.html",
            caption="../report/cohort.rst",
            category="Cohort",
        ),
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.tsv"
    conda:
        "../../envs/slide.yaml"
    threads: 4
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        # It reads more than its inputs, which no job copies.
        results=lambda wildcards: str(RESULTS),
        slides=slides.ids,
        options=arguments.options("report"),
    shell:
        "lds-path report {params.results} {output} {params.slides} {params.options}"
        " --sheet {input.sheet:q} --threads {threads} > {log} 2>&1"
