rule train:
    input:
        sheet=slides.sheet,
        labels=inputs.training_labels,
        roi=inputs.files(slides.training, "roi"),
        slide=inputs.files(slides.training, "path"),
        encoder_weights=inputs.encoder_weights,
        tile=collect("<results>/tile/{slide}", slide=slides.training),
        detect=collect("<results>/detect/{slide}", slide=slides.training),
        start=inputs.starting_model,
    output:
        directory("<results>/train"),
    log:
        "<logs>/train.log",
    benchmark:
        "<benchmarks>/train.tsv"
    conda:
        "../../envs/network.yaml"
    threads: 2
    resources:
        mem_mb=growing(8000),
        runtime=1440,  # a training that runs out of time is resumed at the next attempt
    params:
        base=lambda wildcards: slides.base,
        classes=arguments.classes,
        options=arguments.options("labels", "train"),
        replacement=arguments.training_replacements,
        results=subpath(output[0], parent=True),
    shell:
        "lds-path train {input.sheet:q} {output} --base {params.base:q}"
        " --tile {params.results}/tile --detect {params.results}/detect"
        " --state {params.results}/train-state"
        " {params.classes} {params.options} --threads {threads} 2>&1 | tee -i {log} >&2"
