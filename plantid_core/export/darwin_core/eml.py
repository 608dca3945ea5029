"""The archive's description of itself: a minimal document of EML 2.2.0.

https://eml.ecoinformatics.org/schema/ · GBIF asks for title, creator, contact, date and rights.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from plantid_core.export.darwin_core.records import made_with
from plantid_core.export.darwin_core.tables import one_line

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

_EML = "https://eml.ecoinformatics.org/eml-2.2.0"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_NOBODY = "The person who exported it"


def eml_xml(
    recorders: Iterable[str], licences: Iterable[str], now: dt.datetime, *, sandbox: bool
) -> bytes:
    """Return the document for records of these people under these licences."""
    people = sorted({one_line(name) for name in recorders if name.strip()}) or [_NOBODY]
    rights = sorted({one_line(licence) for licence in licences})
    ET.register_namespace("eml", _EML)
    ET.register_namespace("xsi", _XSI)
    root = ET.Element(
        f"{{{_EML}}}eml",
        {
            "packageId": str(uuid.uuid4()),
            "system": "plantid",
            "scope": "system",
            f"{{{_XSI}}}schemaLocation": f"{_EML} {_EML}/eml.xsd",
        },
    )
    dataset = ET.SubElement(root, "dataset")
    title = "Plant observations with their identifications"
    _text(dataset, "title", f"{title} (SANDBOX: no botany)" if sandbox else title)
    for name in people:
        _person(dataset, "creator", name)
    _text(dataset, "pubDate", now.date().isoformat())
    _text(dataset, "language", "en")
    told = (
        "Photos of plants, identified by services and models, and by people. Made with"
        f" {made_with()}. The names of machines are marked as predictions."
    )
    _text(ET.SubElement(dataset, "abstract"), "para", told)
    each = f"Each record tells its licence: {'; '.join(rights)}." if rights else "No records."
    _text(ET.SubElement(dataset, "intellectualRights"), "para", each)
    _person(dataset, "contact", people[0])
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return document


def _text(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = text


def _person(parent: ET.Element, role: str, name: str) -> None:
    person = ET.SubElement(parent, role)
    _text(ET.SubElement(person, "individualName"), "surName", name)
