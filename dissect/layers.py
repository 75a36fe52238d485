"""What may come behind a header: an EtherType, or a number above their range for what has none.

Theory: every reader of a layer says `(status, layer, at)`: which layer follows, and where it begins.
"""

from __future__ import annotations

ETHERTYPE_IPV4 = 0x0800  # RFC 894
ETHERTYPE_IPV6 = 0x86DD  # RFC 2464 §3
ETHERTYPE_VLAN = 0x8100  # IEEE 802.1Q-2022 §9.6
ETHERTYPE_QINQ = 0x88A8  # IEEE 802.1Q-2022 §9.6
ETHERTYPE_QINQ_OLD = 0x9100  # in use before 802.1ad
ETHERTYPE_TRANSPARENT = 0x6558  # transparent Ethernet bridging: RFC 1701 §3
ETHERTYPE_MPLS = 0x8847  # RFC 3032 §5
ETHERTYPE_MPLS_MULTICAST = 0x8848
ETHERTYPE_PPPOE = 0x8864  # session stage: RFC 2516 §4
ETHERTYPE_PPP = 0x880B  # PPP in GRE: RFC 7637's registry, RFC 2637 §4.1
ETHERTYPE_E_TAG = 0x893F  # IEEE 802.1BR-2012 §7.5
ETHERTYPE_VN_TAG = 0x8926  # Cisco VN-Tag
ETHERTYPE_I_TAG = 0x88E7  # provider backbone bridges: IEEE 802.1Q-2022 §9.7
ETHERTYPE_FABRICPATH = 0x8903  # Cisco FabricPath
ETHERTYPE_LEAST = 0x0600  # smaller values are an 802.3 length: IEEE 802.3-2022 §3.2.6

LAYER_ETHERNET = 0x10000
LAYER_PPP = 0x10001
LAYER_IP = 0x10002  # the version nibble decides
LAYER_WIFI = 0x10003
LAYER_RADIOTAP = 0x10004
LAYER_TRANSPORT = 0x10005
LAYER_NONE = 0x10006
