rule plan:
    input:
        tile="<results>/tile/{slide}",
        detect="<results>/detect/{slide}",
        model=inputs.model,
    output:
        directory("<results>/plan/{slide}"),
    log:
        "<logs>/plan/{slide}.log",
    benchmark:
        "<benchmarks>/plan/{slide}.tsv"
    conda:
        "../../envs/network.yaml"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        model=arguments.model,
        replacement=arguments.model_replacement,
        options=arguments.options("plan"),
        strict=arguments.strict,
    shell:
        "lds-path plan {input.tile} {input.detect} {output} --model {params.model:q}"
        " {params.options} --threads {threads} {params.strict} 2> {log}"


rule segment:
    input:
        slide=inputs.file("path"),
        tile="<results>/tile/{slide}",
        plan="<results>/plan/{slide}",
        model=inputs.model,
        also=inputs.further_models,
    output:
        directory("<results>/segment/{slide}/{scatteritem}"),
    log:
        "<logs>/segment/{slide}/{scatteritem}.log",
    benchmark:
        "<benchmarks>/segment/{slide}/{scatteritem}.tsv"
    conda:
        "../../envs/network.yaml"
    threads: 2
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        model=arguments.model,
        replacement=arguments.model_replacement,
        further_replacements=arguments.further_replacements,
        classes=arguments.classes,
        options=arguments.options("segment"),
        strict=arguments.strict,
    shell:
        "lds-path segment {input.tile} {input.plan} {output} --model {params.model:q} {params.classes}"
        " --shard {wildcards.scatteritem} {params.options} --threads {threads} {params.strict}"
        " 2> {log}"


rule stitch:
    input:
        tile="<results>/tile/{slide}",
        detect="<results>/detect/{slide}",
        segment=gather.shards("<results>/segment/{{slide}}/{scatteritem}"),
    output:
        directory("<results>/stitch/{slide}"),
    log:
        "<logs>/stitch/{slide}.log",
    benchmark:
        "<benchmarks>/stitch/{slide}.tsv"
    conda:
        "../../envs/slide.yaml"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        options=arguments.options("stitch"),
        strict=arguments.strict,
    shell:
        "lds-path stitch {input.tile} {input.detect} {input.segment} {output} {params.options}"
        " --threads {threads} {params.strict} 2> {log}"


rule export:
    input:
        detect="<results>/detect/{slide}",
        stitch="<results>/stitch/{slide}",
    output:
        directory("<results>/export/{slide}"),
    log:
        "<logs>/export/{slide}.log",
    benchmark:
        "<benchmarks>/export/{slide}.tsv"
    conda:
        "../../envs/slide.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        options=arguments.options("export"),
        strict=arguments.strict,
    shell:
        "lds-path export {input.stitch} {output} --detect {input.detect} {params.options}"
        " --threads {threads} {params.strict} 2> {log}"
