rule train:
    input:
        tile=collect("<results>/tile/{slide}", slide=get_labelled("train", "tune")),
        detect=collect("<results>/detect/{slide}", slide=get_labelled("train", "tune")),
        labels=[get_file("labels")],
    output:
        multiext("<results>/train/", "manifest.json", "model.json", "weights.safetensors"),
    log:
        "<logs>/train.log",
    benchmark:
        "<benchmarks>/train.tsv"
    conda:
        "../../envs/network.yaml"
    threads: 2
    resources:
        mem_mb=8000,
        runtime=1440,
    params:
        x=1,
    shell:
        ""
