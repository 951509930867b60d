rule demo:
    output:
        slide="<results>/demo/{slide}/slide.tif",
        labels="<results>/demo/{slide}/labels.tif",
        manifest="<results>/demo/{slide}/manifest.json",
    log:
        "<logs>/demo/{slide}.log",
    benchmark:
        "<benchmarks>/demo/{slide}.tsv"
    conda:
        "../../envs/slide.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        folder=subpath(output.slide, parent=True),
        seed=lambda wildcards: wildcards.slide.rsplit("-", 1)[-1],
        # Most of a real slide holds nothing of interest; slides named sparse-* imitate that.
        structured=lambda wildcards: (
            0.15 if wildcards.slide.startswith("sparse") else 1.0
        ),
    shell:
        "lds-path demo {params.folder} --seed {params.seed} --structured {params.structured}"
        " 2> {log}"


rule tile:
    input:
        slide=inputs.file("path"),
    output:
        directory("<results>/tile/{slide}"),
    log:
        "<logs>/tile/{slide}.log",
    benchmark:
        "<benchmarks>/tile/{slide}.tsv"
    conda:
        "../../envs/slide.yaml"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        slide=arguments.path("path", "slide"),
        slide_mpp=arguments.cell("mpp", "--slide-mpp"),
        scene=arguments.cell("scene", "--scene"),
        stored_levels=arguments.stored_levels,
        replacement=arguments.replacement("path"),
        options=arguments.options("tile"),
        strict=arguments.strict,
    shell:
        "lds-path tile {params.slide} {output} {params.slide_mpp} {params.scene}"
        " {params.options} {params.stored_levels} --threads {threads} {params.strict} 2> {log}"


rule screen:
    input:
        tile="<results>/tile/{slide}",
        model=inputs.screening_model,
    output:
        directory("<results>/screen/{slide}"),
    log:
        "<logs>/screen/{slide}.log",
    benchmark:
        "<benchmarks>/screen/{slide}.tsv"
    conda:
        "../../envs/network.yaml"
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        options=arguments.options("screen"),
        replacement=arguments.screening_model_replacement,
        strict=arguments.strict,
    shell:
        "lds-path screen {input.tile} {output} {params.options} --threads {threads}"
        " {params.strict} 2> {log}"


rule detect:
    input:
        roi=inputs.file("roi"),
        tissue=inputs.file("tissue"),
        tile="<results>/tile/{slide}",
        screen=inputs.screened_if(wanted=config["detect"]["method"] == "network"),
    output:
        directory("<results>/detect/{slide}"),
    log:
        "<logs>/detect/{slide}.log",
    benchmark:
        "<benchmarks>/detect/{slide}.tsv"
    conda:
        "../../envs/slide.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        roi=arguments.path("roi", "roi", "--roi"),
        tissue=arguments.path("tissue", "tissue", "--tissue"),
        screen=arguments.screened,
        stain=arguments.cell("stain", "--stain"),
        threshold=arguments.cell("tissue_threshold", "--tissue-threshold"),
        replacement=arguments.replacement("roi", "tissue"),
        options=arguments.options("detect"),
        strict=arguments.strict,
    shell:
        "lds-path detect {input.tile} {output} {params.roi} {params.tissue} {params.screen}"
        " {params.options} {params.stain} {params.threshold} {params.strict} 2> {log}"
