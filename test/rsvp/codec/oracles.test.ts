/** What programs of others make of the messages encoded here: tshark, tcpdump, scapy. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodePacket } from "../../../src/rsvp/codec/encode.js";
import { signPacket } from "../../../src/rsvp/codec/integrity.js";
import type { RsvpPacket } from "../../../src/rsvp/codec/message.js";
import { anyPacket } from "../arbitraries.js";
import { GOLDEN } from "../golden/all.js";
import { type Golden, octetsOf } from "../golden/golden.js";
import { TROUBLE, tsharkLines, withPcap } from "../tshark.js";

const isFramed = ({ message }: RsvpPacket): boolean => message.kind !== "Hello" && message.kind !== "Bundle";

/** tcpdump does not know the handshake's message types, and a Bundle's messages are signed one by one. */
const isSignable = ({ packet }: Golden): boolean =>
  packet.integrity === undefined && isFramed(packet) && packet.message.kind !== "IntegrityChallenge";

const troubleIn = (lines: readonly string[]): string[] => lines.filter((line) => TROUBLE.test(line));

/** Whether the lines are there in this order, each of them within a line; else the first that is not. */
function missingFrom(lines: readonly string[], wanted: readonly string[]): string | undefined {
  let at = 0;
  for (const want of wanted) {
    at = lines.findIndex((line, index) => index >= at && line.includes(want)) + 1;
    if (at === 0) return want;
  }
  return undefined;
}

describe("tshark", () => {
  it("reads the golden messages as they were meant, with a correct checksum and without a complaint", async () => {
    const rows = await tsharkLines(GOLDEN.map(({ packet }) => encodePacket(packet)));
    expect(rows).toHaveLength(GOLDEN.length);
    const faults = GOLDEN.flatMap(({ name, packet, seen }, index) => {
      const lines = rows[index] ?? [];
      const checksum = packet.integrity === undefined ? "[correct]" : "[ignored, integrity object used]";
      const missing = missingFrom(lines, [checksum]) ?? missingFrom(lines, seen);
      const trouble = troubleIn(lines);
      return missing === undefined && trouble.length === 0 ? [] : [{ name, missing, trouble }];
    });
    expect(faults).toEqual([]);
  });

  it("finds random messages well-formed, with a correct checksum", async () => {
    // What Hello holds is random here; tshark looks into it.
    const packets = fc.sample(anyPacket.filter(isFramed), { numRuns: 300, seed: 11 });
    const rows = await tsharkLines(packets.map(encodePacket));
    expect(rows).toHaveLength(packets.length);
    rows.forEach((lines, index) => {
      const packet = packets[index];
      expect(
        lines.some((line) => line === `Message length: ${packet === undefined ? 0 : encodePacket(packet).length}`),
      ).toBe(true);
      expect(lines.filter((line) => /^Message Checksum: .*incorrect/.test(line))).toEqual([]);
      expect(lines.filter((line) => /malformed/i.test(line))).toEqual([]);
    });
  });

  it("complains of spoiled messages: without this the tests above could not fail", async () => {
    const spoiled = [
      "10 05 1234 3f 00 0020 000c0109 0a090202 0000002e 000c0301 0a090101 00000001",
      "10 05 0000 3f 00 0020 000c0109 0a090202 0000002e 00400301 0a090101 00000001",
    ];
    const rows = await tsharkLines(spoiled.map(octetsOf));
    expect(rows.map((lines) => troubleIn(lines).length > 0)).toEqual([true, true]);
  });
});

describe("tcpdump", () => {
  const signed = GOLDEN.filter(isSignable).map(({ packet }, index) =>
    signPacket(
      packet,
      { flags: 0x80, keyId: 0x0a0b0c0d0e0f, sequence: 2n ** 63n + BigInt(index) },
      Buffer.from("secret"),
    ),
  );
  const read = (key: string) =>
    withPcap(
      signed,
      async (file) => (await execa("tcpdump", ["-r", file, "-n", "-vvv", "-M", key], { stderr: "ignore" })).stdout,
    );

  it("says of each signed message that its digest is valid, and reads the object as it was meant", async () => {
    const text = await read("secret");
    expect(text.match(/MD5-sum 0x[0-9a-f]{32} {2}\(valid\)/g)).toHaveLength(signed.length);
    expect(text).toContain("Key-ID 0x0a0b0c0d0e0f, Sequence 0x8000000000000000, Flags [Handshake]");
    expect(text).not.toMatch(/invalid|trunc/i);
  });

  it("says of each that it is not valid with another key", async () => {
    expect((await read("Secret")).match(/\(invalid\)/g)).toHaveLength(signed.length);
  });

  it("reads what is over IPv6, which tshark does not name", async () => {
    const six = GOLDEN.filter(({ name }) => name.includes("over IPv6")).map(({ packet }) => encodePacket(packet));
    const args = (file: string) => ["-r", file, "-n", "-vvv"];
    const text = await withPcap(six, async (file) => (await execa("tcpdump", args(file), { stderr: "ignore" })).stdout);
    const lines = text.split("\n").map((line) => line.trim());
    const wanted = [
      "IPv6 DestAddress: 2001:db8::77, Protocol ID: 0x11",
      "Flags: [0x00], DestPort 5004",
      "Previous/Next Interface: 2001:db8:1::1, Logical Interface Handle: 0x00000007",
      "Unknown Object (253) Flags: [ignore and forward if unknown], Class-Type: Unknown (9), length: 8",
      "Source Address: 2001:db8:2::5, Source Port: 4000",
      "IPv6 Receiver Address: 2001:db8::77",
      "FilterSpec Object (10) Flags: [reject if unknown], Class-Type: IPv6 (2), length: 24",
      "Source Address: 2001:db8:2::5, Source Port: 4000",
    ];
    expect(missingFrom(lines, wanted)).toBeUndefined();
  });
});

describe("scapy", () => {
  it("builds the same octets from the golden objects, checksum and lengths by its own reckoning", async () => {
    const plain = GOLDEN.filter(({ packet }) => packet.integrity === undefined && packet.message.kind !== "Bundle");
    const input = plain.map(({ packet, hex }) => {
      const objects = hex.split("|").slice(1).map(octetsOf);
      const header = octetsOf(hex);
      return {
        flags: header.readUInt8(0) & 0xf,
        type: header.readUInt8(1),
        ttl: packet.sendTtl,
        objects: objects.map((object) => [object[2], object[3], object.subarray(4).toString("hex")]),
      };
    });
    const script = fileURLToPath(new URL("../scapy_rebuild.py", import.meta.url));
    const { stdout } = await execa("/usr/bin/python3", [script], { input: JSON.stringify(input), stderr: "ignore" });
    const built = JSON.parse(stdout) as string[];
    expect(built).toHaveLength(plain.length);
    plain.forEach(({ name, packet }, index) => {
      expect({ name, octets: encodePacket(packet).toString("hex") }).toEqual({ name, octets: built[index] });
    });
  });
});
