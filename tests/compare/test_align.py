"""Several answers as one table."""

from __future__ import annotations

import orjson
from answering import answer

from plantid_core.compare.align import Cell, align
from plantid_core.compare.consensus import consensus
from plantid_core.compare.names.reconcile import shipped


def test_one_plant_under_two_names_is_one_row() -> None:
    """Synonyms and hybrid signs share a row, each cell with the name as it was given."""
    table = align(
        [
            answer("plantnet", ("Rosa canina", 0.5), ("Citrus sinensis", 0.4)),
            answer("offline", ("Citrus × aurantium", 0.6)),
        ],
        shipped(),
    )

    orange = next(row for row in table.rows if row.title == "Citrus × aurantium")
    assert table.providers == ("plantnet", "offline")
    assert orange.cells == {
        "plantnet": Cell(2, 0.4, "Citrus sinensis"),
        "offline": Cell(1, 0.6, "Citrus × aurantium"),
    }


def test_a_taxon_named_twice_has_its_better_rank() -> None:
    """A provider that gives an older and a newer name is not heard twice."""
    [row] = align(
        [answer("plantnet", ("Citrus sinensis", 0.4), ("Citrus × aurantium", 0.3))], shipped()
    ).rows

    assert row.cells["plantnet"] == Cell(1, 0.4, "Citrus sinensis")


def test_varieties_stand_in_their_species_row() -> None:
    """The table is at species level; a genus alone has a row of its own."""
    table = align(
        [
            answer("plant_id", ("Brassica oleracea var. capitata", 0.6), ("Brassica", 0.2)),
            answer("plantnet", ("Brassica oleracea var. italica", 0.5)),
        ],
        shipped(),
    )

    assert [(row.title, row.taxon.rank) for row in table.rows] == [
        ("Brassica oleracea", "species"),
        ("Brassica", "genus"),
    ]
    assert set(table.rows[0].cells) == {"plant_id", "plantnet"}


def test_rows_are_in_the_order_of_the_consensus() -> None:
    """What the verdict names stands at the head, then the joint order, with everybody's names."""
    answers = [
        answer("plant_id", ("Prunus avium", 0.5), ("Rosa canina", 0.4), ("Ficus carica", 0.1)),
        answer("plantnet", ("Prunus avium", 0.5), ("Rosa canina", 0.4)),
        answer("offline", ("Rosa canina", 0.9)),
        answer("herbarium", status="unavailable"),
    ]

    table = align(answers, shipped())

    assert [row.title for row in table.rows] == [
        entry.scientific_name for entry in consensus(answers).suggestions
    ]
    assert [row.best for row in table.rows] == [1, 1, 3]


def test_no_names_make_an_empty_table() -> None:
    """Silence has columns and no rows, and is JSON all the same."""
    table = align([answer("plantnet", status="no_match")], shipped())

    assert orjson.loads(orjson.dumps(table.to_dict())) == {"providers": ["plantnet"], "taxa": []}
