"""One run of a training, from its first step or where it was interrupted, to the best model."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tqdm import tqdm

from lds_path.errors import TrainingError
from lds_path.learning.augmentation import move
from lds_path.learning.data.balance import draw_regions, region_chances
from lds_path.learning.data.batches import training_batches
from lds_path.learning.data.labelled_regions import RegionCache, margin_around
from lds_path.learning.finishing import finish
from lds_path.learning.record.doubts import doubt_distance, find_doubts
from lds_path.learning.record.page import write_page
from lds_path.learning.record.progress import Progress, join_dice
from lds_path.learning.record.training_log import TrainingLog
from lds_path.learning.training_state import (
    BEST_NAME,
    STATE_NAME,
    Learner,
    clear_state,
    read_record,
    restore_state,
    save_state,
)
from lds_path.learning.tuning.gain import find_loss, score_start
from lds_path.learning.tuning.score import by_class, choose_regions, known, tune_dice
from lds_path.models.card import WEIGHTS_NAME
from lds_path.models.checkpoint import save_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.learning.data.batches import Batch
    from lds_path.learning.data.training_set import TrainingSet
    from lds_path.learning.recipe import Schedule
    from lds_path.learning.trainer import Trainer
    from lds_path.learning.tuning.gain import Dice
    from lds_path.models.ancestor import Ancestor
    from lds_path.models.card import ModelCard

log = logging.getLogger(__name__)

_MAX_TUNE_REGIONS = 64


@dataclass
class Best:
    """The model to keep, and how far the training is."""

    step: int = 0
    """Steps done."""
    best_step: int = 0
    dice: tuple[float | None, ...] = ()
    """Tune Dice of each class of the best model; None for a class that no tune region holds."""
    waited: int = 0
    """Scores since the best one."""

    @property
    def mean(self) -> float:
        """Mean Dice over the classes that tune regions hold."""
        return _mean(self.dice)


@dataclass
class Fit:
    """Trains, and keeps in a separate folder what is needed to resume an interrupted training."""

    folder: Path
    """Where the model is written."""
    model: Path
    """The name that its folder gets at the end."""
    state: Path
    """Folder that outlives an interruption."""
    identity: str
    """Equal for trainings of which one can resume the other."""
    trainer: Trainer
    card: ModelCard
    train_set: TrainingSet
    tune_set: TrainingSet
    schedule: Schedule
    remarks: Sequence[str] = ()
    """What should be known besides what the labelled slides show, a sentence each."""
    ancestor: Ancestor | None = None
    """The model that the training starts from."""
    best: Best = field(default_factory=Best)
    start_dice: Dice = field(default_factory=dict)
    """Tune Dice of the ancestor, if there is one."""

    def run(self, *, cache_mib: int, threads: int) -> dict[str, Any]:
        """Train, write the best model, and return the results for the manifest."""
        spec, steps = self.card.network, self.trainer.recipe.steps
        weights = self.trainer.error_weights
        tune = RegionCache(
            choose_regions(self.tune_set, _MAX_TUNE_REGIONS),
            spec,
            mib=cache_mib // 4,
            error_weights=weights,
            for_scores=True,
        )
        chances = region_chances(self.train_set.counts, balance=self.schedule.balance)
        rows = self._resume()
        batches = training_batches(
            RegionCache(
                self.train_set.regions,
                spec,
                mib=cache_mib - cache_mib // 4,
                error_weights=weights,
                margin=margin_around(
                    self.train_set.regions[0].region, spec, self.schedule.augmentation.shift
                ),
            ),
            chances,
            steps=range(self.best.step, steps),
            batch_size=self.schedule.batch_size,
            seed=self.trainer.recipe.seed,
            threads=threads,
            lattices=self.trainer.lattices,
            move=partial(move, augmentation=self.schedule.augmentation),
        )
        doubts = self._find_doubts()
        self._score_start(tune)
        with TrainingLog(self.folder, self.card.class_names, rows) as training_log:
            self._train(batches, chances, tune, training_log)
        sets = {"train": self.train_set, "tune": self.tune_set}
        card = finish(self.state / BEST_NAME, self.folder, self.trainer, sets, tune)
        doubts += find_loss(self.start_dice, card.scores["tune_dice"])
        return {
            "steps": self.best.step,
            "best_step": self.best.best_step,
            "train_regions": len(self.train_set.regions),
            "tune_regions": len(tune),
            "start_dice": self.start_dice,
            "tune_dice": card.scores["tune_dice"],
            "tune_dice_by_slide": write_page(
                self.folder, self.trainer, tune, sets, doubts, model=self.model
            ),
            "warnings": doubts,
        }

    def _find_doubts(self) -> list[str]:
        """Return what should be known of the labelled slides, and say so before it takes time."""
        train, tune = self.train_set, self.tune_set
        log.info(
            "train: %d regions to learn from and %d to score, at most %d steps",
            len(train.regions),
            len(tune.regions),
            self.trainer.recipe.steps,
        )
        doubts = find_doubts(train, tune, self.card.training, self.card.class_names)
        doubts += [*doubt_distance(self.card), *self.remarks]
        for doubt in doubts:
            log.warning("train: warning: %s", doubt)
        return doubts

    def _score_start(self, tune: RegionCache) -> None:
        """Measure how good the model is that the training starts from, if it does from one."""
        if self.ancestor is None:
            return
        self.start_dice = score_start(self.ancestor, self.card, self.trainer, tune)
        if len(tune):
            dice = join_dice(self.card.class_names, tuple(self.start_dice.values()))
            log.info("train: tune Dice of %s, before the first step: %s", self.ancestor.name, dice)

    def _resume(self) -> list[Any]:
        """Resume an equal training; return the rows of its log."""
        path = self.state / STATE_NAME
        record = read_record(path)
        has_weights = (self.state / BEST_NAME / WEIGHTS_NAME).is_file()
        if record is not None and record["identity"] == self.identity and has_weights:
            restore_state(path, self._learner)
            self.best = Best(**record["best"])
            log.info("the training is resumed after step %d, from %s", self.best.step, self.state)
            return [tuple(row) for row in record["rows"]]
        if record is not None:
            log.warning(
                "%s belongs to another training; this one starts from the beginning", self.state
            )
        clear_state(self.state)
        (self.state / BEST_NAME).mkdir(parents=True)
        return []

    def _train(
        self,
        batches: Iterator[Batch],
        chances: NDArray[np.float64],
        tune: RegionCache,
        training_log: TrainingLog,
    ) -> None:
        best, steps, schedule = self.best, self.trainer.recipe.steps, self.schedule
        bar = tqdm(batches, total=steps, initial=best.step, unit="step", desc="train", disable=None)
        progress = Progress(self.card.class_names, steps, done=best.step)
        for batch in bar:
            if self._is_patience_over():
                log.info(
                    "no better score for %d scores: stopped at step %d", best.waited, best.step
                )
                break
            losses = self._step(batch, chances)
            best.step += 1
            dice: tuple[float | None, ...] = ()
            if best.step == steps or best.step % schedule.tune_every == 0:
                dice = self._score(tune)
            measured = tuple(float("nan") if value is None else value for value in dice)
            training_log.add(best.step, losses, measured)
            if dice:
                self._save(training_log)
            if bar.disable:  # no terminal: a line a minute instead of the bar
                progress.add(best.step, losses[0], dice, (best.mean, best.best_step))
            bar.set_postfix(loss=f"{losses[0]:.3f}", tune_dice=f"{best.mean:.3f}")

    def _is_patience_over(self) -> bool:
        return 0 < self.schedule.patience <= self.best.waited

    def _step(self, batch: Batch, chances: NDArray[np.float64]) -> tuple[float, float, float]:
        try:
            return self.trainer.step(self.best.step, batch)
        except TrainingError as error:
            drawn = draw_regions(
                chances,
                batch_size=self.schedule.batch_size,
                seed=self.trainer.recipe.seed,
                step=self.best.step,
            )
            regions = (self.train_set.regions[index] for index in dict.fromkeys(drawn.tolist()))
            where = ", ".join(
                f"{labelled.slide} region {labelled.region.index}" for labelled in regions
            )
            raise TrainingError(f"{error}; it saw {where}; {self._kept_model()}") from None

    def _kept_model(self) -> str:
        if not self.best.best_step:
            return "no model has been kept yet"
        return f"the model of step {self.best.best_step} is kept in {self.state / BEST_NAME}"

    def _score(self, tune: RegionCache) -> tuple[float | None, ...]:
        """Measure the Dice, and keep the model if none was better."""
        trainer, best = self.trainer, self.best
        self._check_weights()
        lattice, recipe = self.card.lattice, trainer.recipe
        dice = known(tune_dice(trainer.segmenter, tune, lattice, trainer.device, recipe=recipe))
        best.waited += 1
        if not best.best_step or _mean(dice) >= best.mean:
            best.best_step, best.dice, best.waited = best.step, dice, 0
            scores = {"tune_dice": by_class(self.card.class_names, dice), "step": best.step}
            scores |= {"start_dice": self.start_dice} if self.ancestor else {}
            save_model(self.state / BEST_NAME, trainer.segmenter, replace(self.card, scores=scores))
        if not len(tune):
            best.waited = 0
        return dice

    def _check_weights(self) -> None:
        for name, weights in self.trainer.segmenter.named_parameters():
            if not bool(torch.isfinite(weights).all()):
                raise TrainingError(
                    f"the weights '{name}' are not finite numbers after step {self.best.step}; lower"
                    f" `learning_rate` (now {self.trainer.recipe.learning_rate}); {self._kept_model()}"
                )

    def _save(self, training_log: TrainingLog) -> None:
        """Write the state that the next step depends on, and the curve up to now."""
        state = {"identity": self.identity, "best": vars(self.best), "rows": training_log.rows}
        save_state(self.state / STATE_NAME, self._learner, state)
        training_log.draw()

    @property
    def _learner(self) -> Learner:
        return Learner(self.trainer.segmenter, self.trainer.optimizer, self.trainer.scaler)


def error_weights(counts: NDArray[np.int64], power: float) -> tuple[float, ...]:
    """Return what a wrong pixel of each class costs; 1 for a pixel drawn from all.

    Parameters
    ----------
    counts
        Labelled pixels of each class in each region, (regions, classes), some of each class.
    power
        A pixel costs its class's share of the area to minus this power.
    """
    shares = counts.sum(axis=0) / counts.sum()
    costs = np.maximum(shares, 1e-6) ** -power
    return tuple((costs / (costs * shares).sum()).tolist())


def _mean(dice: tuple[float | None, ...]) -> float:
    known = [value for value in dice if value is not None]
    return sum(known) / len(known) if known else 0.0
