"""Sheets of generated images as HTML: one PNG with the teacher's answers below the images, described in words."""

import base64
import struct
import zlib
from html import escape

import numpy as np


def sheet(images: np.ndarray, labels: np.ndarray, confidence: np.ndarray, classes: list[str], step: int) -> str:
    """Show images (N, C, S, S) uint8, eight in a row; below each the teacher's class and how certain it is."""
    rows = []
    for start in range(0, len(images), 8):
        row = slice(start, start + 8)
        answers = "".join(
            f"<span><b>{escape(classes[label])}</b> {sure:.0%}</span>"
            for label, sure in zip(labels[row].tolist(), confidence[row].tolist(), strict=True)
        )
        picture = mosaic(
            np.concatenate([images[row], np.zeros((-len(images[row]) % 8, *images.shape[1:]), np.uint8)]), 8
        )
        rows.append(f'<img decoding="sync" alt="" src="{source(picture)}"><p>{answers}</p>')
    said = escape(sheet_words(labels, confidence, classes, step))
    return f'<div class="sheet" role="img" aria-label="{said}">{"".join(rows)}</div>'


def encode(images: np.ndarray, columns: int = 8) -> str:
    """Write images (N, C, S, S) uint8 side by side as a PNG, in base64."""
    return base64.b64encode(png(mosaic(images, columns))).decode()


def source(pixels: np.ndarray) -> str:
    """Write uint8 (H, W, 1 or 3) as the address of a PNG."""
    return f"data:image/png;base64,{base64.b64encode(png(pixels)).decode()}"


def sheet_words(labels: np.ndarray, confidence: np.ndarray, classes: list[str], step: int) -> str:
    """Write '40 generated images after 300 steps; the teacher sees 4 of class 0, ... and is 87 % sure on average.'"""
    found = np.bincount(labels, minlength=len(classes))
    tally = ", ".join(f"{n} of class {name}" for name, n in zip(classes, found, strict=True) if n)
    return (
        f"{len(labels)} generated images after {step:,} steps; the teacher sees {tally} "
        f"and is {confidence.mean():.0%} sure on average."
    )


def mosaic(images: np.ndarray, columns: int) -> np.ndarray:
    """Put images (N, C, S, S) side by side, `columns` in a row: uint8 (rows * S, columns * S, C)."""
    n, c, high, wide = images.shape
    rows = -(-n // columns)
    out = np.zeros((rows * columns, c, high, wide), np.uint8)
    out[:n] = images
    return out.reshape(rows, columns, c, high, wide).transpose(0, 3, 1, 4, 2).reshape(rows * high, columns * wide, c)


def png(pixels: np.ndarray, greys: int = 16) -> bytes:
    """Write uint8 (H, W, 1 or 3) as a PNG of `greys` levels a channel: a third of the bytes of 256, not visible."""
    high, wide, channels = pixels.shape
    coarse = (np.rint(pixels / 255 * (greys - 1)) * (255 / (greys - 1))).astype(np.uint8)
    rows = np.zeros((high, wide * channels + 1), np.uint8)  # each row begins with its filter: 0, none
    rows[:, 1:] = coarse.reshape(high, -1)
    head = struct.pack(">IIBBBBB", wide, high, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows, 6)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
