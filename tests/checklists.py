"""Small checklists in the forms in which the world publishes large ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

WCVP_HEAD = (
    "plant_name_id|ipni_id|taxon_rank|taxon_status|family|genus_hybrid|genus|species_hybrid|species"
    "|infraspecific_rank|infraspecies|parenthetical_author|primary_author|publication_author"
    "|place_of_publication|volume_and_page|first_published|nomenclatural_remarks|geographic_area"
    "|lifeform_description|climate_description|taxon_name|taxon_authors|accepted_plant_name_id"
    "|basionym_plant_name_id|replaced_synonym_author|homotypic_synonym|parent_plant_name_id|powo_id"
    "|hybrid_formula|reviewed"
)
TAXON_HEAD = (
    "taxonID\tdatasetID\tparentNameUsageID\tacceptedNameUsageID\toriginalNameUsageID"
    "\tscientificName\tscientificNameAuthorship\tcanonicalName\tgenericName\tspecificEpithet"
    "\tinfraspecificEpithet\ttaxonRank\tnameAccordingTo\tnamePublishedIn\ttaxonomicStatus"
    "\tnomenclaturalStatus\ttaxonRemarks\tkingdom\tphylum\tclass\torder\tfamily\tgenus"
)
SIMPLE_COLUMNS = 30

Said = tuple[int, str, str, str, str, str, int | None]

# id, rank, status, family, name, authors, id of the accepted name
CITRUS: tuple[Said, ...] = (
    (1, "Genus", "Accepted", "Rutaceae", "Citrus", "L.", 1),
    (2, "Species", "Accepted", "Rutaceae", "Citrus × aurantium", "L.", 2),
    (3, "Species", "Synonym", "Rutaceae", "Citrus sinensis", "(L.) Osbeck", 2),
    (4, "Variety", "Synonym", "Rutaceae", "Citrus aurantium var. sinensis", "L.", 3),
    (5, "Species", "Unplaced", "Rutaceae", "Citrus dubia", "Foo", None),
)


def wcvp(path: Path, rows: Iterable[Said]) -> Path:
    """Write ``wcvp_names.csv`` with these rows."""
    columns = WCVP_HEAD.split("|")
    lines = [WCVP_HEAD]
    for number, rank, status, family, name, authors, accepted in rows:
        cells = dict.fromkeys(columns, "")
        cells |= {"plant_name_id": str(number), "taxon_rank": rank, "taxon_status": status}
        cells |= {"family": family, "taxon_name": name, "taxon_authors": authors}
        cells["accepted_plant_name_id"] = "" if accepted is None else str(accepted)
        lines.append("|".join(cells.values()))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def taxon_tsv(path: Path, rows: Iterable[dict[str, str]]) -> Path:
    """Write GBIF's ``Taxon.tsv`` with these rows; what a row does not name is empty."""
    columns = TAXON_HEAD.split("\t")
    cells = ("\t".join(row.get(column, "") for column in columns) for row in rows)
    path.write_text("\n".join((TAXON_HEAD, *cells)) + "\n", encoding="utf-8")
    return path


def simple_txt(path: Path, rows: Iterable[dict[int, str]]) -> Path:
    """Write GBIF's ``simple.txt``: a row gives its columns by place, the others are null."""
    lines = ("\t".join(row.get(at, r"\N") for at in range(SIMPLE_COLUMNS)) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
