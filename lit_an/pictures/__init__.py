"""What is drawn: panels of samples, regions and inpainting stages, letters and tables in them, animations over time.

All are uint8 tensors or Pillow images; files are written atomically. Charts are drawn elsewhere, by matplotlib.
"""
