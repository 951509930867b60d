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
        mem_mb=2000,
        runtime=10,
    params:
        seed=lambda wildcards: wildcards.slide.rsplit("-", 1)[-1],
        folder=subpath(output.slide, parent=True),
    shell:
        "lds-path demo {params.folder} --seed {params.seed} 2> {log}"


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
        mem_mb=2000,
        runtime=60,
    params:
        slide=get_option("", "path"),
        slide_mpp=get_option("--slide-mpp", "mpp"),
        mpp=lookup("tile/mpp", within=config),
        strict=get_flag("--strict", "strict"),
    shell:
        "lds-path tile {params.slide} {output} {params.slide_mpp} --mpp {params.mpp}"
        " --threads {threads} {params.strict} 2> {log}"


rule detect:
    input:
        roi=get_file("roi"),
        tile="<results>/tile/{slide}",
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
        mem_mb=2000,
        runtime=20,
    params:
        roi=get_option("--roi", "roi"),
        tissue_mpp=lookup("detect/tissue_mpp", within=config),
        min_tissue_um2=lookup("detect/min_tissue_um2", within=config),
        max_hole_um2=lookup("detect/max_hole_um2", within=config),
        region_size=lookup("detect/region_size", within=config),
        overlap=lookup("detect/overlap", within=config),
        lattice=lookup("detect/lattice", within=config),
        strict=get_flag("--strict", "strict"),
    shell:
        "lds-path detect {input.tile} {output} {params.roi} --tissue-mpp {params.tissue_mpp}"
        " --min-tissue-um2 {params.min_tissue_um2} --max-hole-um2 {params.max_hole_um2}"
        " --region-size {params.region_size} --overlap {params.overlap}"
        " --lattice {params.lattice} {params.strict} 2> {log}"
