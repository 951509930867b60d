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
        slide=get_file("path"),
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
        slide=get_path("path", "slide"),
        slide_mpp=get_cell("mpp", "--slide-mpp"),
        replacement=get_replacement("path"),
        options=get_options("tile"),
        strict=STRICT,
    shell:
        "lds-path tile {params.slide} {output} {params.slide_mpp} {params.options}"
        " --threads {threads} {params.strict} 2> {log}"


rule screen:
    input:
        tile="<results>/tile/{slide}",
        model=get_screening_model,
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
        options=get_options("screen"),
        strict=STRICT,
    shell:
        "lds-path screen {input.tile} {output} {params.options} --threads {threads}"
        " {params.strict} 2> {log}"


rule detect:
    input:
        roi=get_file("roi"),
        tile="<results>/tile/{slide}",
        screen=screened_if(config["detect"]["method"] == "network"),
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
        roi=get_path("roi", "roi", "--roi"),
        screen=get_screened,
        replacement=get_replacement("roi"),
        options=get_options("detect"),
        strict=STRICT,
    shell:
        "lds-path detect {input.tile} {output} {params.roi} {params.screen} {params.options}"
        " {params.strict} 2> {log}"
