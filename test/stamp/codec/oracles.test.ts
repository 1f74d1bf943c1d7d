/** What programs of others make of the packets that are written here, and the other way round: scapy, tshark. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { millis, timestamp } from "../../../src/model/units.js";
import { decodeSenderPacket, encodeSenderPacket, reflect } from "../../../src/stamp/codec/packet.js";

const AT = timestamp(Date.UTC(2026, 0, 2, 3, 4, 5, 250));
const request = encodeSenderPacket({
  sequence: 0x01020304,
  timestamp: AT,
  estimate: { synchronised: true, format: "ntp", error: millis(1) },
  session: 300,
});
const answer = reflect(request, {
  sequence: 0x0a0b0c0d,
  timestamp: timestamp(AT + 250),
  estimate: { synchronised: false, format: "ntp", error: millis(20) },
  received: timestamp(AT + 125),
  ttl: 250,
});

describe("scapy", () => {
  const ask = async (question: object) => {
    const script = fileURLToPath(new URL("../scapy_stamp.py", import.meta.url));
    const { stdout } = await execa("/usr/bin/python3", [script], { input: JSON.stringify(question), stderr: "ignore" });
    return JSON.parse(stdout) as { built: string[]; read: Record<string, unknown>[] };
  };

  it("builds sender's packets that are read here", async () => {
    const estimate = { S: 1, Z: 1, scale: 20, multiplier: 210 };
    const { built } = await ask({ build: [{ seq: 0xfffffffe, ssid: 0xabcd, estimate }], read: [] });
    expect(decodeSenderPacket(Buffer.from(built[0]!, "hex"))).toMatchObject({
      sequence: 0xfffffffe,
      session: 0xabcd,
      estimate: { synchronised: true, format: "ptp", error: 210 * 2 ** (20 - 32) * 1000 },
    });
  });

  it("reads in answers what was written", async () => {
    const { read } = await ask({ build: [], read: [answer.toString("hex")] });
    expect(read[0]).toEqual({
      seq: 0x0a0b0c0d,
      ssid: 300,
      seq_sender: 0x01020304,
      ttl: 250,
      err_estimate: { S: 0, Z: 0, scale: 19, multiplier: 164 },
      err_estimate_sender: { S: 1, Z: 0, scale: 15, multiplier: 132 },
      again: answer.toString("hex"),
    });
  });
});

describe("tshark", () => {
  it("reads in answers what was written, times included", async () => {
    const names = [
      "seq_number",
      "timestamp",
      "receive_timestamp",
      "sender_seq_number",
      "sender_timestamp",
      "error_estimate.s",
      "error_estimate.scale",
      "error_estimate.multiplier",
      "sender_ttl",
    ];
    const lines = await tshark(answer, names);
    expect(lines).toEqual([
      String(0x0a0b0c0d),
      "2026-01-02T03:04:05.500",
      "2026-01-02T03:04:05.375",
      String(0x01020304),
      "2026-01-02T03:04:05.250",
      "0",
      "19",
      "164",
      "250",
    ]);
  });
});

/** The fields of a packet from a reflector, times to the millisecond. */
async function tshark(packet: Buffer, names: readonly string[]): Promise<readonly string[]> {
  const directory = await mkdtemp(join(tmpdir(), "sluice-stamp-test-"));
  try {
    const file = join(directory, "stamp.pcap");
    await writeFile(file, pcap(packet));
    const fields = names.flatMap((name) => ["-e", `twamp.test.${name}`]);
    const read = ["-r", file, "-n", "-d", "udp.port==862,twamp.test", "-T", "json", ...fields];
    const { stdout } = await execa("tshark", read, { stderr: "ignore", env: { TZ: "UTC" } });
    const [frame] = JSON.parse(stdout) as { _source: { layers: Record<string, string[]> } }[];
    return names.map((name) => inMilliseconds(frame?._source.layers[`twamp.test.${name}`]?.[0] ?? ""));
  } finally {
    await rm(directory, { recursive: true });
  }
}

function inMilliseconds(text: string): string {
  const at = /[A-Z][a-z]{2} +\d+, \d{4}/.test(text)
    ? Date.parse(`${text.replace(/(\.\d{3})\d* \w+$/, "$1")}Z`)
    : Number.NaN;
  return Number.isNaN(at) ? text : new Date(at).toISOString().slice(0, -1);
}

/** One UDP packet from port 862, as IP has it. */
function pcap(payload: Buffer): Buffer {
  const header = Buffer.from("d4c3b2a1020004000000000000000000000004006500000000000000", "hex").subarray(0, 24);
  const ip = Buffer.from("450000000000400040110000c0000202c0000201", "hex");
  const udp = Buffer.alloc(8);
  udp.writeUInt16BE(862, 0);
  udp.writeUInt16BE(40_000, 2);
  udp.writeUInt16BE(8 + payload.length, 4);
  ip.writeUInt16BE(28 + payload.length, 2);
  const record = Buffer.alloc(16);
  record.writeUInt32LE(28 + payload.length, 8);
  record.writeUInt32LE(28 + payload.length, 12);
  return Buffer.concat([header, record, ip, udp, payload]);
}
