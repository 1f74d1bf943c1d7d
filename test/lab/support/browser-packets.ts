/** What becomes of browsers' packets on their way, as the wire and the kernel's queues tell it. */
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Datagram, readDatagram } from "../../../src/lab/datagram.js";
import { readCapture } from "../../../src/lab/pcap.js";
import type { UserAgent } from "./pcaps.js";
import type { TestLab } from "./test-lab.js";

/** For this many packets a capture waits, and at most this many seconds. */
const [ENOUGH, PATIENCE_S] = [50, 20];

/**
 * The next packets of a flow that a host sends or gets.
 * @param flow - as `show policies` writes it
 * @throws ExecaError if too few come in time
 */
export async function captured(lab: TestLab, host: UserAgent, flow: string): Promise<readonly Datagram[]> {
  const ends = /^udp (\S+):(\d+) > (\S+):(\d+)$/.exec(flow);
  if (ends === null) throw new Error(`${flow} is not a flow of UDP over IPv4`);
  const [, source, sourcePort, destination, destinationPort] = ends;
  const filter = `udp and src ${source} and src port ${sourcePort} and dst ${destination} and dst port ${destinationPort}`;
  const directory = mkdtempSync(join(tmpdir(), `sluice-${lab.prefix}-${host}-`));
  const path = join(directory, "flow.pcap");
  try {
    const command = [
      "tcpdump",
      "-i",
      "eth0",
      "-n",
      "--immediate-mode",
      "-Z",
      "root",
      "-c",
      String(ENOUGH),
      "-w",
      path,
      filter,
    ];
    await lab.lab.exec(host, ["timeout", String(PATIENCE_S), ...command]);
    const { linkType, frames } = readCapture(await readFile(path));
    return frames.flatMap(({ bytes }) => readDatagram(linkType, bytes) ?? []);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What a packet carries, by its first octet (RFC 7983 §7). */
export function contentOf({ payload }: Datagram): "stun" | "dtls" | "srtp" | "other" {
  const first = payload[0] ?? 0xff;
  if (first <= 3) return "stun";
  if (first >= 20 && first <= 63) return "dtls";
  return first >= 128 && first <= 191 ? "srtp" : "other";
}

/** Packets that each class of a router's device has sent since the router started, by class id. */
export async function classPackets(
  lab: TestLab,
  router: "r1" | "r2",
  device: "core" | "access",
): Promise<Readonly<Record<string, number>>> {
  const text = await lab.lab.exec(router, ["tc", "-s", "class", "show", "dev", device]);
  const found = text.matchAll(/^class htb (\S+) .*\n\s*Sent \d+ bytes (\d+) pkt/gm);
  return Object.fromEntries([...found].map(([, id = "", packets]) => [id, Number(packets)]));
}
