/** Has tshark read messages, to compare its view with ours. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";

/** Fields whose presence means that tshark could not make sense of a message. */
export const TROUBLE = [
  "cops.pepid.not_null",
  "cops.trailing_garbage",
  "cops.bad_cops_object_length",
  "cops.bad_cops_pr_object_length",
  "cops.unknown_c_num",
  "_ws.malformed",
  "_ws.short",
] as const;

/** For each message the values of each field, in the order of the wire; fields that are not there are left out. */
export async function tsharkFields(messages: readonly Buffer[], fields: readonly string[]) {
  const directory = await mkdtemp(join(tmpdir(), "sluice-cops-test-"));
  try {
    const file = join(directory, "cops.pcap");
    await writeFile(file, pcap(messages));
    const wanted = [...fields, ...TROUBLE].flatMap((field) => ["-e", field]);
    const format = ["-T", "fields", "-E", "separator=;", "-E", "occurrence=a", "-E", "aggregator=,"];
    const { stdout } = await execa("tshark", ["-r", file, "-n", ...format, ...wanted], { stderr: "ignore" });
    return stdout.split("\n").map((line) => {
      const values = line.split(";");
      const named = [...fields, ...TROUBLE].map((field, index) => [field, values[index] ?? ""] as const);
      return Object.fromEntries(named.filter(([, value]) => value !== "").map(([field, value]) => [field, value]));
    });
  } finally {
    await rm(directory, { recursive: true });
  }
}

const LINKTYPE_RAW = 101;

/** One TCP segment a message, all of one direction: from the PEP's port to 3288. */
function pcap(messages: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(0x40000, 16);
  header.writeUInt32LE(LINKTYPE_RAW, 20);
  let sequence = 1;
  const packets = messages.map((message, index) => {
    const packet = segment(message, sequence);
    sequence += message.length;
    const record = Buffer.alloc(16);
    record.writeUInt32LE(index, 0);
    record.writeUInt32LE(packet.length, 8);
    record.writeUInt32LE(packet.length, 12);
    return Buffer.concat([record, packet]);
  });
  return Buffer.concat([header, ...packets]);
}

function segment(payload: Buffer, sequence: number): Buffer {
  const ip = Buffer.from("450000000000400040060000c0000201c0000202", "hex");
  ip.writeUInt16BE(40 + payload.length, 2);
  const tcp = Buffer.from("c35a0cd8000000000000000150187fff00000000", "hex");
  tcp.writeUInt32BE(sequence, 4);
  return Buffer.concat([ip, tcp, payload]);
}
