from __future__ import annotations

import base64
import io

import numpy as np
from matplotlib.image import imread

from nktrace.figures.png import data_uri


def test_another_reader_sees_the_same_pixels() -> None:
    pixels = np.array([[0, 1, 2], [2, 1, 0]], dtype=np.uint8)
    palette = [(255, 255, 255), (10, 20, 30), (200, 100, 0)]
    uri = data_uri(pixels, palette)
    assert uri.startswith("data:image/png;base64,")
    image = np.round(imread(io.BytesIO(base64.b64decode(uri.split(",")[1]))) * 255)
    assert image.shape == (2, 3, 4)
    np.testing.assert_array_equal(image[..., :3], np.array(palette)[pixels])
    np.testing.assert_array_equal(image[..., 3], np.where(pixels == 0, 0, 255))
