"""Builds and reads STAMP packets with scapy.

Reads from standard input one JSON object {"build": [field values of a sender's packet ...], "read": [hex of reflected packets ...]}
and writes {"built": [hex ...], "read": [{field: value} ...]}. Times are 64-bit numbers in the NTP format.
"""
import json
import sys

from scapy.contrib.stamp import (
    ErrorEstimate,
    STAMPSessionReflectorTestUnauthenticated,
    STAMPSessionSenderTestUnauthenticated,
)


def estimate(given):
    return ErrorEstimate(S=given["S"], Z=given["Z"], scale=given["scale"], multiplier=given["multiplier"])


def fields_of(packet):
    read = {"seq": packet.seq, "ssid": packet.ssid, "seq_sender": packet.seq_sender, "ttl": packet.ttl_sender}
    for name in ("err_estimate", "err_estimate_sender"):
        part = getattr(packet, name)
        read[name] = {"S": part.S, "Z": part.Z, "scale": part.scale, "multiplier": part.multiplier}
    # The same octets again, if every field is where scapy has it.
    read["again"] = bytes(packet).hex()
    return read


asked = json.load(sys.stdin)
built = [
    bytes(
        STAMPSessionSenderTestUnauthenticated(
            seq=one["seq"], err_estimate=estimate(one["estimate"]), ssid=one["ssid"]
        )
    ).hex()
    for one in asked["build"]
]
read = [fields_of(STAMPSessionReflectorTestUnauthenticated(bytes.fromhex(one))) for one in asked["read"]]
json.dump({"built": built, "read": read}, sys.stdout)
