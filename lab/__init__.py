"""The lab: phone, access point and internet in network namespaces, with a real browser and a known truth.

`python -m wiretally.lab ARM --output DIR` records one capture as the access point sees it, with the marked sessions
and the servers' own count of the bytes that arrived. Nothing in here touches the machine's real network.
"""
