"""What the measured scores are worth, for the joint ranking."""

from __future__ import annotations

from labelled import answer, evaluation, photo

from plantid_core.compare.calibration import BetaMap, Calibration, fit
from plantid_core.compare.consensus import consensus
from plantid_core.compare.names.reconcile import shipped
from plantid_core.evaluation.calibrate import calibrated
from plantid_core.evaluation.result import Heard

SCORES = [number / 40 for number in range(1, 40)]
RIGHT = [score > 0.6 for score in SCORES]


def heard() -> list[Heard]:
    """Return answers to 39 photos of a cherry, of which the sure ones are right, and to two others."""
    told = [
        ("Prunus serrulata", "Prunus serrulata" if right else "Prunus persica", score)
        for score, right in zip(SCORES, RIGHT, strict=True)
    ]
    told += [("Tsuga", "Tsuga", 0.9), ("not a plant", "Zea mays", 0.1)]
    found = []
    for number, (label, name, score) in enumerate(told):
        answers = (
            answer("plantnet", (name, score), sandbox=True),
            answer("offline", (name, score), source="local"),
            answer("plant_id", status="unavailable"),
        )
        joint = consensus(answers, shipped())
        found.append(Heard(photo(label, f"{number}.jpg"), f"{number:064}", answers, joint))
    return found


def test_each_is_fitted_for_who_answered() -> None:
    """The sandbox's map is the sandbox's alone; only species-labelled photos count, and no genus is right."""
    found, told = calibrated(evaluation(heard()), Calibration())

    expected = fit(SCORES, RIGHT)
    assert found == Calibration(services={"offline": expected}, sandbox={"plantnet": expected})
    assert told[0] == "Pl@ntNet (sandbox): calibrated on 39 photos."
    assert told[1] == "Offline model: calibrated on 39 photos."
    assert told[2].startswith("Plant.id: not calibrated.")


def test_what_was_known_of_others_stays() -> None:
    """A service that was not reached keeps its map, and so does the real one behind a sandbox."""
    known = BetaMap(1.0, 1.0, -1.0, 50)

    found, _ = calibrated(
        evaluation(heard()), Calibration(services={"plant_id": known, "plantnet": known})
    )

    assert found.services["plant_id"] == found.services["plantnet"] == known
    assert found.sandbox["plantnet"] != known
