"""The text files of an archive and the ``meta.xml`` that describes them.

Tab-separated UTF-8, one header line, no quotes, as GBIF publishes: a field cannot hold a tab or a line's
end, so each run of such characters becomes one space.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DWC = "http://rs.tdwg.org/dwc/terms/"
DC = "http://purl.org/dc/terms/"
_TEXT = "http://rs.tdwg.org/dwc/text/"

# What ends a line for any reader, and what XML and databases refuse.
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Table:
    """One file: its name, what a row is, and its columns' terms; the first column links the files."""

    file: str
    row_type: str
    terms: Sequence[str]
    core: bool = False

    @property
    def header(self) -> list[str]:
        """Return the first line's words."""
        return ["id" if self.core else "coreid", *(term.rpartition("/")[2] for term in self.terms)]


OCCURRENCE = Table(
    "occurrence.txt",
    f"{DWC}Occurrence",
    (
        f"{DWC}occurrenceID",
        f"{DWC}basisOfRecord",
        f"{DWC}occurrenceStatus",
        f"{DWC}eventDate",
        f"{DWC}decimalLatitude",
        f"{DWC}decimalLongitude",
        f"{DWC}geodeticDatum",
        f"{DWC}coordinateUncertaintyInMeters",
        f"{DWC}recordedBy",
        f"{DC}license",
        f"{DC}rightsHolder",
        f"{DWC}scientificName",
        f"{DWC}scientificNameAuthorship",
        f"{DWC}taxonRank",
        f"{DWC}kingdom",
        f"{DWC}family",
        f"{DWC}genus",
        f"{DWC}taxonID",
        f"{DWC}identifiedBy",
        f"{DWC}dateIdentified",
        f"{DWC}identificationVerificationStatus",
        f"{DWC}identificationReferences",
        f"{DWC}identificationRemarks",
        f"{DWC}occurrenceRemarks",
        f"{DWC}associatedMedia",
        f"{DWC}dataGeneralizations",
        f"{DWC}informationWithheld",
        f"{DWC}dynamicProperties",
    ),
    core=True,
)
MULTIMEDIA = Table(
    "multimedia.txt",
    "http://rs.gbif.org/terms/1.0/Multimedia",
    (
        f"{DC}type",
        f"{DC}format",
        f"{DC}identifier",
        f"{DC}description",
        f"{DC}created",
        f"{DC}creator",
        f"{DC}license",
        f"{DC}rightsHolder",
    ),
)
IDENTIFICATION = Table(
    "identification.txt",
    f"{DWC}Identification",
    (
        f"{DWC}identificationID",
        f"{DWC}scientificName",
        f"{DWC}scientificNameAuthorship",
        f"{DWC}taxonRank",
        f"{DWC}kingdom",
        f"{DWC}family",
        f"{DWC}genus",
        f"{DWC}taxonID",
        f"{DWC}identifiedBy",
        f"{DWC}dateIdentified",
        f"{DWC}identificationVerificationStatus",
        f"{DWC}identificationReferences",
        f"{DWC}identificationRemarks",
    ),
)
TABLES = (OCCURRENCE, MULTIMEDIA, IDENTIFICATION)


def header_line(table: Table) -> str:
    """Return the file's first line."""
    return "\t".join(table.header) + "\n"


def line(table: Table, core_id: str, cells: Mapping[str, str | float | None]) -> str:
    """Return a row's line; ``cells`` by the terms' last words, those left out are empty."""
    told = [cells.get(name) for name in table.header[1:]]
    return "\t".join([core_id, *(_field(cell) for cell in told)]) + "\n"


def meta_xml() -> bytes:
    """Return the description of the files, by http://rs.tdwg.org/dwc/text/tdwg_dwc_text.xsd."""
    archive = ET.Element("archive", {"xmlns": _TEXT, "metadata": "eml.xml"})
    for table in TABLES:
        file = ET.SubElement(
            archive,
            "core" if table.core else "extension",
            {
                "encoding": "UTF-8",
                "fieldsTerminatedBy": "\\t",
                "linesTerminatedBy": "\\n",
                "fieldsEnclosedBy": "",
                "ignoreHeaderLines": "1",
                "rowType": table.row_type,
            },
        )
        ET.SubElement(ET.SubElement(file, "files"), "location").text = table.file
        ET.SubElement(file, "id" if table.core else "coreid", {"index": "0"})
        for index, term in enumerate(table.terms, start=1):
            ET.SubElement(file, "field", {"index": str(index), "term": term})
    ET.indent(archive)
    document: bytes = ET.tostring(archive, encoding="UTF-8", xml_declaration=True)
    return document


def one_line(text: str) -> str:
    """Return text that fits a field, and UTF-8."""
    return _BREAKS.sub(" ", text).strip().encode("utf-8", "replace").decode()


def _field(cell: str | float | None) -> str:
    if cell is None:
        return ""
    return one_line(cell) if isinstance(cell, str) else f"{cell:.10g}"
