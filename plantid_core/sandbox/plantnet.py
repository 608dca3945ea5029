"""Pl@ntNet v2, emulated: every route of its contract that a client can reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from plantid_core.sandbox import ledger as quota
from plantid_core.sandbox.oracle import UnreadableImage
from plantid_core.sandbox.plantnet_question import fault, flag, linked, posted, unfit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from plantid_core.plants import Taxon
    from plantid_core.providers.recognition import Recognition
    from plantid_core.sandbox.ledger import Ledger
    from plantid_core.sandbox.oracle import Oracle

KEY = "sandbox"

_REJECT_BELOW = 0.05
_LEAST_SCORE = 0.001
_PROJECTS = (
    ("k-world-flora", "World flora", "Plants of the world", 70_000, None),
    ("k-middle-europe", "Middle Europe", "Plants of Middle Europe", 5_000, (45, 56, 4, 25)),
    ("k-western-europe", "Western Europe", "Plants of Western Europe", 5_500, (36, 60, -11, 8)),
    (
        "k-northern-america",
        "Northern America",
        "Plants of Northern America",
        9_000,
        (24, 72, -170, -52),
    ),
    (
        "k-tropical-africa",
        "Tropical Africa",
        "Plants of tropical Africa",
        4_000,
        (-20, 18, -18, 52),
    ),
)
_IDS = {"all", "weurope", "useful", *(project[0] for project in _PROJECTS)}


@dataclass(slots=True)
class PlantNetService:
    """The routes over one oracle and one ledger."""

    oracle: Oracle
    ledger: Ledger
    base_url: Callable[[], str]
    _species: list[Taxon] = field(default_factory=list)

    def routes(self) -> list[Route]:
        """Return the routes, to be mounted at ``/v2``."""
        return [
            Route("/_status", _status),
            Route("/languages", self._guarded(_languages)),
            Route("/projects", self._guarded(self._projects)),
            Route("/species", self._guarded(self._list_species)),
            Route("/projects/{project}/species", self._guarded(self._list_species)),
            Route("/quota/daily", self._guarded(self._quota)),
            Route("/identify/{project}", self._guarded(self._identify), methods=["GET", "POST"]),
            Route("/{rest:path}", _unknown, methods=["GET", "POST", "PUT", "DELETE"]),
        ]

    def _guarded(
        self, endpoint: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            key = request.query_params.get("api-key")
            if not key:
                return fault(401, "Unauthorized", "Missing api-key")
            if key != KEY:
                return fault(403, "Forbidden", "Unknown api-key")
            return await endpoint(request)

        return guarded

    async def _identify(self, request: Request) -> Response:
        project = request.path_params["project"]
        if project not in _IDS:
            return fault(404, "Not Found", f"Project {project} not found")
        images, organs, refused = (
            await posted(request) if request.method == "POST" else await linked(request)
        )
        if refused is None:
            refused = unfit(request, organs, len(images))
        if refused is not None:
            return refused
        if not self.ledger.charge("plantnet"):
            return self._exhausted()
        try:
            seen = await self.oracle.look(images, request.query_params.get("lang", "en"))
        except UnreadableImage:
            return fault(400, "Bad Request", "Image could not be read", self._rate_limit())
        if seen.plant_mass < _REJECT_BELOW and not flag(request, "no-reject"):
            return fault(404, "Not Found", "Species not found", self._rate_limit())
        body = self._answer(request, seen, organs or ["auto"] * len(images))
        return JSONResponse(body, headers=self._rate_limit())

    def _answer(self, request: Request, seen: Recognition, organs: list[str]) -> dict[str, object]:
        most = int(request.query_params.get("nb-results", "10"))
        related = flag(request, "include-related-images")
        results = [
            self._result(taxon, mass, related=related)
            for taxon, mass in seen.taxa
            if mass >= _LEAST_SCORE
        ][: max(1, most)]
        best = seen.taxa[0][0]
        language = request.query_params.get("lang", "en")
        return {
            "query": {
                "project": request.path_params["project"],
                "images": [f"sandbox-{index}" for index in range(len(organs))],
                "organs": organs,
                "includeRelatedImages": related,
                "noReject": flag(request, "no-reject"),
                "type": request.query_params.get("type"),
            },
            "predictedOrgans": [
                {
                    "image": f"sandbox-{index}",
                    "filename": f"{index}.jpg",
                    "organ": organ,
                    "score": 0.5,
                }
                for index, organ in enumerate(_predicted(organs))
            ],
            "language": language,
            "preferedReferential": request.path_params["project"],
            "bestMatch": f"{best.scientific_name} {best.authorship}",
            "results": results,
            "version": "sandbox",
            "remainingIdentificationRequests": self.ledger.remaining("plantnet") or 0,
            **(_detailed(seen) if flag(request, "detailed") else {}),
        }

    def _result(self, taxon: Taxon, mass: float, *, related: bool) -> dict[str, object]:
        result: dict[str, object] = {
            "score": round(mass, 5),
            "species": {
                **_name(taxon.scientific_name, taxon.authorship or ""),
                "genus": _name(taxon.genus or ""),
                "family": _name(taxon.family or ""),
                "commonNames": list(taxon.common_names),
            },
        }
        if related:
            url = f"{self.base_url()}/_media/{taxon.scientific_name.replace(' ', '-')}.png"
            result["images"] = [
                {
                    "organ": "leaf",
                    "author": "Plant-ID sandbox",
                    "license": "cc0",
                    "date": {"timestamp": 0, "string": "1 January 1970"},
                    "url": {"o": url, "m": url, "s": url},
                    "citation": "Plant-ID sandbox: a drawn placeholder, no botany",
                }
            ]
        return result

    async def _projects(self, request: Request) -> Response:
        try:
            latitude, longitude = (
                float(request.query_params[name]) if name in request.query_params else None
                for name in ("lat", "lon")
            )
        except ValueError:
            return fault(400, "Bad Request", "lat and lon must be numbers")
        ranked = sorted(_PROJECTS, key=lambda project: not _covers(project[4], latitude, longitude))
        return JSONResponse(
            [
                {"id": id_, "title": title, "description": text, "speciesCount": count}
                for id_, title, text, count, _ in ranked
            ]
        )

    async def _list_species(self, request: Request) -> Response:
        del request
        from plantid_core.providers.recognition import known_taxa

        return JSONResponse(
            [
                {
                    "id": str(index),
                    "commonNames": list(taxon.common_names),
                    **_name(taxon.scientific_name, taxon.authorship or ""),
                }
                for index, taxon in enumerate(known_taxa())
            ]
        )

    async def _quota(self, request: Request) -> Response:
        del request
        used, remaining = self.ledger.used("plantnet"), self.ledger.remaining("plantnet")
        counted = {"count": used, "total": self.ledger.quotas["plantnet"], "remaining": remaining}
        return JSONResponse({"day": quota.today().isoformat(), "quota": {"identify": counted}})

    def _rate_limit(self) -> dict[str, str]:
        total = self.ledger.quotas["plantnet"]
        left, reset = self.ledger.remaining("plantnet"), quota.seconds_to_midnight()
        return {
            "RateLimit-Policy": f'"dailyQuota";q={total};w=86400;pk=:c2FuZGJveA==:',
            "RateLimit": f'"dailyQuota";r={left};t={reset};pk=:c2FuZGJveA==:',
        }

    def _exhausted(self) -> Response:
        headers = {**self._rate_limit(), "Retry-After": str(quota.seconds_to_midnight())}
        return fault(429, "Too Many Requests", "Daily quota exceeded", headers)


def _name(name: str, authorship: str = "") -> dict[str, str]:
    return {
        "scientificNameWithoutAuthor": name,
        "scientificNameAuthorship": authorship,
        "scientificName": f"{name} {authorship}".strip(),
    }


def _detailed(seen: Recognition) -> dict[str, object]:
    totals: dict[str, dict[str, float]] = {"genus": {}, "family": {}}
    for taxon, mass in seen.taxa:
        for rank, name in (("genus", taxon.genus), ("family", taxon.family)):
            totals[rank][name or ""] = totals[rank].get(name or "", 0.0) + mass
    ranked = {
        rank: [
            {"score": round(mass, 5), rank: _name(name)}
            for name, mass in sorted(masses.items(), key=lambda pair: -pair[1])[:5]
        ]
        for rank, masses in totals.items()
    }
    return {"otherResults": ranked}


def _predicted(organs: list[str]) -> list[str]:
    return ["leaf" if organ == "auto" else organ for organ in organs]


def _covers(
    box: tuple[int, int, int, int] | None, latitude: float | None, longitude: float | None
) -> bool:
    if box is None or latitude is None or longitude is None:
        return False
    south, north, west, east = box
    return south <= latitude <= north and west <= longitude <= east


async def _status(request: Request) -> Response:
    del request
    return JSONResponse({"status": "ok"})


async def _languages(request: Request) -> Response:
    del request
    return JSONResponse(["en", "de", "fr", "cs"])


async def _unknown(request: Request) -> Response:
    return fault(404, "Not Found", f"Cannot {request.method} {request.url.path}")
