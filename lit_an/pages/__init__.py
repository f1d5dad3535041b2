"""The page of ``python cli.py demo``, built with Gradio: fill holes, look at samples and regions, edit regions.

What a page shows is made by functions without Gradio (``lit_an.inpainting``, ``lit_an.sampling``); here are its parts:
``inpainting_page.py`` and ``samples_page.py`` are the two pages, ``elements.py`` what Gradio lacks (a picture to paint
on, regions to choose from; their JavaScript beside it), ``session_files.py`` what is deleted with a visit, ``site.py``
the whole, ``server.py`` its server. To add a page: a function that builds it, and a line in ``site.py``.

The pictures in ``examples`` are windows of NASA's Blue Marble Next Generation (NASA Earth Observatory, public domain),
of the test split of ``lit_an.data.sources.Earth(tiles="coasts")`` at 128 px.
"""
