"""Files that are not what they say: by their name, their type, or their first bytes."""

from __future__ import annotations

import io
import zipfile

from plantid_core.lab.attacks.attack import MARK, Attack
from plantid_core.lab.pictures import gif_head, quadrants

_PHP = b"<?php system($_GET['cmd']); // " + MARK + b" ?>\n"
_SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert("' + MARK + b'")</script>'
    b'<rect width="9" height="9"/></svg>'
)
_PDF = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.php", _PHP)
    return buffer.getvalue()


DISGUISES = (
    Attack(
        "php-inside",
        "Extension spoofing",
        "photo.php.jpg",
        "An honest photo whose inner extension makes some servers run it as a script.",
        "reject",
        "malicious.php.jpg",
        quadrants,
    ),
    Attack(
        "null-byte",
        "Null byte injection",
        "file.php␀.jpg",
        "A name that a C library reads only up to its NUL byte: file.php.",
        "reject",
        "file.php\x00.jpg",
        quadrants,
    ),
    Attack(
        "line-break-name",
        "Null byte injection",
        "leaf␍␊.jpg",
        "A line break in the name begins a header or a log line of the sender's own.",
        "reject",
        "leaf\r\nX-Injected: yes.jpg",
        quadrants,
    ),
    Attack(
        "php-last",
        "Double extension",
        "photo.jpg.php",
        "A photo's name with a script's extension behind it.",
        "reject",
        "photo.jpg.php",
        quadrants,
    ),
    Attack(
        "bidi-name",
        "Double extension",
        "A name that reads backwards",
        "A text-direction character shows gpj.exe as exe.jpg.",
        "reject",
        "leaf\u202egpj.exe.jpg",
        quadrants,
    ),
    Attack(
        "long-name",
        "Double extension",
        "A name of 300 bytes",
        "Some file systems cut a name at 255 bytes, and with it the last extension.",
        "reject",
        "x" * 292 + ".php.jpg",
        quadrants,
    ),
    Attack(
        "type-lie",
        "Content-type manipulation",
        "A script, declared as image/jpeg",
        "The browser's word for the type is the sender's word.",
        "reject",
        "holiday.jpg",
        lambda: _PHP * 40,
    ),
    Attack(
        "pdf-as-jpg",
        "Content-type manipulation",
        "A PDF called .jpg",
        "A document under a photo's name and type.",
        "reject",
        "herbarium.jpg",
        lambda: _PDF,
    ),
    Attack(
        "zip-as-jpg",
        "Content-type manipulation",
        "A ZIP called .jpg",
        "An archive with a script in it.",
        "reject",
        "album.jpg",
        _zip,
    ),
    Attack(
        "jpeg-prefix",
        "Magic byte spoofing",
        "Four bytes of a JPEG, then a script",
        "The signature is right, and nothing else is.",
        "reject",
        "leaf.jpg",
        lambda: b"\xff\xd8\xff\xe0" + _PHP * 40,
    ),
    Attack(
        "gif-script",
        "Magic byte spoofing",
        "GIF89a, then HTML",
        "A browser that sniffs may run it as a page.",
        "reject",
        "leaf.gif",
        lambda: b"GIF89a/*" + b"<script>alert('" + MARK + b"')</script>*/",
    ),
    Attack(
        "png-as-jpg",
        "Magic byte spoofing",
        "A PNG called .jpg",
        "An honest picture whose name lies about its format; a later step that trusts the name fails.",
        "reject",
        "leaf.jpg",
        lambda: quadrants("PNG"),
    ),
    Attack(
        "traversal",
        "Path traversal",
        "../../etc/passwd.jpg",
        "A name that climbs out of the folder it is stored in.",
        "reject",
        "../../etc/passwd.jpg",
        quadrants,
    ),
    Attack(
        "traversal-windows",
        "Path traversal",
        "..\\..\\boot.jpg",
        "The same with backslashes.",
        "reject",
        "..\\..\\boot.jpg",
        quadrants,
    ),
    Attack(
        "svg-script",
        "Embedded scripts",
        "An SVG with a script, called .jpg",
        "A picture format that is a program.",
        "reject",
        "leaf.jpg",
        lambda: _SVG,
    ),
    Attack(
        "svg-name",
        "Embedded scripts",
        "leaf.svg",
        "The same under its own name.",
        "reject",
        "leaf.svg",
        lambda: _SVG,
    ),
    Attack(
        "half-gif",
        "Magic byte spoofing",
        "A GIF without a picture",
        "A complete header, an end marker, and nothing between them.",
        "reject",
        "leaf.gif",
        lambda: gif_head(64, 64) + b";",
    ),
)
