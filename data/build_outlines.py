"""Decodes Natural Earth's 1:50m countries into outlines.npz: `python -m wiretally.data.build_outlines`.

Theory: the package world-atlas holds them as TopoJSON: borders shared by two countries are stored once, as arcs of
differences in whole steps. Here each country gets its closed rings in degrees. A ring that crosses 180° runs on beyond
it instead of jumping, and one that goes around a pole is closed over the pole, so that inside and outside are plain.

outlines.npz: `codes` (ISO 3166-1, two letters), `rings` (int32: index into codes, one per ring), `starts` (int32:
where each ring starts in points, and the end), `steps` (int32[n, 2]: longitude and latitude of all points, each as the
difference from the one before, in units of `unit` degrees).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from .sources import HERE, package

PACKAGE = "world-atlas"
UNIT = 0.01  # degrees: 1.1 km, finer than what 1:50m can show
UNCODED = {"Kosovo": "XK", "N. Cyprus": "CY", "Somaliland": "SO", "Indian Ocean Ter.": "CX"}  # no ISO number there
# ISO 3166-1: three digits and two letters of each
ISO = """
004AF 008AL 010AQ 012DZ 016AS 020AD 024AO 028AG 031AZ 032AR 036AU 040AT 044BS 048BH 050BD 051AM 052BB 056BE 060BM
064BT 068BO 070BA 072BW 074BV 076BR 084BZ 086IO 090SB 092VG 096BN 100BG 104MM 108BI 112BY 116KH 120CM 124CA 132CV
136KY 140CF 144LK 148TD 152CL 156CN 158TW 162CX 166CC 170CO 174KM 175YT 178CG 180CD 184CK 188CR 191HR 192CU 196CY
203CZ 204BJ 208DK 212DM 214DO 218EC 222SV 226GQ 231ET 232ER 233EE 234FO 238FK 239GS 242FJ 246FI 248AX 250FR 254GF
258PF 260TF 262DJ 266GA 268GE 270GM 275PS 276DE 288GH 292GI 296KI 300GR 304GL 308GD 312GP 316GU 320GT 324GN 328GY
332HT 334HM 336VA 340HN 344HK 348HU 352IS 356IN 360ID 364IR 368IQ 372IE 376IL 380IT 384CI 388JM 392JP 398KZ 400JO
404KE 408KP 410KR 414KW 417KG 418LA 422LB 426LS 428LV 430LR 434LY 438LI 440LT 442LU 446MO 450MG 454MW 458MY 462MV
466ML 470MT 474MQ 478MR 480MU 484MX 492MC 496MN 498MD 499ME 500MS 504MA 508MZ 512OM 516NA 520NR 524NP 528NL 531CW
533AW 534SX 535BQ 540NC 548VU 554NZ 558NI 562NE 566NG 570NU 574NF 578NO 580MP 581UM 583FM 584MH 585PW 586PK 591PA
598PG 600PY 604PE 608PH 612PN 616PL 620PT 624GW 626TL 630PR 634QA 638RE 642RO 643RU 646RW 652BL 654SH 659KN 660AI
662LC 663MF 666PM 670VC 674SM 678ST 682SA 686SN 688RS 690SC 694SL 702SG 703SK 704VN 705SI 706SO 710ZA 716ZW 724ES
728SS 729SD 732EH 740SR 744SJ 748SZ 752SE 756CH 760SY 762TJ 764TH 768TG 772TK 776TO 780TT 784AE 788TN 792TR 795TM
796TC 798TV 800UG 804UA 807MK 818EG 826GB 831GG 832JE 833IM 834TZ 840US 850VI 854BF 858UY 860UZ 862VE 876WF 882WS
887YE 894ZM
"""
CODES = {entry[:3]: entry[3:] for entry in ISO.split()}


def arcs(topology: dict[str, Any]) -> list[npt.NDArray[np.float64]]:
    """Each arc as float64[n, 2], longitude and latitude in degrees; TopoJSON 1.0 §2.1.2, §2.1.3."""
    scale, shift = topology["transform"]["scale"], topology["transform"]["translate"]
    return [np.cumsum(np.array(arc), axis=0) * scale + shift for arc in topology["arcs"]]


def ring(indices: list[int], lines: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """A closed ring out of arcs end to end; a negative index is an arc backwards (TopoJSON 1.0 §2.1.4)."""
    parts = [lines[index] if index >= 0 else lines[~index][::-1] for index in indices]
    points = np.concatenate([parts[0], *(part[1:] for part in parts[1:])])
    points[:, 0] = np.unwrap(points[:, 0], period=360)
    if abs(points[-1, 0] - points[0, 0]) > 180:  # around a pole
        pole = np.copysign(90, points[:, 1].mean())
        points = np.concatenate([points, [[points[-1, 0], pole], [points[0, 0], pole], points[0]]])
    return points


def outlines(topology: dict[str, Any]) -> dict[str, list[npt.NDArray[np.float64]]]:
    """Rings by country, holes among them: inside is what an odd number of rings surrounds."""
    lines = arcs(topology)
    found: dict[str, list[npt.NDArray[np.float64]]] = {}
    for shape in topology["objects"]["countries"]["geometries"]:
        code = CODES.get(shape["id"].zfill(3)) if "id" in shape else UNCODED.get(shape["properties"]["name"])
        if code is None:
            continue
        polygons = [shape["arcs"]] if shape["type"] == "Polygon" else shape["arcs"]
        found.setdefault(code, []).extend(ring(indices, lines) for polygon in polygons for indices in polygon)
    return found


def main() -> None:
    """Writes the file."""
    with package(PACKAGE) as source:
        found = outlines(json.loads((source.folder / "countries-50m.json").read_text(encoding="utf-8")))
    codes = sorted(found)
    rings = [(number, points) for number, code in enumerate(codes) for points in found[code]]
    whole = np.rint(np.concatenate([points for _, points in rings]) / UNIT)
    path = HERE / "outlines.npz"
    np.savez_compressed(
        path,
        codes=np.array(codes), rings=np.array([number for number, _ in rings], np.int32), unit=np.array(UNIT),
        starts=np.cumsum([0, *(len(points) for _, points in rings)]).astype(np.int32),
        steps=np.diff(whole, axis=0, prepend=0).astype(np.int32),
    )  # fmt: skip
    print(f"{path.name}: {len(codes)} countries, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
