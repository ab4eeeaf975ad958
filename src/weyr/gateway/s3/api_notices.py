"""The document of a bucket's notifications: read, replaced. An empty one takes them off."""

from weyr.gateway.s3 import notices
from weyr.gateway.s3.api_settings import keep
from weyr.gateway.s3.call import Call, xml_response
from weyr.gateway.s3.messages import Response


async def get_notification(call: Call) -> Response:
    kept = call.there.settings.get(notices.SETTING)
    if kept is None:
        return xml_response(notices.ROOT)
    return Response(200, [("Content-Type", "application/xml")], kept.encode())


async def put_notification(call: Call) -> Response:
    """Raises: S3Error InvalidArgument for a webhook that the plane does not know."""
    text = notices.checked_text(await call.xml(notices.ROOT), call.plane.webhooks)
    await keep(call, notices.SETTING, text)
    return Response(200)
