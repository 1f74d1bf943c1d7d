/** Captures of a whole test file: one tcpdump on each host of the lab from its start to its end. */
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { readDatagram } from "../../../src/lab/datagram.js";
import { LAB_HOSTS } from "../../../src/lab/hosts.js";
import type { Background, Lab } from "../../../src/lab/lab.js";
import { type RtpPacket, readStream } from "../../../src/lab/media.js";
import { readCapture } from "../../../src/lab/pcap.js";
import { malformed } from "../../../src/lab/tshark.js";
import type { IpAddress } from "../../../src/model/ip.js";

export type UserAgent = "uac" | "uas";

const MEDIA_PORT = 6000;

interface Addresses {
  readonly uac: IpAddress;
  readonly uas: IpAddress;
}

export const IPV4: Addresses = { uac: "10.1.0.10" as IpAddress, uas: "10.3.0.10" as IpAddress };
export const IPV6: Addresses = { uac: "fd01::10" as IpAddress, uas: "fd03::10" as IpAddress };

export interface StreamPackets {
  readonly sent: readonly RtpPacket[];
  readonly received: readonly RtpPacket[];
}

interface RunningCapture {
  readonly path: string;
  readonly tcpdump: Background;
}

export interface SipOnWire {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly text: string;
}

export class LabCaptures {
  readonly directory: string;
  readonly #running: readonly RunningCapture[];

  private constructor(directory: string, running: readonly RunningCapture[]) {
    this.directory = directory;
    this.#running = running;
  }

  /** Resolves when every host is listening. */
  static async start(lab: Lab): Promise<LabCaptures> {
    const directory = mkdtempSync(join(tmpdir(), `sluice-${lab.prefix}-pcap-`));
    const ends = LAB_HOSTS.flatMap(({ namespace }) =>
      // A router is watched on both its sides.
      (namespace.startsWith("r") ? ["access", "core"] : ["eth0"]).map((device) => ({ namespace, device })),
    );
    const running = ends.map(({ namespace, device }) => {
      const path = join(directory, `${namespace}-${device}.pcap`);
      const command = ["tcpdump", "-i", device, "-n", "-U", "--immediate-mode", "-s", "0", "-Z", "root", "-w", path];
      return { path, tcpdump: lab.spawn(namespace, command) };
    });
    await Promise.all(running.map(({ tcpdump }) => tcpdump.said("listening on")));
    return new LabCaptures(directory, running);
  }

  pathOf(host: string): string {
    return join(this.directory, `${host}-eth0.pcap`);
  }

  /** RTP to one of the two user agents since a moment: what left the other, and what arrived. */
  async media(to: UserAgent, since: number, { addresses = IPV4, port = MEDIA_PORT } = {}): Promise<StreamPackets> {
    const from = to === "uas" ? "uac" : "uas";
    const key = { source: addresses[from], destination: addresses[to], destinationPort: port };
    const [sent, received] = await Promise.all([from, to].map((host) => readStream(this.pathOf(host), key)));
    const later = (packets: readonly RtpPacket[] = []): readonly RtpPacket[] => packets.filter(({ at }) => at >= since);
    return { sent: later(sent), received: later(received) };
  }

  /** SIP messages that a host sent or received since a moment, in capture order. */
  async sip(host: string, since: number): Promise<readonly SipOnWire[]> {
    const { linkType, frames } = readCapture(await readFile(this.pathOf(host)));
    return frames.flatMap(({ at, bytes }) => {
      const datagram = at < since ? undefined : readDatagram(linkType, bytes);
      if (datagram === undefined || !datagram.payload.includes("SIP/2.0")) return [];
      const { source, destination, payload } = datagram;
      return [{ at, source, destination, text: payload.toString("latin1") }];
    });
  }

  /** Ends the captures. */
  async stop(): Promise<void> {
    await Promise.all(this.#running.map(({ tcpdump }) => tcpdump.stop()));
  }

  /** What tshark thinks is malformed, with the capture's name. */
  async malformed(): Promise<readonly string[]> {
    const findings: string[] = [];
    for (const { path } of this.#running) {
      findings.push(...(await malformed(path)).map((line) => `${path}: ${line}`));
    }
    return findings;
  }

  /** Frames of a protocol as tshark names it. */
  async count(host: string, protocol: "sip" | "cops" | "http"): Promise<number> {
    const args = ["-n", "-r", this.pathOf(host), "-d", "tcp.port==5045,http", "-Y", protocol, "-T", "fields"];
    const { stdout } = await execa("tshark", [...args, "-e", "frame.number"], { stderr: "ignore" });
    return stdout.split("\n").filter((line) => line !== "").length;
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
