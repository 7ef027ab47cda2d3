"""ComfyUI entry point. Importing this loads nothing: the nodes come when the host asks for them."""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    from .nodes import HeadForcingExtension

    return HeadForcingExtension()
