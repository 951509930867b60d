rule segment:
    input:
        tile="<results>/tile/{slide}",
        detect="<results>/detect/{slide}",
        model=get_model_files,
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
        mem_mb=4000,
        runtime=120,
    params:
        model=subpath(input.model[0], parent=True),
        classes=get_class_options(),
        batch_size=lookup("segment/batch_size", within=config),
        strict=get_flag("--strict", "strict"),
    shell:
        "lds-path segment {input.tile} {input.detect} {output} --model {params.model:q}"
        " {params.classes} --shard {wildcards.scatteritem} --batch-size {params.batch_size}"
        " --threads {threads} {params.strict} 2> {log}"


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
        mem_mb=2000,
        runtime=60,
    params:
        mpp=get_optional("--mpp", "stitch/mpp"),
        strict=get_flag("--strict", "strict"),
    shell:
        "lds-path stitch {input.tile} {input.detect} {input.segment} {output} {params.mpp}"
        " --threads {threads} {params.strict} 2> {log}"


rule export:
    input:
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
        mem_mb=2000,
        runtime=60,
    params:
        tolerance_um=lookup("export/tolerance_um", within=config),
        min_object_um2=lookup("export/min_object_um2", within=config),
        max_hole_um2=lookup("export/max_hole_um2", within=config),
        annotation_um2=lookup("export/annotation_um2", within=config),
        frame=lookup("export/frame", within=config),
        strict=get_flag("--strict", "strict"),
    shell:
        "lds-path export {input.stitch} {output} --tolerance-um {params.tolerance_um}"
        " --min-object-um2 {params.min_object_um2} --max-hole-um2 {params.max_hole_um2}"
        " --annotation-um2 {params.annotation_um2} --frame {params.frame} {params.strict} 2> {log}"
