"""Text in pictures: letters and line breaks, tables of pictures with names, the legend of a region panel."""
