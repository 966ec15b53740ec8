"""Manifests out of what archives have: images, PAGE and ALTO, IIIF, TIFF, tar, whole pages.

places          what a SOURCE stands for
layout_files    PAGE and ALTO beside their images (`page_xml`, `alto`, `layout`; XML in `xml_tree` only)
tar, iiif, frames   archives, IIIF manifests, multi-page TIFF
page_lines      whole pages: find the lines
embed           line images into the manifest
manifest_writer   rows → Parquet
build           all of it, in order
"""

from hwr_batch.sources.build import BuildOptions, Summary, build
from hwr_batch.sources.found import Problem, ProblemKind
from hwr_batch.sources.image_files import LineFormat
from hwr_batch.sources.page_lines import PageFinder, PpOcrDetector

__all__ = [
    "BuildOptions",
    "LineFormat",
    "PageFinder",
    "PpOcrDetector",
    "Problem",
    "ProblemKind",
    "Summary",
    "build",
]
