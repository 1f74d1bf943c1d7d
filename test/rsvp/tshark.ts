/** Has tshark read RSVP messages, to compare its view with ours. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";

/** Parts of lines whose presence means that tshark could not make sense of a message. */
export const TROUBLE = /malformed|incorrect|bogus|\[Expert Info \(Error/i;

/** tshark's full reading of each message, one line an entry, indentation taken off. */
export async function tsharkLines(messages: readonly Buffer[]): Promise<readonly (readonly string[])[]> {
  return await withPcap(messages, async (file) => {
    const { stdout } = await execa("tshark", ["-r", file, "-n", "-V", "-O", "rsvp"], { stderr: "ignore" });
    return stdout
      .split(/^Frame \d+:.*\n/m)
      .slice(1)
      .map((frame) => frame.split("\n").map((line) => line.trim()));
  });
}

const LINKTYPE_RAW = 101;

/** Writes one IPv4 packet of protocol 46 a message, and takes the file away again afterwards. */
export async function withPcap<Result>(
  messages: readonly Buffer[],
  use: (file: string) => Promise<Result>,
): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), "sluice-rsvp-test-"));
  try {
    const file = join(directory, "rsvp.pcap");
    await writeFile(file, pcap(messages));
    return await use(file);
  } finally {
    await rm(directory, { recursive: true });
  }
}

function pcap(messages: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(0x40000, 16);
  header.writeUInt32LE(LINKTYPE_RAW, 20);
  const packets = messages.map((message, index) => {
    const ip = Buffer.from("4500000000004000402e0000c0000201c0000202", "hex");
    ip.writeUInt16BE(ip.length + message.length, 2);
    const record = Buffer.alloc(16);
    record.writeUInt32LE(index, 0);
    record.writeUInt32LE(ip.length + message.length, 8);
    record.writeUInt32LE(ip.length + message.length, 12);
    return Buffer.concat([record, ip, message]);
  });
  return Buffer.concat([header, ...packets]);
}
