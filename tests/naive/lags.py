"""The count of uploads that follow a visit by a lag, one upload and one visit at a time."""


def followers(uploads, visits, length, start, width, turn=0):
    """Uploads (bins, turned around in a session of `length` bins) with some visit `start` to `start + width` bins before."""
    return sum(
        any((upload - turn - visit - start) % length < width for visit in visits) for upload in uploads
    )  # fmt: skip
