"""Plant.id v3, emulated: every route of its contract that a client can reach. Errors are plain text."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from plantid_core.sandbox import plant_id_kb as kb
from plantid_core.sandbox import plant_id_question as question
from plantid_core.sandbox import plant_id_records as records
from plantid_core.sandbox.oracle import UnreadableImage
from plantid_core.sandbox.plant_id_records import Record, Shelf

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from plantid_core.sandbox.ledger import Ledger
    from plantid_core.sandbox.oracle import Oracle

    Endpoint = Callable[[Request], Awaitable[Response]]

KEY = "sandbox"
MOST_PIXELS = 25_000_000

_GONE = "The requested identification does not exist."
_CONVERSATION_CALLS = 20


@dataclass(slots=True)
class PlantIdService:
    """The routes over one oracle, one ledger and one shelf of records."""

    oracle: Oracle
    ledger: Ledger
    base_url: Callable[[], str]
    shelf: Shelf = field(default_factory=Shelf)

    def routes(self) -> list[Route]:
        """Return the routes, to be mounted at ``/api/v3`` and ``/v3``."""
        one = "/identification/{token}"
        return [
            self._route("/identification", "POST", self._identify),
            self._route("/health_assessment", "POST", self._assess),
            self._route(one, "GET", self._read),
            self._route(one, "DELETE", self._delete),
            self._route("/health_assessment/{token}", "GET", self._read),
            self._route("/health_assessment/{token}", "DELETE", self._delete),
            self._route(f"{one}/feedback", "POST", self._feedback),
            self._route(f"{one}/conversation", "POST", self._ask),
            self._route(f"{one}/conversation", "GET", self._conversation),
            self._route(f"{one}/conversation", "DELETE", self._forget),
            self._route(f"{one}/conversation/feedback", "POST", self._rate_conversation),
            self._route("/kb/{kind}/name_search", "GET", self._search),
            self._route("/kb/{kind}/{entity}", "GET", self._entity),
            self._route("/usage_info", "GET", self._usage),
        ]

    def _route(self, path: str, method: str, endpoint: Endpoint) -> Route:
        async def guarded(request: Request) -> Response:
            key = request.headers.get("api-key")
            if not key:
                return PlainTextResponse("No api key provided.", 401)
            if key != KEY:
                return PlainTextResponse("The specified api key not found.", 401)
            try:
                return await endpoint(request)
            except question.Refused as refused:
                return refused.response

        return Route(path, guarded, methods=[method])

    async def _identify(self, request: Request) -> Response:
        return await self._create(request, health_only=False)

    async def _assess(self, request: Request) -> Response:
        return await self._create(request, health_only=True)

    async def _create(self, request: Request, *, health_only: bool) -> Response:
        asked, images = await question.question(request)
        health = asked.get("health")
        moment = question.moment(asked.get("datetime"))
        self._charge(2 if health in {"all", "auto"} else 1)
        try:
            seen = await self.oracle.look(images, question.language(request))
        except UnreadableImage:
            raise question.unreadable() from None
        token = records.new_token()
        echoed = ("latitude", "longitude", "health", "classification_level", "classification_raw")
        inputs: dict[str, object] = {name: asked[name] for name in echoed if name in asked}
        inputs |= {
            "latitude": asked.get("latitude"),
            "longitude": asked.get("longitude"),
            "similar_images": bool(asked.get("similar_images", False)),
            "images": [f"{self._media()}/{token}-{n}.jpg" for n in range(len(images))],
            "datetime": moment,
        }
        record = Record(
            token,
            "health" if health_only else "identification",
            cast("int | None", asked.get("custom_id")),
            inputs,
            seen,
            time.time(),
            cast("str | None", health),
            raw=bool(asked.get("classification_raw")),
        )
        self.shelf.put(record)
        finished = request.query_params.get("async", "false").lower() != "true"
        return JSONResponse(self._shown(record, request, finished=finished), 201)

    def _media(self) -> str:
        return f"{self.base_url()}/_media"

    def _charge(self, credits_: int) -> None:
        if not self.ledger.charge("plant_id", credits_):
            raise question.Refused(429, self._exhausted())

    def _exhausted(self) -> str:
        limit = self.ledger.quotas["plant_id"]
        return f"The specified api key reached its day credit limit ({limit})."

    def _shown(
        self, record: Record, request: Request, *, finished: bool = True
    ) -> dict[str, object]:
        body: dict[str, object] = {
            "access_token": record.token,
            "model_version": "plant_id:sandbox",
            "custom_id": record.custom_id,
            "input": record.inputs,
        }
        if finished:
            body["result"] = records.result(
                record, question.details(request), question.language(request), self._media()
            )
        body |= {
            "status": "COMPLETED" if finished else "CREATED",
            "sla_compliant_client": True,
            "sla_compliant_system": True,
            "created": record.created,
            "completed": record.created if finished else None,
        }
        if record.feedback:
            body["feedback"] = record.feedback
        return body

    def _found(self, request: Request) -> Record:
        record = self.shelf.find(request.path_params["token"])
        if record is None:
            raise question.Refused(404, _GONE)
        return record

    async def _read(self, request: Request) -> Response:
        return JSONResponse(self._shown(self._found(request), request))

    async def _delete(self, request: Request) -> Response:
        self.shelf.delete(self._found(request))
        return JSONResponse(True)  # noqa: FBT003 - the body is the word true

    async def _feedback(self, request: Request) -> Response:
        record, said = self._found(request), await question.json(request)
        if not {"comment", "rating"} & said.keys():
            raise question.Refused(400, "Comment or rating is required.")
        record.feedback = {"comment": said.get("comment"), "rating": said.get("rating")}
        return JSONResponse(True)  # noqa: FBT003 - the body is the word true

    async def _ask(self, request: Request) -> Response:
        record, said = self._found(request), await question.json(request)
        asked = said.get("question")
        if not isinstance(asked, str) or not asked:
            raise question.Refused(400, "Question is required.")
        talk = record.conversation or {
            "messages": [],
            "identification": record.token,
            "remaining_calls": _CONVERSATION_CALLS,
            "model_parameters": {"model": "sandbox"},
            "feedback": {},
        }
        messages = cast("list[dict[str, str]]", talk["messages"])
        best = records.called(record.seen.taxa[0][0])
        answer = f"Sandbox text: this may be {best}; nothing here is botany."
        for content, kind in ((asked, "question"), (answer, "answer")):
            messages.append({"content": content, "type": kind, "created": records.now_iso()})
        talk["remaining_calls"] = cast("int", talk["remaining_calls"]) - 1
        record.conversation = talk
        return JSONResponse(talk)

    async def _conversation(self, request: Request) -> Response:
        return JSONResponse(self._talk(request))

    def _talk(self, request: Request) -> dict[str, object]:
        talk = self._found(request).conversation
        if talk is None:
            raise question.Refused(404, "The requested conversation does not exist.")
        return talk

    async def _forget(self, request: Request) -> Response:
        self._talk(request)
        self._found(request).conversation = None
        return JSONResponse(True)  # noqa: FBT003 - the body is the word true

    async def _rate_conversation(self, request: Request) -> Response:
        talk, said = self._talk(request), await question.json(request)
        talk["feedback"] = said.get("feedback", {})
        return JSONResponse(True)  # noqa: FBT003 - the body is the word true

    async def _search(self, request: Request) -> Response:
        return JSONResponse(kb.search(request))

    async def _entity(self, request: Request) -> Response:
        return JSONResponse(kb.entity(request, self._media()))

    async def _usage(self, request: Request) -> Response:
        del request
        limit, used = self.ledger.quotas["plant_id"], self.ledger.used("plant_id")
        left = self.ledger.remaining("plant_id")
        usable = left is None or left > 0
        empty = {"week": None, "month": None, "total": None}
        return JSONResponse(
            {
                "active": True,
                "credit_limits": {"day": limit, **empty},
                "used": {"day": used, "week": used, "month": used, "total": used},
                "can_use_credits": {
                    "value": usable,
                    "reason": None if usable else self._exhausted(),
                },
                "remaining": {"day": left, **empty},
            }
        )
