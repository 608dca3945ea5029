"""Darwin Core Archives (TDWG): occurrences, their photos, and every identification they were given.

Terms: https://dwc.tdwg.org/terms/ · the archive: https://dwc.tdwg.org/text/ (text guidelines) ·
photos: GBIF's Simple Multimedia (http://rs.gbif.org/terms/1.0/Multimedia).
"""
