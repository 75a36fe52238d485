"""What the two experiments say, one sentence each, and no more than was tested.

Theory: coupling is about time, the probe about length; neither sees content. So a sentence names what was counted, and
where pages may be the cause it says so. Numbers pass `words.py`; names from the network pass `visible`.
"""

from __future__ import annotations

from typing import Any

from .words import Item, called, chance, counted, listed, ratio, size, visible

SYMBOLS = {
    "locked": ("!", "uploads"), "not_locked": ("·", "none"), "url_dependent": ("!", "uploads"), "independent": ("·", "none"),
    "inconclusive": ("?", "unknown"),
}  # fmt: skip
MEANINGS = {
    "url_dependent": "What was uploaded grew with the length of the URLs that were visited, by more than chance explains.",
    "independent": "Growth of {least} bytes per character or more is excluded.",
    "inconclusive": "These visits are too few or too uneven to say, or the control failed. It is not a finding of nothing.",
}
ON_EVERY = ("the browser does it, or something that all these pages have in common; pages of your own, which embed nothing, "
            "tell these apart")  # fmt: skip


def spoken(ms: float) -> str:
    """A lag: 0.1 s, 15 s."""
    return f"{ms / 1000:.0f} s" if ms >= 9_950 else f"{ms / 1000:.1f} s"


def worth_telling(items: list[Item], most: int) -> list[Item]:
    """Destinations whose coupling a reader should see: telemetry in whatever verdict, then what is locked."""
    tested = [item for item in items if item.get("coupling") and item["coupling"]["uploads"]]
    telemetry = [item for item in tested if (item["category"] or "").startswith("telemetry")]
    locked = [item for item in tested if item not in telemetry and item["coupling"]["verdict"] == "locked"]
    return [*telemetry, *locked][:most]


def coupling(item: Item) -> str:
    """One destination's or owner's coupling in a sentence."""
    of, who = item["coupling"], called(item)
    visits = counted(of["visits"], "detected visit" if of["source"] == "detected" else "visit")
    if of["verdict"] == "locked":
        told = (
            f"Uploads to {who} follow visits: {of['coupled']} of {visits} were followed by one, typically after "
            f"{spoken(of['median_lag_ms'])}; chance would give {of['expected']:.0f} such uploads of {of['uploads']}"
            f" (q {_q(of['q'])})"
        )
        modes = [visible(mode) for mode, each in of["modes"].items() if each["verdict"] == "locked"]
        silent = [visible(mode) for mode, each in of["modes"].items() if not each["uploads"] and each["verdict"] == "not_locked"]
        told += f"; in {listed(modes)} sessions each on its own" if len(modes) > 1 else ""
        told += f"; none in {listed(silent)} sessions" if silent else ""
        return f"{told}. {_cause(of)}"
    if of["note"]:
        return f"Uploads to {who} stand at the same moments as visits, but {of['note']}."
    if of["verdict"] == "not_locked" and not of["uploads"]:
        return f"No upload to {who} followed {visits} to other sites."
    if of["verdict"] == "not_locked":
        return f"Uploads to {who} are not locked to {visits}: a steady lag explains at most {max(of['share_bound'], 0):.0%} of them."
    return f"Whether uploads to {who} follow visits is not settled ({visits}, {counted(of['uploads'], 'upload')})."


def heartbeats(result: dict[str, Any], most: int = 4) -> list[str]:
    """A sentence for each destination that is called like clockwork, so that it is not read as a page report."""
    beats = [each for each in result.get("beacons", []) if each["verdict"] == "heartbeat"][:most]
    told = {item["key"]: item["coupling"]["verdict"] for item in result["destinations"] if item.get("coupling")}
    return [
        f"Uploads to {visible(each['key'])} come every {spoken(each['period_s'] * 1000)} like clockwork (±{each['jitter_ms'] / 1000:.1f} s, "
        f"{counted(each['uploads'], 'upload')}{', all of about ' + size(each['size']) if each['same_size'] else ''}): a heartbeat, "
        + ("not page reports." if told.get(each["key"]) == "not_locked" else "but whether any of them follow visits is not settled.")
        for each in beats
    ]  # fmt: skip


def _q(value: float | None) -> str:
    text = chance(value)
    return text if text.startswith("<") else f"= {text}"


def _cause(of: dict[str, Any]) -> str:
    """Who may have made the uploads."""
    if of["sites"] < 2:
        return "One site was visited, so its pages may have made them."
    differ = of["site_p"] is not None and of["site_p"] <= 0.05
    if of["sites_coupled"] == of["sites"]:
        if differ:
            return (f"They came after visits to all {of['sites']} sites, after some more often than after others: whether the browser or "
                    "the pages made them, timing does not tell.")  # fmt: skip
        return f"They came after visits to all {of['sites']} sites: {ON_EVERY}."
    if differ:
        return (f"Sites differ: uploads came after visits to {of['sites_coupled']} of {of['sites']} sites, so pages of these "
                "sites may have made them.")  # fmt: skip
    return f"They came after visits to {of['sites_coupled']} of {of['sites']} sites; pages may have made them."


def probed(item: Item, least: float) -> str:
    """One destination's length probe in a sentence."""
    who, slope = called(item), item["slope"]
    sample = f"{counted(item['visits'], 'visit')} in {counted(item['flushes'], 'upload burst')}"
    ends = f"{ratio_or(slope['ci_low'])} to {ratio_or(slope['ci_high'])}"
    told = {
        "url_dependent": f"What {who} receives grows with the URL: {ratio_or(slope['estimate'])} bytes for each character that was "
                         f"added ({ends}; q {_q(item['q'])}; {sample})",
        "independent": f"What {who} receives does not grow with the URL: {ratio_or(slope['estimate'])} bytes per added character "
                       f"({ends}), growth of {least:g} or more is excluded ({sample})",
        "inconclusive": f"Whether what {who} receives grows with the URL is not settled ({sample})",
    }[item["verdict"]]  # fmt: skip
    if not item["uploaded"]:
        told = f"{who} received nothing"
    before = item["lagged"]
    if before["verdict"] == "url_dependent":
        told += (f"; it grows with the URL visited before, by {ratio_or(before['slope']['estimate'])} bytes per character, as a "
                 "referrer would")  # fmt: skip
    odd = [f"{word} in {visible(mode)} sessions" for mode, each in item["modes"].items()
           if (word := each["verdict"].replace("_", " ")) != item["verdict"].replace("_", " ")]  # fmt: skip
    return told + (f" ({', '.join(odd)})" if odd else "") + "."


def ratio_or(value: float | None) -> str:
    """A slope with two digits after the point, a minus where it falls."""
    if value is None:
        return ratio(None)
    near = 0.0 if abs(value) < 0.005 else value
    return f"−{ratio(-near)}" if near < 0 else ratio(near)


def control(result: dict[str, Any]) -> str:
    """The control in a sentence."""
    of = result["control"]
    names = listed([visible(key) for key in of["keys"]])
    if of["ok"] is None:
        return "There was no control: none of the visited sites was seen with enough visits."
    return (f"Control passed: what the visited site itself ({names}) receives grows with the URL, as it must." if of["ok"] else
            f"Control failed: what the visited site itself ({names}) receives does not grow with the URL. Clocks or pads are "
            "wrong, and nothing is called independent.")  # fmt: skip


def headline(result: dict[str, Any]) -> str:
    """The probe's answer in one line."""
    others = [each for each in result["destinations"] if not each["control"]]
    found = [called(each) for each in others if each["verdict"] == "url_dependent"]
    before = [called(each) for each in others if each["lagged"]["verdict"] == "url_dependent" and called(each) not in found]
    if found:
        return f"The length of visited URLs shows in what {listed(found)} {'receives' if len(found) == 1 else 'receive'}"
    if before:
        return f"The length of the URL visited before shows in what {listed(before)} {'receives' if len(before) == 1 else 'receive'}"
    if others and all(each["verdict"] == "independent" for each in others):
        return "No other destination than the visited site receives more for longer URLs"
    return "Whether anybody receives more for longer URLs is not settled for every destination" if others else (
        "Only the visited site received anything")  # fmt: skip


def uploaded(item: Item) -> str:
    """Bytes in the flushes of a destination."""
    return size(item["uploaded"])
