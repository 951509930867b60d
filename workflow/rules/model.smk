rule train:
    input:
        sheet=get_sheet(),
        labels=get_training_labels,
        roi=get_training_areas,
        tile=collect("<results>/tile/{slide}", slide=get_labelled("train", "tune")),
        detect=collect("<results>/detect/{slide}", slide=get_labelled("train", "tune")),
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
        runtime=1440,  # a training that ran out of time goes on where it was
    params:
        base=get_base(),
        classes=get_class_options(),
        options=get_options("labels", "train"),
        replacement=get_training_replacements,
        results=subpath(output[0], parent=True),
    shell:
        "lds-path train {input.sheet:q} {output} --base {params.base:q}"
        " --tile {params.results}/tile --detect {params.results}/detect"
        " --state {params.results}/train-state"
        " {params.classes} {params.options} --threads {threads} 2> {log}"
