"""Builds RSVP messages with scapy, which works out lengths and checksums by itself.

Reads from standard input one JSON array of messages, each {"flags", "type", "ttl", "objects": [[class, ctype, hex], ...]},
and writes a JSON array of the hexadecimal octets of each.
"""
import json
import socket
import sys

from scapy.contrib.rsvp import RSVP, RSVP_Data, RSVP_HOP, RSVP_Object, RSVP_Time


def contents(class_num, c_type, octets):
    if class_num == 3 and c_type == 1:
        return RSVP_HOP(neighbor=socket.inet_ntoa(octets[:4]), inface=int.from_bytes(octets[4:], "big"))
    if class_num == 5:
        return RSVP_Time(refresh=int.from_bytes(octets, "big"))
    return RSVP_Data(Data=octets)


def build(message):
    packet = RSVP(Version=1, Flags=message["flags"], Class=message["type"], TTL=message["ttl"])
    for class_num, c_type, text in message["objects"]:
        octets = bytes.fromhex(text)
        packet = packet / RSVP_Object(Length=len(octets) + 4, Class=class_num, C_Type=c_type)
        if octets:
            packet = packet / contents(class_num, c_type, octets)
    return bytes(packet).hex()


json.dump([build(message) for message in json.load(sys.stdin)], sys.stdout)
