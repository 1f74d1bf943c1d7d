/** Captures on several hosts of the lab at once. */
import { join } from "node:path";
import { LAB_HOSTS } from "./hosts.js";
import type { Lab } from "./lab.js";
import type { HostCapture } from "./tshark.js";

/** Whoever speaks a protocol of the ladder; the routers are seen by the policy servers that they speak to. */
const CAPTURED = LAB_HOSTS.filter(({ host }) => host !== "R1" && host !== "R2");

export interface RunningCaptures {
  /** Resolves when the files are complete. */
  stop(): Promise<readonly HostCapture[]>;
}

/** Resolves when every host is listening. @param directory - must exist; gets one pcap file for each host */
export async function startCaptures(lab: Lab, directory: string): Promise<RunningCaptures> {
  const captures = CAPTURED.map(({ host, namespace }) => {
    const path = join(directory, `${namespace}.pcap`);
    // Immediate mode: a packet is in the file at once, not when a block of the kernel's buffer is full.
    const command = ["tcpdump", "-i", "eth0", "-n", "-U", "--immediate-mode", "-s", "0", "-Z", "root", "-w", path];
    return { host, path, tcpdump: lab.spawn(namespace, command) };
  });
  await Promise.all(captures.map(({ tcpdump }) => tcpdump.said("listening on")));
  return {
    stop: async () => {
      await Promise.all(captures.map(({ tcpdump }) => tcpdump.stop()));
      return captures.map(({ host, path }) => ({ host, path }));
    },
  };
}
